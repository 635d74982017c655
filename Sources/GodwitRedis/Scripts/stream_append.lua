-- stream_append: nothing → waiting; an idle lane → ready, any other stays where it is
-- Guarantee: an id that the key holds is never a second point (I12); nothing that waits is dropped.
-- Kept in one profile, packed: what waits in a list per key, p:<key>, and the window in one string,
-- w:<key>; a STREAM per key would cost 4.7 KB.
-- KEYS[1] tag   KEYS[2] markers
-- ARGV[1] most waiting points of a key   ARGV[2] 1: a late point is appended, marked; + 2: the newest
--          id is a duplicate only where it is held
-- ARGV[3…] per lane (≤ 128, ≤ 1024 points in all): key, head, then its points as records.
--          head: number of points 2 | 1 where their ids rise | ms of their newest 6
-- Returns: flat (index, code) of what was not plainly appended; 1 appended late · 2 late, refused ·
--          3 duplicate · 4 full · 5 ahead.
-- Cost: O(points). An id that is not newer than the newest: + its key's window, once, and up to
--       log2(waiting) looks at what waits, whatever its number.
-- uses: newest
local most, takes_late, again = tonumber(ARGV[1]), ARGV[2] % 2 == 1, tonumber(ARGV[2]) > 1
local keys, counts, rising, peaks, firsts, n, at = {}, {}, {}, {}, {}, 0, 3
while at < #ARGV do
  n = n + 1
  keys[n], firsts[n] = ARGV[at], at + 2
  counts[n], rising[n], peaks[n] = read('>I2BI6', ARGV[at + 1])
  at = at + 2 + counts[n]
end
local lanes = call('HMGET', tag .. 'ln', unpack(keys))
local horizon = now + 86400000
local answers, fresh, ready, appended, late_ones, base = {}, {}, {}, 0, 0, 0

local function answer(place, code)
  answers[#answers + 1] = place
  answers[#answers + 1] = code
end

-- Asks whether a point that came in time waits in the list under an id. The newest ids rise along the
-- list, so it is found by halving; what lies behind it answers the next question, mostly.
local function finder(list, length)
  local ids, from, from_seq, to, to_seq = {}, 1, 0, 0, 0 -- the ids that came in time from … to
  return function(id, ms, seq)
    if ms < from or (ms == from and seq < from_seq) or ms > to or (ms == to and seq > to_seq) then
      local low, high = 0, length
      while low < high do
        local middle = floor((low + high) / 2)
        local m, s = newest(call('LINDEX', list, middle))
        if m < ms or (m == ms and s < seq) then low = middle + 1 else high = middle end
      end
      if low >= length then return false end
      local part = call('LRANGE', list, low, math.min(low + 31, length - 1))
      ids, from, from_seq = {}, ms, seq
      to, to_seq = newest(part[#part])
      for j = 1, #part do
        if byte(part[j], 4) % 2 == 0 then ids[sub(part[j], 5, 12)] = true end
      end
    end
    return ids[id]
  end
end

-- Appends one by one: some are late, known, too many or ahead. Returns how many waited, how many came.
local function one_by_one(i, list, ms, seq)
  local key, first, length, records = keys[i], firsts[i], call('LLEN', list), {}
  local late_name, late_added, ids = tag .. 'l:' .. key, {}, {}
  local in_time, has_late = finder(list, length), call('EXISTS', late_name) == 1
  local function waits(id, ms, seq)
    return ids[id] or in_time(id, ms, seq)
      or (has_late and call('SISMEMBER', late_name, id) == 1)
  end
  local window, window_ids = nil, nil
  local function in_window(id)
    window = window or call('GET', tag .. 'w:' .. key) or ''
    if not string.find(window, id, 1, true) then return false end
    if not window_ids then -- these bytes are there; as an id?
      window_ids = {}
      local place = 1
      while place < #window do
        window_ids[sub(window, place + 4, place + 11)] = true
        place = place + math.max(12, floor(read('>I4', window, place) / 2))
      end
    end
    return window_ids[id]
  end
  for j = 0, counts[i] - 1 do
    local record, code = ARGV[first + j], nil
    local id, m, s = sub(record, 5, 12), read('>I6I2', record, 5)
    local is_late = m < ms or (m == ms and s <= seq)
    if m > horizon then
      code = 5
    elseif m == ms and s == seq and (m > 0 or s > 0) and not again then
      code = 3 -- the newest of all, be it held or not
    elseif is_late and (waits(id, m, s) or in_window(id)) then
      code = 3
    elseif is_late and not takes_late then
      code = 2
    elseif length + #records >= most then
      code = 4
    elseif is_late then
      code, late_ones = 1, late_ones + 1
      record = pack('>I4', read('>I4', record) + 17) .. id .. pack('>I6I2', ms, seq)
        .. sub(record, 13)
      late_added[#late_added + 1] = id
    else
      ms, seq = m, s
    end
    if code then answer(base + j, code) end
    if not code or code == 1 then
      ids[id] = true
      records[#records + 1] = record
    end
  end
  if #records > 0 then call('RPUSH', list, unpack(records)) end
  if #late_added > 0 then call('SADD', late_name, unpack(late_added)) end
  return length, #records
end

for i = 1, n do
  local list, first, count = tag .. 'p:' .. keys[i], firsts[i], counts[i]
  local ms, seq, waited = 0, 0, 0
  if lanes[i] then ms, seq = read('>I6I2', lanes[i], 7) end
  local tail = call('LINDEX', list, -1)
  if tail then
    local m, s = newest(tail)
    if m > ms or (m == ms and s > seq) then ms, seq = m, s end
  end
  local m, s = read('>I6I2', ARGV[first], 5)
  if rising[i] == 1 and peaks[i] <= horizon and (m > ms or (m == ms and s > seq)) then
    waited = call('RPUSH', list, unpack(ARGV, first, first + count - 1)) - count
    local over = math.min(count, waited + count - most)
    if over > 0 then -- only what came just now, and nobody has been told of
      call('RPOP', list, over)
      for j = count - over, count - 1 do answer(base + j, 4) end
      count = count - over
    end
  else
    waited, count = one_by_one(i, list, ms, seq)
  end
  if count > 0 then
    appended = appended + count
    if waited == 0 then ready[#ready + 1] = keys[i] end
    if not lanes[i] then
      fresh[#fresh + 1] = keys[i]
      fresh[#fresh + 1] = true
    end
  end
  base = base + counts[i]
end
if #fresh > 0 then
  local births = call('HINCRBY', tag .. 'st', 'births', #fresh / 2)
  for i = 2, #fresh, 2 do
    fresh[i] = sub(new_lane, 1, 22) .. pack('>I4', (births - i / 2 + 1) % 4294967296)
  end
  call('HSET', tag .. 'ln', unpack(fresh))
end
if #ready > 0 then
  call('RPUSH', tag .. 'rd', unpack(ready))
  call('ZADD', markers .. 'lanes', '0', '0')
end
if appended > 0 then call('HINCRBY', tag .. 'st', 'app', appended) end
if late_ones > 0 then call('HINCRBY', tag .. 'st', 'late', late_ones) end
return answers
