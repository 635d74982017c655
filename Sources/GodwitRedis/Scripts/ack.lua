#!lua flags=allow-oom
-- ack: leased → completed
-- Guarantee: only a token that is in the lease set completes (I3); a repeated ack is no stale one.
-- KEYS[1] tag   KEYS[2] markers
-- ARGV[1] extra (bytes for the history, stored as field e)   ARGV[2] tokens, 56 bytes each (≤ 128)
-- Returns: indexes (0-based) of the stale tokens.       Cost: O(n log leased).
-- uses: split wake slots finish same settings
local packed, le = ARGV[2], tag .. 'le'
local tokens, stale = split(packed, 56), {}
local n = #tokens
local scores = call('ZMSCORE', le, unpack(tokens))
local held = {}
for i = 1, n do
  if scores[i] then
    held[#held + 1] = tokens[i]
  elseif not same(tokens[i], 'a') then
    stale[#stale + 1] = i - 1
  end
end
if #held < n then tokens, packed, n = held, table.concat(held), #held end
if n == 0 then return stale end

local ids, records, ending = {}, {}, 'a' .. when
for i = 1, n do
  local token = tokens[i]
  local id = sub(token, 1, 16)
  ids[i] = id
  records[2 * i - 1], records[2 * i] = id, token .. ending
end
wake(slots({}))
call('ZREM', le, unpack(tokens))
call('HSET', tag .. 'm', unpack(records))
finish(ids, table.concat(ids), 'a')

-- Counters: the total, and one field per minute; entering a minute clears those of a day ago.
local st, minute = tag .. 'st', floor(now / 60000)
call('HINCRBY', st, 'done', n)
if call('HINCRBY', st, 'done:' .. minute, n) == n then
  local last, old = tonumber(call('HGET', st, 'minute') or minute), {}
  for i = last - 1439, math.min(last, minute - 1440) do old[#old + 1] = 'done:' .. i end
  if #old > 0 then call('HDEL', st, unpack(old)) end
  call('HSET', st, 'minute', minute)
end
if events_on then call('XADD', tag .. 'ev', '*', 'a', when .. packed, 'e', ARGV[1]) end
return stale
