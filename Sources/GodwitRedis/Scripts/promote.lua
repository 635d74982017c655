#!lua flags=allow-oom
-- promote by id: scheduled → ready now, at the tail; for the operator
-- Guarantee: only what is in the schedule moves (I2). Due messages are promoted by reserve.
-- KEYS[1] tag   KEYS[2] markers
-- ARGV[1] ids, 16 bytes each (≤ 64)
-- Returns: indexes (0-based) of those that were not scheduled.       Cost: O(n log scheduled).
-- uses: split kind wake put
local ids, m = split(ARGV[1], 16), tag .. 'm'
local ready, kinds, refused = {}, {}, {}
for i = 1, #ids do
  local record = call('HGET', m, ids[i])
  if record and call('ZREM', tag .. 'd', sub(record, 1, 42)) == 1 then
    local entry = sub(record, 1, 28) .. when .. sub(record, 35, 42) -- ready from now on
    ready[#ready + 1] = entry
    call('HSET', m, ids[i], entry .. sub(record, 43))
  else
    refused[#refused + 1] = i - 1
  end
end
put('RPUSH', ready, kinds)
wake(kinds)
return refused
