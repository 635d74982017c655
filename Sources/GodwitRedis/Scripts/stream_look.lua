#!lua flags=no-writes,allow-oom
-- stream_look: one key whole, in one moment
-- KEYS[1] tag   KEYS[2] markers
-- ARGV[1] key
-- Returns: false where the key is unknown, else lane, number that wait, phase (i r l p b), due,
--          reason, the state in `sv`, window packed, up to 100 waiting records packed.
-- Cost: O(window), of a key that is ready or leased + one pass over the leases.
local key = ARGV[1]
local list, lane = tag .. 'p:' .. key, call('HGET', tag .. 'ln', key)
if not lane then return false end
local length, phase, due = call('LLEN', list), 'i', false
if length > 0 then
  phase, due = 'p', call('ZSCORE', tag .. 'ld', key)
  if not due then phase, due = 'b', call('ZSCORE', tag .. 'lb', key) end
  if not due then
    phase = 'r'
    local leases = call('ZRANGE', tag .. 'll', 0, -1, 'WITHSCORES')
    for i = 1, #leases, 2 do
      if sub(leases[i], 9) == key then phase, due = 'l', leases[i + 1] end
    end
  end
end
return { lane, length, phase, due, call('HGET', tag .. 'why', key), call('HGET', tag .. 'sv', key),
  call('GET', tag .. 'w:' .. key), table.concat(call('LRANGE', list, 0, 99)) }
