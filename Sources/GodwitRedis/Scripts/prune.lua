#!lua flags=allow-oom
-- prune: finished records, old dead letters and old events → gone
-- Guarantee: bounded work; never past the archiver's mark but for the hard cap, which is counted.
-- KEYS[1] tag   KEYS[2] markers
-- ARGV[1] n (≤ 64)   ARGV[2] dead_keep_ms   ARGV[3] most dead letters
-- Returns: {dead letters dropped, event entries dropped}; call again while either is n or more.
-- Cost: O(n log dead).
-- uses: horizon trim
local n, x, ev = tonumber(ARGV[1]), tag .. 'x', tag .. 'ev'
local st, cfg = tag .. 'st', tag .. 'cfg'
trim(tonumber(call('HGET', st, 'ended') or 0), n)

local oldest = string.format('%.0f', now - tonumber(ARGV[2]))
local entries = call('ZRANGE', x, '-inf', oldest, 'BYSCORE', 'LIMIT', '0', n)
local extra = call('ZCARD', x) - tonumber(ARGV[3])
if #entries == 0 and extra > 0 then entries = call('ZRANGE', x, 0, math.min(n, extra) - 1) end
if #entries > 0 then
  local ids = {}
  for i = 1, #entries do ids[i] = sub(entries[i], 1, 16) end
  call('ZREM', x, unpack(entries))
  for _, hash in ipairs({ 'p', 'm', 'pr', 'ah', 'ui' }) do
    call('HDEL', tag .. hash, unpack(ids))
  end
  horizon(ids)
  call('HINCRBY', st, 'pruned', #entries)
end

-- Events: those archived, or old ones where nobody archives. Whole nodes of the stream go (at most
-- 100 entries each), so up to one node of old ones stays; of those archived none does.
local marks = call('HMGET', cfg, 'archived', 'evbytes', 'evgone')
local length, added = call('XLEN', ev), false
if length == 0 then return { #entries, 0 } end
local stream = redis.pcall('XINFO', 'STREAM', ev) -- nothing in it: not allowed here
for i = 1, #stream, 2 do
  if stream[i] == 'entries-added' then added = stream[i + 1] end
end
-- What is gone and was not dropped by prune went at the cap, when it was full.
local lost = added and added - length - tonumber(marks[3] or 0) or 0
local mark = marks[1] or string.format('%.0f', now - tonumber(keep_ms or 600000))
local dropped = call('XTRIM', ev, 'MINID', '~', mark, 'LIMIT', 1000)
if marks[1] and dropped <= 900 then -- else the limit may have stopped it
  dropped = dropped + call('XTRIM', ev, 'MINID', '=', mark) + call('XDEL', ev, mark)
end
length = length - dropped
local bytes, most = redis.pcall('MEMORY', 'USAGE', ev), tonumber(marks[2] or 67108864)
if type(bytes) == 'number' and length > 0 then -- a table: the command is not allowed here
  local keep = floor(length * most / bytes)
  if keep < length then
    local cut = call('XTRIM', ev, 'MAXLEN', '~', keep, 'LIMIT', 1000)
    lost, dropped, length = lost + cut, dropped + cut, length - cut
  end
  -- Why not of a few: the first node of a stream is reserved as a whole.
  if length >= 100 then call('HSET', cfg, 'evmax', string.format('%.0f', math.max(keep, 100))) end
end
if lost > 0 then call('HINCRBY', st, 'evdropped', lost) end
if added then call('HSET', cfg, 'evgone', string.format('%.0f', added - length)) end
return { #entries, dropped }
