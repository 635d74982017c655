-- enqueue: nothing → ready or scheduled
-- Guarantee: a known id is never a second message (I12), a unique key holds one live message (I9).
-- KEYS[1] tag   KEYS[2] markers   KEYS[3] the list w:<band>:<kind hex> of all messages of the call
-- ARGV[1] mode  0 fresh ids, ready now · 1 resend · 2 first send with options · 3 forward
-- ARGV[2] ids, 16 bytes each (mode 0: ≤ 256, else ≤ 64)
-- ARGV[3…] mode 0: value per message = band 1 | kind 4 | max 1 | body
--          else four per message: value, unique key or '', due, epoch (3 bytes in mode 3, else '')
--          due: 0 now · > 0 delay in ms · < 0 minus a moment in ms
-- Returns: flat (index, code, info) of those refused; code 1 known · 2 unknown · 3 an older copy is
--          still live · 4 unique key taken, info = its id · 5 full.
-- Cost: O(n), scheduled O(n log scheduled).
local mode, packed, list = ARGV[1], ARGV[2], KEYS[3]
local marker = markers .. sub(list, -8)
local p, m = tag .. 'p', tag .. 'm'
local room = tonumber(call('HGET', tag .. 'cfg', 'max') or 1000000) - call('HLEN', p)

if mode == '0' then
  local n = #packed / 16
  -- Near the limit the first ones get in and the rest does not: order stays within the list.
  local refused, fit = {}, math.max(0, math.min(n, room))
  for i = fit, n - 1 do
    local k = #refused
    refused[k + 1], refused[k + 2], refused[k + 3] = i, 5, false
  end
  if fit == 0 then return refused end
  -- No record yet: until the first run the entry in the list and the head of the body say it all.
  local entries, bodies, tail = {}, {}, when .. when .. '\0\0\0\0\0\0\0\0'
  for i = 1, fit do
    local id, value = sub(packed, 16 * i - 15, 16 * i), ARGV[2 + i]
    entries[i] = id .. sub(value, 1, 6) .. tail
    bodies[2 * i - 1] = id
    bodies[2 * i] = value
  end
  call('HSET', p, unpack(bodies))
  call('RPUSH', list, unpack(entries))
  call('HINCRBY', tag .. 'st', 'enq', fit)
  call('ZADD', marker, '0', '0')
  return refused
end

-- Why an id cannot be accepted, or nil.
local horizon = tonumber(call('HGET', tag .. 'cfg', 'hz') or 0)
local live = { [''] = true, s = true, r = true, l = true }
local function refusal(id, epoch)
  local record = call('HGET', m, id)
  if record or call('HEXISTS', p, id) == 1 then
    if mode ~= '3' then return 1 end
    local letter, known = '', 0
    if record then
      letter, known = sub(record, 57, 57), read('>I3', record, 38)
    elseif call('HSTRLEN', p, id) == 0 then
      return 1 -- a tombstone still in line
    end
    if known >= epoch then return 1 end
    if live[letter] then return 3 end
    return letter ~= 'f' and 1 or nil
  end
  local created, version = read('>I6B', id)
  if mode == '1' and created <= horizon and version >= 112 and version < 128 then return 2 end
end

local entries, scheduled, refused, accepted = {}, {}, {}, 0
for i = 1, #packed / 16 do
  local id = sub(packed, 16 * i - 15, 16 * i)
  local value, unique, due, epoch = unpack(ARGV, 4 * i - 1, 4 * i + 2)
  if mode ~= '3' then epoch = '\0\0\0' end
  local code, info = refusal(id, read('>I3', epoch)), false
  if not code and unique ~= '' then
    info = call('HGET', tag .. 'u', unique)
    if info then code = 4 end
  end
  if not code and accepted >= room then code = 5 end
  if code then
    local n = #refused
    refused[n + 1], refused[n + 2], refused[n + 3] = i - 1, code, info
  else
    accepted = accepted + 1
    due = tonumber(due)
    if due > 0 then due = now + due else due = -due end
    local entry = id .. sub(value, 1, 6) .. when .. pack('>I6', math.max(due, now))
      .. '\0\0\0' .. epoch .. '\0\0'
    call('HSET', p, id, value)
    call('HSET', m, id, entry)
    if unique ~= '' then
      call('HSET', tag .. 'u', unique, id)
      call('HSET', tag .. 'ui', id, unique)
    end
    if due > now then
      scheduled[#scheduled + 1] = string.format('%.0f', due)
      scheduled[#scheduled + 1] = entry
    else
      entries[#entries + 1] = entry
    end
  end
end
if accepted == 0 then return refused end
if #entries > 0 then call('RPUSH', list, unpack(entries)) end
if #scheduled > 0 then call('ZADD', tag .. 'd', unpack(scheduled)) end
call('HINCRBY', tag .. 'st', 'enq', accepted)
call('ZADD', marker, '0', '0') -- also when all are scheduled: a sleeper computes its timeout again
return refused
