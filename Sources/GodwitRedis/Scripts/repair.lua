#!lua flags=allow-oom
-- repair: looks for one fault again, in this very step, and mends it or says how
-- Guarantee: no message is lost: a place is dropped only after the message stands in its own.
-- KEYS[1] tag   KEYS[2] markers
-- ARGV[1] what   ARGV[2] id, member or key   ARGV[3] place   ARGV[4] '1': only say
-- Returns: {0} it is not there · {1, what was or would be done} · {2, why it can't be};
--   of 'ids' with a cursor as ARGV[2]: {the next cursor, ids of messages}
-- Cost: O(1); home, stray and ghosts + one pass over lists of at most 100,000 entries.
-- uses: kind put wake settings
local what, subject, place, dry = ARGV[1], ARGV[2], ARGV[3], ARGV[4] == '1'
local p, m, le, d, x = tag .. 'p', tag .. 'm', tag .. 'le', tag .. 'd', tag .. 'x'
local gone = { 0 }
local function mended(text, act)
  if not dry then act() end
  return { 1, text }
end

-- The place in its list of an entry; a message without a record is told by its id alone, since only
-- the list knows the time of its enqueue. False: not there; nil: too long to look.
local function in_list(name, entry, has_record)
  if has_record then return call('LPOS', tag .. name, entry) end
  local length = call('LLEN', tag .. name)
  if length > 100000 then return nil end
  local id = sub(entry, 1, 16)
  for first = 0, length - 1, 1000 do
    for i, other in ipairs(call('LRANGE', tag .. name, first, first + 999)) do
      if sub(other, 1, 16) == id then return first + i - 1 end
    end
  end
  return false
end

local function list_of(entry)
  return 'w:' .. byte(entry, 17) % 8 .. ':' .. kind(entry) .. (byte(entry, 36) > 1 and '!' or '')
end

-- Where the message should be, by its record: w waits, l leased, x dead, e ended, g tombstone; its
-- member there; whether it has a record. Nil: there is no body.
local function home(id)
  local record, body = call('HGET', m, id), call('HGET', p, id)
  if not body then return nil, nil, record end
  if body == '' then return 'g', record and sub(record, 1, 42), record end
  if not record then
    local made = sub(id, 1, 6)
    return 'w', id .. sub(body, 1, 6) .. made .. made .. string.rep('\0', 8), false
  end
  local letter, entry = sub(record, 57, 57), sub(record, 1, 42)
  if #record == 56 then return 'l', record, record end
  if letter == 'd' then return 'x', entry, record end
  if letter == 'a' or letter == 'k' or letter == 'f' then return 'e', entry, record end
  return 'w', entry, record
end

-- The token of a lease without a record; nil: too many to look.
local function untracked(id)
  if not track then return false end
  if call('ZCARD', le) > 4096 then return nil end
  for _, token in ipairs(call('ZRANGE', le, 0, -1)) do
    if sub(token, 1, 16) == id then return token end
  end
  return false
end

-- Whether it stands where it should; nil: can't be told.
local function is_home(id, where, own, record)
  if where == 'l' then return call('ZSCORE', le, own) end
  if where == 'x' then return call('ZSCORE', x, own) end
  if where == 'w' then
    if record and call('ZSCORE', d, own) then return true end
    local token = untracked(id)
    if token == nil or token then return token end
  end
  return in_list(list_of(own), own, record)
end

-- Its index row again, from its state.
local function put_home(where, own, record)
  if where == 'l' then -- a lease of half a minute: its holder may go on, else it is reclaimed
    call('ZADD', le, now + 30000, own)
  elseif where == 'x' then
    call('ZADD', x, read('>I6', record, 58), own)
  else
    local ready_at, kinds = read('>I6', own, 29), {}
    if ready_at > now then
      call('ZADD', d, ready_at, own)
    else
      put('RPUSH', { own }, kinds)
    end
    wake(kinds)
  end
end

-- Ids of a slice of the bodies, without the bodies themselves: HKEYS would not be bounded.
if what == 'ids' then
  local slice = call('HSCAN', p, subject, 'COUNT', 200)
  local ids = {}
  for i = 1, #slice[2], 2 do ids[#ids + 1] = slice[2][i] end
  return { slice[1], ids }
end

if what == 'home' then
  local id = subject
  local where, own, record = home(id)
  if not where then return gone end
  if where == 'e' then
    return mended('its body is dropped: it has ended', function() call('HDEL', p, id) end)
  end
  if where == 'g' and not own then return { 2, 'a tombstone without a record: purge the queue' } end
  local found = is_home(id, where, own, record)
  if found == nil then return { 2, 'the list is too long to be searched in one step' } end
  if found then return gone end
  if where == 'g' then
    if in_list(list_of(own), own, false) ~= false then return gone end
    return mended('its tombstone is dropped', function()
      call('HDEL', p, id)
      call('HINCRBY', tag .. 'st', 'ghosts', -1)
    end)
  end
  if call('HEXISTS', tag .. 'k', kind(own)) == 0 then
    return { 2, 'its kind is not registered: enqueue one message of that kind' }
  end
  return mended('its place is restored from its record', function() put_home(where, own, record) end)
end

if what == 'stray' then
  local member, is_list = subject, sub(place, 1, 2) == 'w:'
  local id = sub(member, 1, 16)
  local copies = 1
  if is_list then
    copies = #call('LPOS', tag .. place, member, 'COUNT', 2)
    if copies == 0 then return gone end
  elseif not call('ZSCORE', tag .. place, member) then
    return gone
  end
  local function drop()
    if is_list then
      call('LREM', tag .. place, copies > 1 and -1 or 1, member)
      if sub(place, -1) == '!' then call('HINCRBY', tag .. 'cfg', 'sus', -1) end
    else
      call('ZREM', tag .. place, member)
    end
  end
  if copies > 1 then return mended('the second of two places in one list is dropped', drop) end
  local where, own, record = home(id)
  if not where then
    local letter = record and sub(record, 57, 57)
    if record and letter ~= 'a' and letter ~= 'k' and letter ~= 'f' then
      return { 2, 'its body is gone and its record is kept: cancel it, or let it be reserved, which'
        .. ' makes it a dead letter' }
    end
    return mended('the place is dropped: there is no message behind it', drop)
  end
  if where == 'g' then
    if is_list then return gone end
    return mended('the place is dropped: the message was cancelled', drop)
  end
  if where ~= 'e' then
    local is_own
    if where == 'w' then
      if is_list then
        is_own = place == list_of(own) and (not record or member == own)
        if is_own and record and call('ZSCORE', d, own) and read('>I6', own, 29) > now then
          is_own = false
        end
        if is_own and not record and in_list(place, own, false) ~= call('LPOS', tag .. place, member)
        then
          is_own = false
        end
      elseif place == 'd' then
        is_own = record and member == own
          and not (read('>I6', own, 29) <= now and call('LPOS', tag .. list_of(own), own))
      elseif place == 'le' then
        is_own = track and true
      end
    elseif where == 'l' then
      is_own = place == 'le' and member == own
    elseif where == 'x' then
      is_own = place == 'x' and member == own
    end
    if is_own then return gone end
    local found = is_home(id, where, own, record)
    if found == nil then return { 2, 'its own place can\'t be searched in one step' } end
    if not found then
      return mended('the place is dropped and its own restored from its record', function()
        drop()
        put_home(where, own, record)
      end)
    end
  end
  return mended('the place is dropped: its own is another', drop)
end

if what == 'unique' then
  local id = call('HGET', tag .. 'u', subject)
  if not id then return gone end
  local where = home(id)
  if (where == 'w' or where == 'l') and call('HGET', tag .. 'ui', id) == subject then return gone end
  return mended('the key is free again', function() call('HDEL', tag .. 'u', subject) end)
end

if what == 'claim' then
  local where = home(subject)
  local name = call('HGET', tag .. 'ui', subject)
  if not name or (where ~= 'w' and where ~= 'l') then return gone end
  local holder = call('HGET', tag .. 'u', name)
  if holder == subject then return gone end
  if holder then return { 2, 'its unique key is held by another live message: cancel one of them' } end
  return mended('it holds its unique key again', function() call('HSET', tag .. 'u', name, subject) end)
end

if what == 'leftover' then
  if call('HEXISTS', p, subject) == 1 or call('HEXISTS', tag .. place, subject) == 0 then return gone end
  return mended('it is dropped: the message has ended', function() call('HDEL', tag .. place, subject) end)
end

if what == 'deadline' then
  local score = call('ZSCORE', le, subject)
  if not score or tonumber(score) < now + 366 * 86400000 then return gone end
  return mended('its lease ends in half a minute', function() call('ZADD', le, now + 30000, subject) end)
end

if what == 'sus' or what == 'ghosts' then
  local counted, looks = 0, 0
  for _, name in ipairs(call('HKEYS', tag .. 'k')) do
    for band = 0, 7 do
      local list = tag .. 'w:' .. band .. ':' .. name
      if what == 'sus' then
        counted = counted + call('LLEN', list .. '!')
      else
        for _, key in ipairs({ list, list .. '!' }) do
          looks = looks + call('LLEN', key)
          if looks > 20000 then return { 2, 'the lists are too long to be counted in one step' } end
          for _, entry in ipairs(call('LRANGE', key, 0, -1)) do
            if call('HGET', p, sub(entry, 1, 16)) == '' then counted = counted + 1 end
          end
        end
      end
    end
  end
  local hash = what == 'sus' and 'cfg' or 'st'
  local says = tonumber(call('HGET', tag .. hash, what) or 0)
  if says == counted then return gone end
  return mended('the counter says ' .. says .. ' and becomes ' .. counted, function()
    call('HSET', tag .. hash, what, counted)
  end)
end
return redis.error_reply('ERR repair: unknown fault')
