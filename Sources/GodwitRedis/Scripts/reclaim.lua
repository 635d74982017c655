#!lua flags=allow-oom
-- reclaim: expired lease → ready again at the head, or dead as crash-loop
-- Guarantee: raises lost, never attempt; only a lease lost while alone (lost was ≥ 2) kills (I6).
-- KEYS[1] tag   KEYS[2] markers
-- ARGV[1] count (≤ 64)   ARGV[2] crash budget (3)
-- Returns: {ready again, dead}.       Cost: O(count log leased).
-- uses: bump kind wake put free slots note emit history
local tokens = call('ZRANGE', tag .. 'le', '-inf', now, 'BYSCORE', 'LIMIT', '0', ARGV[1])
if #tokens == 0 then return { 0, 0 } end

-- In the order in which they were handed out: by time, then by place in the batch.
local handed = {}
for i = 1, #tokens do handed[tokens[i]] = read('>I6', tokens[i], 43) * 256 + byte(tokens[i], 56) end
table.sort(tokens, function(a, b) return handed[a] < handed[b] end)

local budget, kinds = tonumber(ARGV[2]), slots({})
local ready, dead, dead_ids, records, items, letters, reasons = {}, {}, {}, {}, {}, {}, {}
for i = 1, #tokens do
  local token = tokens[i]
  local id = sub(token, 1, 16)
  local attempt, lost, generation = byte(token, 35, 37)
  local entry = bump(token, now, attempt, lost + 1, generation, 1)
  if lost > 1 and lost + 1 >= budget then -- it was a suspect, so it ran alone
    letters[i], reasons[i] = 'd', 'crash-loop'
    dead[#dead + 1] = now
    dead[#dead + 1] = entry
    dead_ids[#dead_ids + 1] = id
  else
    letters[i], reasons[i] = 'l', 'lease ran out'
    ready[#ready + 1] = entry
  end
  records[2 * i - 1] = id
  records[2 * i] = entry .. sub(token, 43, 56) .. letters[i] .. when .. reasons[i]
  items[i] = note(token, letters[i] == 'd' and 'd' or 'r')
end
call('ZREM', tag .. 'le', unpack(tokens))
call('HSET', tag .. 'm', unpack(records))
history(tokens, letters, reasons)
if #dead > 0 then
  call('ZADD', tag .. 'x', unpack(dead))
  free(dead_ids, true)
  call('HINCRBY', tag .. 'st', 'dead', #dead_ids)
end
put('LPUSH', ready, kinds)
wake(kinds)
call('HINCRBY', tag .. 'st', 'lost', #tokens)
emit('l', table.concat(items))
return { #ready, #dead_ids }
