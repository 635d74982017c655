-- stream_emit: a part of the words that send messages along with what they do to a lane; it puts
-- them where ENQUEUE and a reject would, so that they are messages like all others.
-- ARGV, at the end: eight per emission, then the number of emissions:
--      index of the lane (1-based), tag of the target, its list, id, value, unique key or '', due,
--      reason; due 'x': born dead, for this reason.
-- calls: enqueue
local emissions = {}
do
  local count = tonumber(ARGV[#ARGV])
  for at = #ARGV - 8 * count, #ARGV - 1, 8 do
    local lane = tonumber(ARGV[at])
    local own = emissions[lane] or {}
    emissions[lane] = own
    own[#own + 1] = at
  end
end

-- Whether every target of the lane's emissions holds less than its maximum by what would come.
local function has_room(lane)
  local coming = {}
  for _, at in ipairs(emissions[lane] or {}) do
    coming[ARGV[at + 1]] = (coming[ARGV[at + 1]] or 0) + 1
  end
  for target, count in pairs(coming) do
    local most = tonumber(call('HGET', target .. 'cfg', 'max') or 1000000)
    if call('HLEN', target .. 'p') + count > most then return false end
  end
  return true
end

-- Nothing → dead, as if it had been rejected before its first run. A known id adds nothing (I12).
local function bury(target, id, value, reason)
  if call('HEXISTS', target .. 'm', id) == 1 or call('HEXISTS', target .. 'p', id) == 1 then return end
  local entry = id .. sub(value, 1, 6) .. when .. when .. '\0\0\0\0\0\0\0\0'
  call('HSET', target .. 'p', id, value)
  call('HSET', target .. 'm', id, entry .. string.rep('\0', 14) .. 'd' .. when .. sub(reason, 1, 2048))
  call('ZADD', target .. 'x', now, entry)
  call('HINCRBY', target .. 'st', 'enq', 1)
  call('HINCRBY', target .. 'st', 'dead', 1)
  if call('HGET', target .. 'cfg', 'events') ~= '0' then
    local text = sub(reason, 1, 200)
    call('XADD', target .. 'ev', event_id, 't', when, 'd',
      entry .. when .. '\0\0\0\0\0\0\0\0' .. pack('>I2', #text) .. text)
  end
end

local function deliver(lane)
  for _, at in ipairs(emissions[lane] or {}) do
    local target, list, id, value, unique, due, reason = unpack(ARGV, at + 1, at + 7)
    if due == 'x' then
      bury(target, id, value, reason)
    else
      enqueue_word({ target, target .. 'mk:', list }, { '2', id, value, unique, due, '' })
    end
  end
end
