-- redrive: dead → ready, attempt and lost back to 0, generation + 1
-- Guarantee: refused while another live message holds its unique key (I9).
-- KEYS[1] tag   KEYS[2] markers
-- ARGV[1] entries of the dead letters, 42 bytes each (≤ 64)
-- Returns: flat (index, holder) of those refused: the id that holds the unique key, or false: not
--          dead.       Cost: O(n log dead).
-- uses: split bump kind wake put note emit
local entries, x = split(ARGV[1], 42), tag .. 'x'
local scores = call('ZMSCORE', x, unpack(entries))
local refused, taken, ready, records, items, kinds = {}, {}, {}, {}, {}, {}
for i = 1, #entries do
  local entry, holder = entries[i], nil
  local id = sub(entry, 1, 16)
  if scores[i] and byte(entry, 17) > 127 then
    local unique = call('HGET', tag .. 'ui', id)
    if unique and call('HSETNX', tag .. 'u', unique, id) == 0 then
      holder = call('HGET', tag .. 'u', unique)
    end
  end
  if not scores[i] or holder then
    refused[#refused + 1] = i - 1
    refused[#refused + 1] = holder or false
  else
    local again = bump(entry, now, 0, 0, byte(entry, 37) + 1, 0)
    taken[#taken + 1] = entry
    ready[#ready + 1] = again
    records[#records + 1] = id
    records[#records + 1] = again
    items[#items + 1] = note(entry .. never_ran, 'redrive')
  end
end
if #taken == 0 then return refused end
call('ZREM', x, unpack(taken))
call('HSET', tag .. 'm', unpack(records))
put('RPUSH', ready, kinds)
wake(kinds)
call('HINCRBY', tag .. 'st', 'redriven', #taken)
emit('r', table.concat(items))
return refused
