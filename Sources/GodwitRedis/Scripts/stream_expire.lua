#!lua flags=allow-oom
-- stream_expire: idle for too long → gone: window, state, memory of ids
-- Guarantee: a key with a point that waits is never dropped (I1).
-- KEYS[1] tag   KEYS[2] markers
-- ARGV[1] count (≤ 64)   ARGV[2] idle_ms
-- Returns: how many; the next call goes on from where this one ended, by a cursor in `cfg`.
-- Cost: O(a part of the keys).
-- uses: drop
local limit, oldest = tonumber(ARGV[1]), now - tonumber(ARGV[2])
local cursor = call('HGET', tag .. 'cfg', 'cursor') or '0'
local found = call('HSCAN', tag .. 'ln', cursor, 'COUNT', 200)
local doomed, lanes, stopped = {}, {}, false
for i = 1, #found[2], 2 do
  local key, lane = found[2][i], found[2][i + 1]
  local at = read('>I6', lane, 17)
  if at > 0 and at < oldest and call('EXISTS', tag .. 'p:' .. key) == 0 then
    if #doomed == limit then
      stopped = true -- the rest of this part comes next time
      break
    end
    doomed[#doomed + 1] = key
    lanes[#lanes + 1] = lane
  end
end
if not stopped then call('HSET', tag .. 'cfg', 'cursor', found[1]) end
drop(doomed, lanes)
return #doomed
