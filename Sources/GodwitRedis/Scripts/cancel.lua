#!lua flags=allow-oom
-- cancel: ready, scheduled, leased or dead → cancelled
-- Guarantee: it does not start again; a run under way hears of it at its next renew or settle (I3).
-- KEYS[1] tag   KEYS[2] markers
-- ARGV[1] ids, 16 bytes each (≤ 64)
-- Returns: indexes (0-based) of those that are unknown or have ended; the error UNTRACKED, with
--          nothing done, where one may run and nobody can tell by which token.
-- Cost: O(n log N); where `track` was ever set + one pass over at most 4,096 leases.
-- uses: split wake free slots finish note emit
local ids, p, m, le = split(ARGV[1], 16), tag .. 'p', tag .. 'm', tag .. 'le'
local refused, gone, ghosts, items, cancelled = {}, {}, {}, {}, {}
local kinds = slots({})

-- Where `track` was ever set a lease may have no record: it is looked up in the lease set itself.
local untracked, too_many = {}, false
if track then
  too_many = call('ZCARD', le) > 4096
  if not too_many then
    for _, token in ipairs(call('ZRANGE', le, 0, -1)) do untracked[sub(token, 1, 16)] = token end
  end
end

-- The entry of a plain message that never ran, from the head of its body; nil if it is not there.
local function unrecorded(id)
  local head = call('HGET', p, id)
  if not head or head == '' then return nil end
  local inserted = sub(id, 1, 6) -- the time of its UUIDv7; the exact one is in the list only
  return id .. sub(head, 1, 6) .. inserted .. inserted .. '\0\0\0\0\0\0\0\0'
end

if too_many then
  for i = 1, #ids do
    local record = call('HGET', m, ids[i]) or unrecorded(ids[i])
    local letter = record and sub(record, 57, 57)
    local ended = letter == 'a' or letter == 'k' or letter == 'f' or letter == 'd'
    if record and #record ~= 56 and not ended
      and not call('ZSCORE', tag .. 'd', sub(record, 1, 42)) then
      return redis.error_reply('UNTRACKED a message may be running: over 4096 leases without'
        .. ' records, as tracksLeases is or was off')
    end
  end
end

for i = 1, #ids do
  local id = ids[i]
  local record = untracked[id] or call('HGET', m, id) or unrecorded(id)
  local letter = record and sub(record, 57, 57)
  if not record or letter == 'a' or letter == 'k' or letter == 'f' then
    refused[#refused + 1] = i - 1
  else
    local entry, ghost = sub(record, 1, 42), false
    if #record == 56 then
      call('ZREM', le, record)
    elseif letter == 'd' then
      call('ZREM', tag .. 'x', entry)
      call('HDEL', tag .. 'ui', id)
    elseif call('ZREM', tag .. 'd', entry) == 0 then -- ready: a tombstone, never LREM
      ghost = true
      call('HSET', p, id, '')
    end
    local list = ghost and ghosts or gone
    list[#list + 1] = id
    local run = #record > 55 and sub(record, 43, 56) or never_ran
    cancelled[#cancelled + 1] = id
    cancelled[#cancelled + 1] = entry .. run .. 'k' .. when
    items[#items + 1] = note(entry .. run, '')
  end
end
if #items == 0 then return refused end
call('HSET', m, unpack(cancelled))
if #gone > 0 then finish(gone, 'k') end
if #ghosts > 0 then
  finish(ghosts, 'k', true)
  call('HINCRBY', tag .. 'st', 'ghosts', #ghosts)
end
wake(kinds)
call('HINCRBY', tag .. 'st', 'cancelled', #items)
emit('k', table.concat(items))
return refused
