-- clock, for tests: the time in ms is the last ARGV, which is taken off before the word reads ARGV
local now = tonumber(table.remove(ARGV))
