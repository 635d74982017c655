#!lua flags=allow-oom
-- reserve: ready → leased; due messages are promoted first
-- Guarantee: token and deadline are written in the same step (I3, I4); a tombstone is dropped.
-- KEYS[1] tag   KEYS[2] markers   KEYS[3…] suspect lists, then lists, by band, kinds rotated
-- ARGV[1] count (≤ 128)   ARGV[2] lease_ms   ARGV[3] nonce (7 bytes)   ARGV[4] number of suspect
--         lists, 0 unless nothing is in flight   ARGV[5] bytes   ARGV[6] slots free now
-- Returns: now, deadline, tokens (56 bytes each), bodies, checkpoints (empty: none has one),
--          suspects of these kinds that wait, due time of the next scheduled (false unless nothing was found)
-- Cost: O(lists + n log leased + due log scheduled).
-- uses: wake put free settings note emit
local lease_ms, nonce, suspect_lists = tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])
local want, bytes_left, free_slots = tonumber(ARGV[1]), tonumber(ARGV[5]), tonumber(ARGV[6])
local m = tag .. 'm'
local deadline, run = now + lease_ms, when .. nonce
local kinds = {}
if #nonce ~= 7 or want > 128 then
  return redis.error_reply('ERR reserve: a nonce of 7 bytes, at most 128 messages')
end
suspects = tonumber(suspects or 0)

-- Promote, bounded, also while paused or limited.
local due = call('ZRANGE', tag .. 'd', '-inf', now, 'BYSCORE', 'LIMIT', '0', '64')
if #due > 0 then
  call('ZREM', tag .. 'd', unpack(due))
  suspects = suspects + put('RPUSH', due, kinds)
end

if max_running then want = math.min(want, tonumber(max_running) - call('ZCARD', tag .. 'le')) end
if paused then want = 0 end

local ids, entries, taken, pops, more, last_list = {}, {}, 0, 0, false, nil

-- Takes up to `most` entries from KEYS[first…last] into `entries`, within the byte budget; those
-- with one attempt only while fewer than `slots` are taken.
local function take(first, last, most, slots)
  local command = { 'LMPOP', last - first + 1, unpack(KEYS, first, last) }
  local size = #command
  command[size + 1], command[size + 2] = 'LEFT', 'COUNT'
  local last_class, bytes
  while taken < most and pops < 8 do
    pops = pops + 1
    command[size + 3] = most - taken
    local popped = call(unpack(command))
    if not popped then return end
    local found = popped[2]
    last_list = popped[1]
    for i = 1, #found do
      local entry = found[i]
      local class = byte(entry, 17)
      if class ~= last_class then
        last_class, bytes = class, 64 * 2 ^ ((class % 128 - class % 8) / 8)
      end
      if (bytes > bytes_left and taken > 0) or (taken >= slots and byte(entry, 22) == 1) then
        -- Budget used, or maxAttempts 1 and no slot for it: this one and the rest go back.
        local back = {}
        for j = #found, i, -1 do back[#back + 1] = found[j] end
        call('LPUSH', last_list, unpack(back))
        more = true
        return
      end
      bytes_left, taken = bytes_left - bytes, taken + 1
      entries[taken] = entry
      ids[taken] = sub(entry, 1, 16)
    end
  end
end

if want > 0 and suspect_lists > 0 and suspects > 0 then
  take(3, 2 + suspect_lists, 1, 1) -- a suspect runs alone (I6)
  if taken > 0 then
    want = 1
    suspects = call('HINCRBY', tag .. 'cfg', 'sus', -1)
  end
end
if want > 0 and taken == 0 and #KEYS > 2 + suspect_lists then
  take(3 + suspect_lists, #KEYS, want, free_slots)
end
if more or (taken > 0 and taken >= want) or pops == 8 then -- more may wait: chain the wake-up
  kinds[string.match(last_list, '(%x+)!?$')] = true
end
-- Of the caller's kinds: others' suspects are nothing it could do anything about.
if suspects > 0 then
  suspects = 0
  for i = 3 + suspect_lists, #KEYS do suspects = suspects + call('LLEN', KEYS[i] .. '!') end
end
if taken == 0 then
  wake(kinds)
  local next_due = call('ZRANGE', tag .. 'd', 0, 0, 'WITHSCORES')[2]
  return { now, deadline, {}, {}, {}, suspects, next_due and tonumber(next_due) or false }
end

-- Lease what has a body. The token ends with its place in the batch: reclaim restores the order.
local bodies = call('HMGET', tag .. 'p', unpack(ids))
local score, place = string.format('%.0f', deadline), string.char
local tokens, payloads, leases, records, n = {}, {}, {}, {}, 0
local without_body = {}
for i = 1, taken do
  local body = bodies[i]
  if body and body ~= '' then
    n = n + 1
    local token = entries[i] .. run .. place(n)
    tokens[n], payloads[n] = token, body
    leases[2 * n - 1], leases[2 * n] = score, token
    records[2 * n - 1], records[2 * n] = ids[i], token
  else
    without_body[#without_body + 1] = i
  end
end

-- '' was cancelled while ready: dropped. No body at all: lost by a bug or by hand, so dead.
if n < taken then
  local ghosts, items, unique = {}, {}, {}
  for _, i in ipairs(without_body) do
    local id, entry = ids[i], entries[i]
    if bodies[i] then
      ghosts[#ghosts + 1] = id
    else
      items[#items + 1] = note(entry .. run .. '\0', 'payload lost')
      unique[#unique + 1] = id
      call('ZADD', tag .. 'x', now, entry)
      call('HSET', m, id, entry .. run .. '\0d' .. when .. 'payload lost')
    end
  end
  if #ghosts > 0 then
    call('HDEL', tag .. 'p', unpack(ghosts))
    call('HINCRBY', tag .. 'st', 'ghosts', -#ghosts)
  end
  if #items > 0 then
    free(unique, true)
    call('HINCRBY', tag .. 'st', 'dead', #items)
    emit('d', table.concat(items))
  end
end

local checkpoints = {}
if n > 0 then
  call('ZADD', tag .. 'le', unpack(leases))
  if track ~= '0' then call('HSET', m, unpack(records)) end
  if call('EXISTS', tag .. 'pr') == 1 then
    local leased = {}
    for i = 1, n do leased[i] = sub(tokens[i], 1, 16) end
    checkpoints = call('HMGET', tag .. 'pr', unpack(leased))
  end
end
wake(kinds)
return { now, deadline, tokens, payloads, checkpoints, suspects, false }
