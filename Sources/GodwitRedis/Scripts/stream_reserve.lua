#!lua flags=allow-oom
-- stream_reserve: ready → leased, a lane as a whole; parked lanes that are due join the tail first
-- Guarantee: token and deadline are written in the step that takes the lane off its list (I4, I7).
-- KEYS[1] tag   KEYS[2] markers
-- ARGV[1] lanes (≤ 128)   ARGV[2] points of a lane (≤ 64)   ARGV[3] bytes   ARGV[4] lease_ms
-- ARGV[5] nonce (7 bytes)   ARGV[6] '1': nothing is in flight, so a suspect may go out, alone
-- Returns: now, deadline, suspects waiting, due time of the next parked lane (false where something
--          is handed out), then two per lane: key, lane ‖ its first records.
--          The token is nonce ‖ place in the answer 1 ‖ key.
-- Cost: O(points handed out + lanes log leased).
-- uses: promote_lanes
local want, most, budget = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local nonce, rd = ARGV[5], tag .. 'rd'
if #nonce ~= 7 or want > 128 then
  return redis.error_reply('ERR stream_reserve: a nonce of 7 bytes, at most 128 lanes')
end
promote_lanes()
local deadline = now + tonumber(ARGV[4])
local from, keys = rd, false
if want > 0 and ARGV[6] == '1' then
  keys = call('LPOP', rd .. '!', 1)
  if keys then from = rd .. '!' end
end
if want > 0 and not keys then keys = call('LPOP', rd, want) end
local answer, n, bytes = { now, deadline, 0, false }, 0, 0
if keys then
  local lanes = call('HMGET', tag .. 'ln', unpack(keys))
  local leases, score = {}, string.format('%.0f', deadline)
  for i = 1, #keys do
    local key, lane = keys[i], lanes[i] or new_lane
    local last = (byte(lane, 15) > 0 or byte(lane, 16) > 0) and 0 or most - 1
    local records, count = call('LRANGE', tag .. 'p:' .. key, 0, last), 0
    for j = 1, #records do
      local size = #records[j]
      if bytes > 0 and bytes + size > budget then break end
      bytes, count = bytes + size, j
    end
    if count > 0 then
      n = n + 1
      leases[2 * n - 1], leases[2 * n] = score, nonce .. string.char(n) .. key
      records[0] = sub(lane, 1, 26)
      answer[2 * n + 3], answer[2 * n + 4] = key, table.concat(records, '', 0, count)
    elseif #records > 0 then -- the bytes are used up: this lane and the rest go back
      local back = {}
      for j = #keys, i, -1 do back[#back + 1] = keys[j] end
      call('LPUSH', from, unpack(back))
      break
    end -- else its points were taken away by hand: it is idle
  end
  if n > 0 then call('ZADD', tag .. 'll', unpack(leases)) end
  -- Chains the wake-up: who else sleeps takes what is left.
  if call('EXISTS', rd) == 1 then call('ZADD', markers .. 'lanes', '0', '0') end
end
answer[3] = call('LLEN', rd .. '!')
if n == 0 then
  local due = call('ZRANGE', tag .. 'ld', 0, 0, 'WITHSCORES')[2]
  answer[4] = due and tonumber(due) or false
end
return answer
