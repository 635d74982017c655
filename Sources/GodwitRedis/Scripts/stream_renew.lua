#!lua flags=allow-oom
-- stream_renew: leased → leased, later deadline
-- Guarantee: a token that is not in the lease set is reported lost and nothing changes (I3).
-- KEYS[1] tag   KEYS[2] markers
-- ARGV[1] lease_ms   ARGV[2…] tokens (≤ 128)
-- Returns: indexes (0-based) of the lost leases.        Cost: O(n log leased).
local ll, score = tag .. 'll', string.format('%.0f', now + tonumber(ARGV[1]))
local leases, lost = {}, {}
for i = 2, #ARGV do
  leases[#leases + 1] = score
  leases[#leases + 1] = ARGV[i]
end
-- Why first: CH counts what changed, and a lease that is not prolonged is not lost.
local scores = call('ZMSCORE', ll, unpack(ARGV, 2))
for i = 1, #scores do
  if not scores[i] then lost[#lost + 1] = i - 1 end
end
-- GT: a late beat, or a shorter lease asked for, never brings a deadline forward.
call('ZADD', ll, 'XX', 'GT', unpack(leases))
return lost
