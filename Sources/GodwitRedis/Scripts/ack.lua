#!lua flags=allow-oom
-- ack: leased → completed
-- Guarantee: only a token that is in the lease set completes (I3); a repeated ack is no stale one.
-- KEYS[1] tag   KEYS[2] markers
-- ARGV[1] extra (bytes for the history, stored as field e)   ARGV[2] tokens, 56 bytes each (≤ 256)
-- Returns: indexes (0-based) of the stale tokens.       Cost: O(n log leased).
-- uses: split wake slots finish emit same
local packed, le = ARGV[2], tag .. 'le'
local tokens, stale = split(packed, 56), {}
local n, kinds = #tokens, slots({})

-- Takes the leases off. If fewer went, the record, written with the lease, tells which held.
-- Where `track` was ever set a lease may have no record, so the lease set is asked beforehand: a
-- token that is absent goes in with score -1, is seen there, and leaves with the others.
local absent, missing = {}, 0
if track then
  local probe = {}
  for i = 1, n do probe[2 * i - 1], probe[2 * i] = '-1', tokens[i] end
  -- Why 14 pairs a call: Redis reuses its argument objects up to 32, which is cheaper here.
  for i = 1, 2 * n, 28 do
    missing = missing + call('ZADD', le, 'NX', unpack(probe, i, math.min(i + 27, 2 * n)))
  end
  if missing > 0 then
    for _, token in ipairs(call('ZRANGE', le, '-1', '-1', 'BYSCORE')) do absent[token] = true end
  end
end
local removed = call('ZREM', le, unpack(tokens))
if removed < n then
  missing = n - removed
  for i = 1, n do
    absent[tokens[i]] = call('HGET', tag .. 'm', sub(tokens[i], 1, 16)) ~= tokens[i]
  end
end
if missing > 0 then
  local held = {}
  for i = 1, n do
    local token = tokens[i]
    if not absent[token] then
      held[#held + 1] = token
    elseif not same(token, 'a') then
      stale[#stale + 1] = i - 1
    end
  end
  tokens, packed, n = held, table.concat(held), #held
end
if n == 0 then return stale end

local ids, records, ending = {}, {}, 'a' .. when
for i = 1, n do
  local token = tokens[i]
  local id = sub(token, 1, 16)
  ids[i] = id
  records[2 * i - 1], records[2 * i] = id, token .. ending
end
wake(kinds)
call('HSET', tag .. 'm', unpack(records))
finish(ids, 'a')

-- Counters: the total, and one field per minute; entering a minute clears those of a day ago.
local st, minute = tag .. 'st', floor(now / 60000)
call('HINCRBY', st, 'done', n)
if call('HINCRBY', st, 'done:' .. minute, n) == n then
  local last, old = tonumber(call('HGET', st, 'minute') or minute), {}
  for i = last - 1439, math.min(last, minute - 1440) do old[#old + 1] = 'done:' .. i end
  if #old > 0 then call('HDEL', st, unpack(old)) end
  call('HSET', st, 'minute', minute)
end
emit('a', packed, 'e', ARGV[1])
return stale
