#!lua flags=allow-oom
-- note_erase: a note of the board → gone, if it stands as expected
-- Guarantee: look and erase are one step; a note whose time is over is none.
-- KEYS[1] tag   KEYS[2] markers
-- ARGV[1] name   ARGV[2] any, absent or a version
-- Returns: 1 erased, 0 it stands otherwise or there is none.   Cost: O(log n).
-- uses: standing
local name = ARGV[1]
local version = standing(name)
if not version or not expected(version, ARGV[2]) then return 0 end
call('HDEL', tag .. 'n', name)
call('ZREM', tag .. 'x', name)
return 1
