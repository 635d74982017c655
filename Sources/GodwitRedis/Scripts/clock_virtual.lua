-- clock, for tests: the time in ms is the last ARGV, which is taken off before the word reads ARGV
local now = tonumber(table.remove(ARGV))
local event_id = now .. '-*' -- so that prune compares like with like; this clock never goes back
