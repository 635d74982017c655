-- clock: the store's time in ms, read once per script (I4, I8); clients send durations only
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local event_id = '*'
