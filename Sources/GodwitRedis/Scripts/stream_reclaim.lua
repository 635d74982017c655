#!lua flags=allow-oom
-- stream_reclaim: lease ran out → ready at the head, in the order handed out; lost + 1
-- Guarantee: raises lost, never attempt; from the second on the lane is among the suspects (I6).
-- KEYS[1] tag   KEYS[2] markers
-- ARGV[1] count (≤ 64)
-- Returns: how many.       Cost: O(count log leased).
-- uses: join
-- By deadline, and within one by the token, which ends its nonce with the place in the answer.
local tokens = call('ZRANGE', tag .. 'll', '-inf', now, 'BYSCORE', 'LIMIT', '0', ARGV[1])
if #tokens == 0 then return 0 end
local keys, writes = {}, {}
for i = 1, #tokens do keys[i] = sub(tokens[i], 9) end
local lanes = call('HMGET', tag .. 'ln', unpack(keys))
for i = 1, #keys do
  local lane = lanes[i] or new_lane
  local lost = math.min(255, byte(lane, 16) + 1)
  keys[keys[i]] = lost
  writes[2 * i - 1] = keys[i]
  writes[2 * i] = sub(lane, 1, 15) .. string.char(lost) .. sub(lane, 17)
end
call('ZREM', tag .. 'll', unpack(tokens))
call('HSET', tag .. 'ln', unpack(writes))
join('LPUSH', keys)
call('HINCRBY', tag .. 'st', 'lost', #tokens)
call('ZADD', markers .. 'lanes', '0', '0')
return #tokens
