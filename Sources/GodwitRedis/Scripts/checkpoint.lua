#!lua flags=allow-oom
-- checkpoint: leased → leased; progress bytes that the next run gets back
-- Guarantee: only a token in the lease set writes (I3); freed when the message ends (I10).
-- KEYS[1] tag   KEYS[2] markers
-- ARGV[1] tokens, 56 bytes each (≤ 128)   ARGV[2…] bytes per message (≤ 4096)
-- Returns: indexes (0-based) of the stale tokens; error TOOBIG, nothing written.   Cost: O(n).
-- uses: split
local tokens = split(ARGV[1], 56)
for i = 1, #tokens do
  if #ARGV[i + 1] > 4096 then return redis.error_reply('TOOBIG checkpoint over 4096 bytes') end
end
local scores = call('ZMSCORE', tag .. 'le', unpack(tokens))
local writes, stale = {}, {}
for i = 1, #tokens do
  if scores[i] then
    writes[#writes + 1] = sub(tokens[i], 1, 16)
    writes[#writes + 1] = ARGV[i + 1]
  else
    stale[#stale + 1] = i - 1
  end
end
if #writes > 0 then call('HSET', tag .. 'pr', unpack(writes)) end
return stale
