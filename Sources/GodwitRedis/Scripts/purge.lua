#!lua flags=allow-oom
-- purge: what waits in one list → cancelled; the caller loops until 0
-- Guarantee: counted and recorded like any ending; unique keys are freed (I9).
-- KEYS[1] tag   KEYS[2] markers   KEYS[3] the list
-- ARGV[1] count (≤ 64)
-- Returns: how many entries were taken off the list.       Cost: O(count).
-- uses: finish note emit
local entries = call('LPOP', KEYS[3], ARGV[1])
if not entries then return 0 end
local all, ids, records, items, ghosts = {}, {}, {}, {}, {}
for i = 1, #entries do all[i] = sub(entries[i], 1, 16) end
local bodies = call('HMGET', tag .. 'p', unpack(all))
for i = 1, #entries do
  if bodies[i] == '' then
    ghosts[#ghosts + 1] = all[i]
  else
    ids[#ids + 1] = all[i]
    records[#records + 1] = all[i]
    records[#records + 1] = entries[i] .. never_ran .. 'k' .. when
    items[#items + 1] = note(entries[i] .. never_ran, 'purged')
  end
end
if #ghosts > 0 then
  call('HDEL', tag .. 'p', unpack(ghosts))
  call('HINCRBY', tag .. 'st', 'ghosts', -#ghosts)
end
if sub(KEYS[3], -1) == '!' then call('HINCRBY', tag .. 'cfg', 'sus', -#entries) end
if #ids > 0 then
  call('HSET', tag .. 'm', unpack(records))
  finish(ids, 'k')
  call('HINCRBY', tag .. 'st', 'purged', #ids)
  emit('k', table.concat(items))
end
return #entries
