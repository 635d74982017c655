#!lua flags=allow-oom
-- stream_commit: leased → ready (n next, e release), idle, parked (r retry) or blocked (b); k skips
-- Guarantee: position, window, state, messages and the end of the lease change in one step, and only
--            where the token is in the lease set (I3, I7). Points leave the list here and nowhere else.
-- KEYS[1] tag   KEYS[2] markers
-- ARGV[1] number of lanes (≤ 128)
-- ARGV[2…] three per lane: facts 22 ‖ token, state, reason; then emissions, see stream_emit.
--          facts: handled 2 | newest id 8 | bytes of the window 4 | end 1 | has a state 1 | delay_ms 6
-- Returns: flat (index, code) of what was not done; 1 stale · 2 a target is full.
-- Cost: O(points handled + lanes log leased), a window over 1 KiB in amortised time.
-- uses: keep join unwait
local has_room, deliver -- emits: in the variant that emits, stream_emit stands here instead
local n, ll, parked = tonumber(ARGV[1]), tag .. 'll', {}
local keys, refused, lanes_after, states, stateless = {}, {}, {}, {}, {}
local tail, released, blocked, reasons, passed = {}, {}, {}, {}, {}
local handled_points, dead_points = 0, 0
for i = 1, n do keys[i] = sub(ARGV[3 * i - 1], 31) end
local lanes = call('HMGET', tag .. 'ln', unpack(keys))

for i = 1, n do
  local facts, key, lane, code = ARGV[3 * i - 1], keys[i], lanes[i], nil
  local token = sub(facts, 23)
  if not lane then
    code = 1
  elseif has_room and call('ZSCORE', ll, token) and not has_room(i) then
    code = 2
  elseif call('ZREM', ll, token) == 0 then -- the fence
    code = 1
  end
  if code then
    refused[#refused + 1] = i - 1
    refused[#refused + 1] = code
  else
    local handled, ms, seq, bytes, ending, has_state, delay = read('>I2I6I2I4BBI6', facts)
    local position, old_ms, old_seq, attempt, lost, at = read('>I6I6I2BBI6', lane)
    local list = tag .. 'p:' .. key
    if ms < old_ms or (ms == old_ms and seq < old_seq) then ms, seq = old_ms, old_seq end
    local records = handled > 0 and call('LPOP', list, handled)
    if records then
      unwait(key, records)
      keep(key, records, bytes)
      position, handled_points = position + #records, handled_points + #records
      attempt, lost, at = 0, 0, now
      passed[#passed + 1] = key
    end
    local left = call('LLEN', list)
    if left == 0 then ending = 110 end -- nothing waits: n, whatever was asked for
    if ending == 107 then -- k: the next point is passed, and the window never sees it
      local record = call('LPOP', list)
      unwait(key, { record })
      local m, s = read('>I6I2', record, 5)
      if m > ms or (m == ms and s > seq) then ms, seq = m, s end
      position, attempt, lost, left, at = position + 1, 0, 0, left - 1, now
      dead_points = dead_points + 1
      passed[#passed + 1] = key
    elseif ending == 114 or ending == 98 then -- r, b
      attempt = math.min(255, attempt + 1)
      local set = ending == 114 and parked or blocked
      set[#set + 1] = ending == 114 and string.format('%.0f', now + delay) or now
      set[#set + 1] = key
      reasons[#reasons + 1] = key
      reasons[#reasons + 1] = ARGV[3 * i + 1]
    elseif ending == 101 then -- e
      released[#released + 1] = key
      released[key] = lost
    end
    if left > 0 and (ending == 110 or ending == 107) then
      tail[#tail + 1] = key
      tail[key] = lost
    end
    local birth, state = sub(lane, 23, 26), sub(lane, 27)
    if has_state == 1 then
      if #ARGV[3 * i] > 38 then
        state, states[#states + 1] = '', key
        states[#states + 1] = ARGV[3 * i]
      else
        -- None within the lane: there may be one in `sv`, or none at all.
        if state == '' then stateless[#stateless + 1] = key end
        state = ARGV[3 * i]
      end
    end
    lanes_after[#lanes_after + 1] = key
    lanes_after[#lanes_after + 1] = pack('>I6I6I2BBI6', position, ms, seq, attempt, lost, at)
      .. birth .. state
    if deliver then deliver(i) end
  end
end
if #lanes_after == 0 then return refused end

call('HSET', tag .. 'ln', unpack(lanes_after))
if #states > 0 then call('HSET', tag .. 'sv', unpack(states)) end
if #stateless > 0 then call('HDEL', tag .. 'sv', unpack(stateless)) end
if #passed > 0 and call('EXISTS', tag .. 'why') == 1 then call('HDEL', tag .. 'why', unpack(passed)) end
if #reasons > 0 then call('HSET', tag .. 'why', unpack(reasons)) end
if #parked > 0 then call('ZADD', tag .. 'ld', unpack(parked)) end
if #blocked > 0 then call('ZADD', tag .. 'lb', unpack(blocked)) end
join('RPUSH', tail)
join('LPUSH', released)
-- Also for a parked one: a sleeper computes its timeout again.
if #tail + #released + #parked > 0 then call('ZADD', markers .. 'lanes', '0', '0') end
if handled_points > 0 then call('HINCRBY', tag .. 'st', 'han', handled_points) end
if dead_points > 0 then call('HINCRBY', tag .. 'st', 'dead', dead_points) end
return refused
