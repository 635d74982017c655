#!lua flags=allow-oom
-- settle: leased → scheduled (s retry), ready (r release), dead (d reject), forwarded (f)
-- Guarantee: only a token in the lease set settles, in a batch only the stale one fails (I3); a
--            repeated settle is no stale one. f comes after the target has the message.
-- KEYS[1] tag   KEYS[2] markers
-- ARGV[1] extra   ARGV[2] tokens, 56 bytes each, in the order reserved (≤ 64)
-- ARGV[3] verdicts, one letter each   ARGV[4…] two per message: delay_ms, reason (f: the target)
-- Returns: indexes (0-based) of the stale tokens.       Cost: O(n log N).
-- uses: split bump kind wake put free slots finish note emit same history
local tokens, le, m = split(ARGV[2], 56), tag .. 'le', tag .. 'm'
local scores = call('ZMSCORE', le, unpack(tokens))
local counter = { s = 'retry', r = 'released', d = 'dead', f = 'forwarded' }
local items = { s = {}, r = {}, d = {}, f = {} }
local stale, held, records, kinds = {}, {}, {}, slots({})
local scheduled, ready, dead, dead_ids, forwarded = {}, {}, {}, {}, {}
local failed, letters, reasons = {}, {}, {}

for i = 1, #tokens do
  local token, letter = tokens[i], sub(ARGV[3], i, i)
  local delay_ms, reason = ARGV[2 * i + 2], sub(ARGV[2 * i + 3], 1, 2048)
  local id = sub(token, 1, 16)
  if not scores[i] or not items[letter] then
    if not same(token, letter) then stale[#stale + 1] = i - 1 end
  else
    local attempt, lost, generation = byte(token, 35, 37)
    local entry = sub(token, 1, 42)
    held[#held + 1] = token
    if letter == 's' then
      local due = now + math.max(0, tonumber(delay_ms))
      entry = bump(token, due, attempt + 1, lost, generation, 1)
      scheduled[#scheduled + 1] = string.format('%.0f', due)
      scheduled[#scheduled + 1] = entry
      kinds[kind(token)] = true -- a sleeper computes its timeout again
    elseif letter == 'r' then
      entry = bump(token, now, attempt, lost, generation, 1)
      ready[#ready + 1] = entry
    elseif letter == 'd' then
      entry = bump(token, now, attempt + 1, lost, generation, 1)
      dead[#dead + 1] = now
      dead[#dead + 1] = entry
      dead_ids[#dead_ids + 1] = id
    else
      forwarded[#forwarded + 1] = id
    end
    if letter == 's' or letter == 'd' then
      local j = #failed + 1
      failed[j], letters[j], reasons[j] = token, letter, reason
    end
    records[#records + 1] = id
    records[#records + 1] = entry .. sub(token, 43, 56) .. letter .. when .. reason
    local list = items[letter]
    list[#list + 1] = note(token, reason)
  end
end
if #held == 0 then return stale end

call('ZREM', le, unpack(held))
call('HSET', m, unpack(records))
history(failed, letters, reasons)
if #scheduled > 0 then call('ZADD', tag .. 'd', unpack(scheduled)) end
if #dead > 0 then
  call('ZADD', tag .. 'x', unpack(dead))
  free(dead_ids, true)
end
if #forwarded > 0 then finish(forwarded, 'f') end
put('LPUSH', ready, kinds)
wake(kinds)

local event = {}
for letter, list in pairs(items) do
  if #list > 0 then
    call('HINCRBY', tag .. 'st', counter[letter], #list)
    event[#event + 1] = letter
    event[#event + 1] = table.concat(list)
  end
end
event[#event + 1] = 'e'
event[#event + 1] = ARGV[1]
emit(unpack(event))
return stale
