#!lua flags=allow-oom
-- renew: leased → leased, later deadline
-- Guarantee: a token that is not in the lease set is reported lost and nothing changes (I3).
-- KEYS[1] tag   KEYS[2] markers
-- ARGV[1] lease_ms   ARGV[2] tokens, 56 bytes each, in the order reserved (≤ 128)
-- Returns: indexes (0-based) of the lost leases.        Cost: O(n log leased).
-- uses: split
local tokens, le = split(ARGV[2], 56), tag .. 'le'
local leases, score = {}, string.format('%.0f', now + tonumber(ARGV[1]))
for i = 1, #tokens do
  leases[2 * i - 1], leases[2 * i] = score, tokens[i]
end
local lost = {}
-- Why GT: a late beat, or a shorter lease asked for, never brings a deadline forward.
if call('ZADD', le, 'XX', 'GT', 'CH', unpack(leases)) < #tokens then
  local scores = call('ZMSCORE', le, unpack(tokens))
  for i = 1, #tokens do
    if not scores[i] then lost[#lost + 1] = i - 1 end
  end
end
return lost
