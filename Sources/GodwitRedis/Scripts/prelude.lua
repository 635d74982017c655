-- prelude: what the words share. A text is put together of the clock, the head below (up to the
-- first piece), the pieces that the word's line '-- uses:' names, with what those use in turn, in
-- the order of this file, and the word. Why: at one message per call unused closures cost most.
--
--   entry  42 B = id 16 | band 1 | kind 4 | max 1 | insertedAt 6 | readyAt 6 | attempt 1 | lost 1
--                 | generation 1 | epoch 3 | count 2
--   token  56 B = entry | executedAt 6 | nonce 7 | place in the batch 1
--   record      = entry (waits) · token (leased) · token with a new entry, letter 1, when 6, reason
--   body        = band 1 | kind 4 | max 1 | the producer's bytes; '' is a tombstone
--   ended       = first 6 | when 6 | letter 1 | ids: an element of `c`; first = endings before it
--   point     = size × 2, and 1 where late 4 | id 8 (ms 6, sequence 2) | for a late one the newest id
--               before it 8 | bytes; size counts all of these
--   lane      = position 6 | newest id 8 | attempt 1 | lost 1 | handledAt 6 | a state of up to 42 bytes;
--               of a key of a stream. A longer state stands in the hash `sv`: a field of its own costs
--               100 bytes, and every commit writes the lane anyway.
--
-- KEYS[1] the tag with its colon, KEYS[2] the prefix of the markers; neither ever exists as a key,
-- so in a slot that migrates each call is answered TRYAGAIN before anything is written.
-- Binary strings are compared as numbers or for equality: Lua's < follows the server's locale.
local call, sub, byte = redis.call, string.sub, string.byte
local pack, read, floor = struct.pack, struct.unpack, math.floor
local tag, markers = KEYS[1], KEYS[2]
local when = pack('>I6', now)

-- piece: split
-- The parts of a packed string, `width` bytes each.
local function split(packed, width)
  local parts, n = {}, 0
  for i = 1, #packed, width do
    n = n + 1
    parts[n] = sub(packed, i, i + width - 1)
  end
  return parts
end

-- piece: kind
-- The kind of an entry as it stands in the names of lists and markers.
local function kind(entry)
  return string.format('%02x%02x%02x%02x', byte(entry, 18, 21))
end

-- piece: bump
-- The entry for its next run: a new epoch; `ran` is 1 after a run and 0 for a redrive.
local function bump(entry, ready_at, attempt, lost, generation, ran)
  local epoch, count = read('>I3I2', entry, 38)
  return sub(entry, 1, 28)
    .. pack('>I6BBBI3I2', ready_at, math.min(attempt, 255), math.min(lost, 255),
      generation % 256, (epoch + 1) % 16777216, math.min(count + ran, 65535))
end

-- piece: wake
-- Arms the marker of each kind in the set: one sleeper per kind wakes up.
local function wake(kinds)
  for name in pairs(kinds) do call('ZADD', markers .. name, 0, '0') end
end

-- piece: put, uses: kind
-- Puts entries into their lists: RPUSH at the tail, LPUSH at the head, in their order either way.
-- A suspect (lost ≥ 2) goes to the list with '!' (I6). Adds to `kinds`; the caller wakes them.
-- Returns how many suspects there were.
local function put(command, entries, kinds)
  local lists, alone, first, last, step = {}, 0, 1, #entries, 1
  if command == 'LPUSH' then first, last, step = last, 1, -1 end
  for i = first, last, step do
    local entry = entries[i]
    local name = kind(entry)
    kinds[name] = true
    name = byte(entry, 17) % 8 .. ':' .. name
    if byte(entry, 36) > 1 then
      name, alone = name .. '!', alone + 1
    end
    local list = lists[name]
    if list then list[#list + 1] = entry else lists[name] = { entry } end
  end
  for name, list in pairs(lists) do call(command, tag .. 'w:' .. name, unpack(list)) end
  if alone > 0 then call('HINCRBY', tag .. 'cfg', 'sus', alone) end
  return alone
end

-- piece: free
-- Frees the unique keys of these messages (I9). A dead letter keeps its name in `ui` for a redrive.
local function free(ids, keep_name)
  if #ids == 0 then return end
  local names = call('HMGET', tag .. 'ui', unpack(ids))
  for i = 1, #ids do
    if names[i] and call('HGET', tag .. 'u', names[i]) == ids[i] then
      call('HDEL', tag .. 'u', names[i])
    end
  end
  if not keep_name then call('HDEL', tag .. 'ui', unpack(ids)) end
end

-- piece: horizon
-- Remembers the newest creation time among pruned UUIDv7: a resend up to it is refused (I12).
local function horizon(ids)
  local old = tonumber(call('HGET', tag .. 'cfg', 'hz') or 0)
  local newest = old
  for i = 1, #ids do
    local created, version = read('>I6B', ids[i])
    if created > newest and version >= 112 and version < 128 then newest = created end
  end
  if newest > old then call('HSET', tag .. 'cfg', 'hz', string.format('%.0f', newest)) end
end

-- piece: settings
-- The options of the queue in one read; false where not set. `track` stays once it was set: its
-- presence says that a lease may have no record.
local paused, max_running, suspects, track, events, keep_ms, keep_records, most_events = unpack(
  call('HMGET', tag .. 'cfg', 'paused', 'maxc', 'sus', 'track', 'events', 'keep', 'records',
    'evmax'))

-- piece: slots, uses: settings
-- Before leases end: at the limit of concurrency any kind may have waited, so all are woken.
local function slots(kinds)
  if max_running and call('ZCARD', tag .. 'le') >= tonumber(max_running) then
    for _, name in ipairs(call('HKEYS', tag .. 'k')) do kinds[name] = true end
  end
  return kinds
end

-- piece: trim, uses: settings horizon
-- Drops records beyond `records` or older than `keep`, at most `budget` of them (I10).
-- `ended` counts the endings so far. A forwarded message that came back keeps its record.
local function trim(ended, budget)
  local c, most = tag .. 'c', tonumber(keep_records or 100000)
  local oldest = now - tonumber(keep_ms or 600000)
  local head = call('LINDEX', c, 0)
  if not head then return end
  local first, at = read('>I6I6', head)
  if ended - first <= most and at > oldest then return end
  local size = (#head - 13) / 16
  local reach = at <= oldest and budget or math.min(budget, ended - first - most)
  local taken, doomed = call('LPOP', c, math.ceil(reach / size)), {}
  local back = {}
  for i = 1, #taken do
    local element = taken[i]
    first, at = read('>I6I6', element)
    size = (#element - 13) / 16
    local drop = at <= oldest and size or math.max(0, math.min(size, ended - first - most))
    if drop > budget then drop = budget end
    budget = drop < size and 0 or budget - drop
    local forwarded = byte(element, 13) == 102 and sub(element, 13, 13) .. sub(element, 7, 12)
    for place = 14, drop * 16 - 2, 16 do
      local id = sub(element, place, place + 15)
      local record = forwarded and call('HGET', tag .. 'm', id)
      if not forwarded or (record and sub(record, 57, 63) == forwarded) then
        doomed[#doomed + 1] = id
      end
    end
    if drop < size then
      back[#back + 1] = pack('>I6', first + drop) .. sub(element, 7, 13)
        .. sub(element, 14 + drop * 16)
    end
  end
  for i = #back, 1, -1 do call('LPUSH', c, back[i]) end
  if #doomed > 0 then
    call('HDEL', tag .. 'm', unpack(doomed))
    horizon(doomed)
  end
end

-- piece: finish, uses: free trim
-- These messages have ended with letter a, k or f; their records stay for a while (`c`, trim).
-- A ghost keeps its tombstone in `p` until its entry leaves the list.
local function finish(ids, letter, ghost)
  local n = #ids
  local ended = call('HINCRBY', tag .. 'st', 'ended', n)
  ids[0] = pack('>I6', ended - n) .. when .. letter
  call('RPUSH', tag .. 'c', table.concat(ids, '', 0))
  if not ghost then call('HDEL', tag .. 'p', unpack(ids)) end
  if call('EXISTS', tag .. 'pr', tag .. 'ah', tag .. 'ui') > 0 then
    call('HDEL', tag .. 'pr', unpack(ids))
    call('HDEL', tag .. 'ah', unpack(ids))
    free(ids)
  end
  trim(ended, 2 * n)
end

-- piece: note
-- One item of every event letter but a: what ran (56 bytes), and a text of at most 200 bytes.
local never_ran = string.rep('\0', 14)
local function note(token, text)
  text = sub(text, 1, 200)
  return token .. pack('>I2', #text) .. text
end

-- piece: emit, uses: settings
-- One stream entry per call: the time as field t, then letter and items for each letter. The stream
-- keeps to its bound here (I10); prune makes the number out of the cap on bytes, and counts the loss.
local function emit(...)
  if events ~= '0' then
    call('XADD', tag .. 'ev', 'MAXLEN', '~', most_events or '262144', event_id, 't', when, ...)
  end
end

-- piece: same
-- Whether this very settle was done before: its answer was lost, and it is not stale.
local function same(token, letter)
  local record = call('HGET', tag .. 'm', sub(token, 1, 16))
  return record and sub(record, 43, 57) == sub(token, 43, 56) .. letter
end

-- piece: history
-- Appends (when 6, worker 4, count 2, letter 1, length 1, reason) to each message's last ten runs.
local function history(tokens, letters, reasons)
  if #tokens == 0 then return end
  local ids, writes = {}, {}
  for i = 1, #tokens do ids[i] = sub(tokens[i], 1, 16) end
  local old = call('HMGET', tag .. 'ah', unpack(ids))
  for i = 1, #tokens do
    local kept, runs, place = old[i] or '', 0, 1
    while place <= #kept do
      runs, place = runs + 1, place + 14 + byte(kept, place + 13)
    end
    if runs > 9 then kept = sub(kept, 15 + byte(kept, 14)) end
    local reason, count = sub(reasons[i], 1, 200), read('>I2', tokens[i], 41)
    writes[2 * i - 1] = ids[i]
    writes[2 * i] = kept .. when .. sub(tokens[i], 49, 52)
      .. pack('>I2', math.min(count + 1, 65535)) .. letters[i] .. string.char(#reason) .. reason
  end
  call('HSET', tag .. 'ah', unpack(writes))
end

-- piece: new_lane
-- A key of a stream that has handled nothing yet.
local new_lane = string.rep('\0', 26)

-- piece: newest, uses: new_lane
-- ms and sequence of the newest id up to a waiting point: its own, or for a late one that before it.
local function newest(record) return read('>I6I2', record, byte(record, 4) % 2 == 1 and 13 or 5) end

-- piece: unwait, uses: new_lane
-- These records wait no more: `l:` holds the ids of late points that do.
local function unwait(key, records)
  local late = {}
  for i = 1, #records do
    if byte(records[i], 4) % 2 == 1 then late[#late + 1] = sub(records[i], 5, 12) end
  end
  if #late > 0 then call('SREM', tag .. 'l:' .. key, unpack(late)) end
end

-- piece: join, uses: new_lane
-- Puts lanes among the ready: RPUSH at the tail, LPUSH at the head, in their order either way; those
-- with two lost leases or more among the suspects (I6). keys[key] is what each has lost.
local function join(command, keys)
  if #keys == 0 then return end
  local ready, suspects, first, last, step = {}, {}, 1, #keys, 1
  if command == 'LPUSH' then first, last, step = last, 1, -1 end
  for i = first, last, step do
    local list = keys[keys[i]] > 1 and suspects or ready
    list[#list + 1] = keys[i]
  end
  if #ready > 0 then call(command, tag .. 'rd', unpack(ready)) end
  if #suspects > 0 then call(command, tag .. 'rd!', unpack(suspects)) end
end

-- piece: promote_lanes, uses: join
-- Parked lanes that are due join the tail, at most 64.
local function promote_lanes()
  local due = call('ZRANGE', tag .. 'ld', '-inf', now, 'BYSCORE', 'LIMIT', '0', '64')
  if #due == 0 then return end
  call('ZREM', tag .. 'ld', unpack(due))
  local lanes = call('HMGET', tag .. 'ln', unpack(due))
  for i = 1, #due do due[due[i]] = lanes[i] and byte(lanes[i], 16) or 0 end
  join('RPUSH', due)
end

-- piece: keep
-- Handled points enter the window of their key, and the oldest beyond `bytes` leave it: at once while
-- it is small, so that it takes no more memory than it must; else when it has grown to twice that.
local function keep(key, records, bytes)
  local name, old, new, at = tag .. 'w:' .. key, '', '', 1
  if bytes > 1024 then
    if call('APPEND', name, table.concat(records)) <= 2 * bytes then return end
    old = call('GET', name)
  else
    local first, size = #records + 1, 0
    while first > 1 and size + #records[first - 1] <= bytes do
      first = first - 1
      size = size + #records[first]
    end
    new = records[2] and table.concat(records, '', first) or records[first] or ''
    -- What is older is looked at only where there is room for it.
    if first == 1 and size < bytes then old = call('GET', name) or '' end
  end
  bytes = bytes - #new
  while #old - at + 1 > bytes do at = at + math.max(12, floor(read('>I4', old, at) / 2)) end
  local kept = sub(old, at) .. new
  if kept == '' then call('DEL', name) else call('SET', name, kept) end
end

-- piece: drop
-- Keys → gone, with an entry among the dropped: position 6 | handledAt 6 | droppedAt 6 | key.
local function drop(keys, lanes)
  if #keys == 0 then return end
  for i = 1, #keys do
    call('DEL', tag .. 'w:' .. keys[i])
    call('LPUSH', tag .. 'dk', sub(lanes[i], 1, 6) .. sub(lanes[i], 17, 22) .. when .. keys[i])
  end
  for _, name in ipairs({ 'ln', 'sv', 'why' }) do call('HDEL', tag .. name, unpack(keys)) end
  call('LTRIM', tag .. 'dk', 0, 999)
  call('HINCRBY', tag .. 'st', 'dropped', #keys)
end

-- piece: standing
-- The version of a note of the board that lives; false when there is none. See note_write.
local function standing(name)
  local note = call('HGET', tag .. 'n', name)
  if not note then return false end
  local version, expires = read('>I6', note), read('>I6', note, 13)
  return (expires == 0 or now < expires) and version
end

-- Whether a version (false: none) is `any`, `absent` or the one wanted.
local function expected(version, wanted)
  if wanted == 'any' then return true end
  if wanted == 'absent' then return not version end
  return version == tonumber(wanted)
end
