#!lua flags=allow-oom
-- stream_operate: an operator's moves on one key: redrive, skip, replay, forget
-- Guarantee: a leased lane is left alone; a skipped point is a dead letter in the same step (I1).
-- KEYS[1] tag   KEYS[2] markers
-- ARGV[1] redrive · skip · replay · forget   ARGV[2] key   ARGV[3] skip: position, replay: points
-- then emissions, see stream_emit (for skip one of lane 1).
-- Returns: 1 done · 0 the key is not in the state for it · 2 the target of the dead letter is full.
-- Cost: O(1) redrive, skip, forget; O(window + ready lanes) replay.
-- uses: join drop unwait
local has_room, deliver -- emits: stream_emit
local word, key, number = ARGV[1], ARGV[2], tonumber(ARGV[3])
local ln, list = tag .. 'ln', tag .. 'p:' .. key
local lane = call('HGET', ln, key)
if not lane then return 0 end
local position, ms, seq, attempt, lost, at, birth = read('>I6I6I2BBI6I4', lane)

local function write(state)
  call('HSET', ln, key, pack('>I6I6I2BBI6I4', position, ms, seq, 0, 0, at, birth) .. state)
end
local function ready()
  join('RPUSH', { key, [key] = 0 })
  call('ZADD', markers .. 'lanes', '0', '0')
end

if word == 'redrive' then
  if call('ZREM', tag .. 'lb', key) + call('ZREM', tag .. 'ld', key) == 0 then return 0 end
  write(sub(lane, 27))
  ready()
elseif word == 'skip' then
  if position ~= number or not call('ZSCORE', tag .. 'lb', key) then return 0 end
  if has_room and not has_room(1) then return 2 end
  call('ZREM', tag .. 'lb', key)
  local record = call('LPOP', list)
  if record then
    unwait(key, { record })
    local m, s = read('>I6I2', record, 5)
    if m > ms or (m == ms and s > seq) then ms, seq = m, s end
    position, at = position + 1, now
    call('HINCRBY', tag .. 'st', 'dead', 1)
    if deliver then deliver(1) end
  end
  call('HDEL', tag .. 'why', key)
  write(sub(lane, 27))
  if call('EXISTS', list) == 1 then ready() end
elseif word == 'replay' then
  local window, records, place = call('GET', tag .. 'w:' .. key) or '', {}, 1
  while place < #window do
    local size = math.max(12, floor(read('>I4', window, place) / 2))
    records[#records + 1] = sub(window, place, place + size - 1)
    place = place + size
  end
  local again = math.min(number, #records)
  if again <= 0 then return 0 end
  if call('EXISTS', list) == 1 then
    -- Ready, it keeps its place; neither ready nor at the side, it is leased.
    local side = call('ZREM', tag .. 'lb', key) + call('ZREM', tag .. 'ld', key)
      + call('LREM', tag .. 'rd!', 1, key)
    if side > 0 then
      ready()
    elseif not call('LPOS', tag .. 'rd', key) then
      return 0
    end
  else
    ready()
  end
  for i = #records, #records - again + 1, -1 do
    call('LPUSH', list, records[i])
    if byte(records[i], 4) % 2 == 1 then call('SADD', tag .. 'l:' .. key, sub(records[i], 5, 12)) end
  end
  position = position - again
  birth = call('HINCRBY', tag .. 'st', 'births', 1) % 4294967296
  write('')
  call('DEL', tag .. 'w:' .. key)
  call('HDEL', tag .. 'sv', key)
  call('HDEL', tag .. 'why', key)
  call('HINCRBY', tag .. 'st', 'again', again)
else
  if call('EXISTS', list) == 1 then return 0 end
  drop({ key }, { lane })
end
return 1
