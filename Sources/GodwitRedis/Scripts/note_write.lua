#!lua flags=allow-oom
-- note_write: a note of the board → written, if it stands as expected
-- Guarantee: look and write are one step; a version is never given out twice in a folder. Notes whose
--            time is over go, at most 64 a call; a full folder takes no new name (I10).
-- Why allow-oom: notes are bounded, and who drains a full server holds his duty by one.
-- KEYS[1] tag   KEYS[2] markers
-- ARGV[1] name   ARGV[2] bytes   ARGV[3] time_ms, '' for ever   ARGV[4] any, absent or a version
-- ARGV[5] most notes
-- Returns: 1 written, 0 it stands otherwise, -1 the folder is full.   Cost: O(log n).
--   n   name → version 6 | writtenAt 6 | expiresAt 6, 0 for never | bytes; '' → the last version
--   x   name by expiresAt
-- uses: standing
local name, wanted, most = ARGV[1], ARGV[4], tonumber(ARGV[5])
if not expected(standing(name), wanted) then return 0 end
local n, x = tag .. 'n', tag .. 'x'
local over = call('ZRANGE', x, '-inf', now, 'BYSCORE', 'LIMIT', '0', '64')
if #over > 0 then
  call('HDEL', n, unpack(over))
  call('ZREM', x, unpack(over))
end
if call('HEXISTS', n, name) == 0 and call('HLEN', n) - call('HEXISTS', n, '') >= most then
  return -1
end
local version, expires = call('HINCRBY', n, '', 1), 0
if ARGV[3] ~= '' then expires = math.min(now + tonumber(ARGV[3]), 281474976710655) end
call('HSET', n, name, pack('>I6', version) .. when .. pack('>I6', expires) .. ARGV[2])
if expires > 0 then
  call('ZADD', x, string.format('%.0f', expires), name)
else
  call('ZREM', x, name)
end
return 1
