-- The operations of a shared state in Redis: see store.ts, which sends them. Redis runs a script at one moment.
--
-- KEYS  1 meta       hash    revision: the counter of versions and tokens; floor: the version up to which the log has
--                            forgotten events; bytes: of the log
--       2 keys       hash    key → "version end text"; end: a time in microseconds, 0: none
--       3 locks      hash    name → "token end"
--       4 deadlines  zset    "k" + key, "l" + name of a lock → end
--       5 log        zset    "version kind length key text" → version; kind: s set, d deleted, e expired
--       6 starts     zset    "revision before" → revision: the counter at each start of this server with this data, and
--                            what it was before
-- ARGV  1 operation; 2 the greatest version that the caller has seen; 3 "1" if the server did not know this script: it
--       has started since, perhaps with older data; 4 the channel of the hints; then the arguments of the operation
-- Gives { status, revision, ... }, all of them strings. 'lost': nothing was done, because the caller has seen what is not here.
local META, KEYS_, LOCKS, DEADLINES, LOG, STARTS = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local op, seen, started, channel = ARGV[1], tonumber(ARGV[2]), ARGV[3] == '1', ARGV[4]
local MOST_EVENTS, MOST_BYTES, MOST_STARTS, SWEEP = 10000, 16 * 1024 * 1024, 1000, 200
local SAFE = 9007199254740991 -- The greatest number up to which a double counts exactly, as in JavaScript.

-- Another program may use one of these names. A script that fails in its middle would leave half of what it does.
for at, kind in ipairs({ 'hash', 'hash', 'hash', 'zset', 'zset', 'zset' }) do
  local found = redis.call('TYPE', KEYS[at]).ok
  if found ~= 'none' and found ~= kind then
    return redis.error_reply('WRONGTYPE ' .. KEYS[at] .. ' is a ' .. found .. ', which this store has not written')
  end
end

local function str(number) return string.format('%.0f', number) end

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])

-- Versions of two lives of the data must differ. So at each start the counter goes on from the time in microseconds: no
-- program writes a million times a second, so no version that a lost write had is given out again.
local revision = tonumber(redis.call('HGET', META, 'revision') or nil)
if revision == nil or started then
  local before = revision or 0
  local start = math.max(before + 1, now, seen + 1)
  if revision == nil then redis.call('HSET', META, 'floor', str(start), 'bytes', '0') end
  revision = start
  redis.call('HSET', META, 'revision', str(revision))
  redis.call('ZADD', STARTS, str(start), str(start) .. ' ' .. str(before))
  redis.call('ZREMRANGEBYRANK', STARTS, 0, -1 - MOST_STARTS)
end

-- Is there no such version in this data? Then a write that somebody has seen is lost.
local function is_lost(version)
  if version > revision then return true end
  local after = redis.call('ZRANGEBYSCORE', STARTS, '(' .. str(version), '+inf', 'LIMIT', 0, 1)[1]
  return after ~= nil and version > tonumber(string.match(after, ' (%d+)$'))
end
if seen > 0 and is_lost(seen) then return { 'lost', str(revision) } end

local changed = false
local function next_revision()
  revision = revision + 1
  redis.call('HSET', META, 'revision', str(revision))
  return revision
end

local function log(kind, key, text)
  local event = str(next_revision()) .. ' ' .. kind .. ' ' .. #key .. ' ' .. key .. text
  redis.call('ZADD', LOG, str(revision), event)
  local bytes = redis.call('HINCRBY', META, 'bytes', #event)
  local count = redis.call('ZCARD', LOG)
  while count > 1 and (count > MOST_EVENTS or bytes > MOST_BYTES) do
    local oldest = redis.call('ZPOPMIN', LOG)
    bytes = redis.call('HINCRBY', META, 'bytes', -#oldest[1])
    redis.call('HSET', META, 'floor', string.match(oldest[1], '^%d+'))
    count = count - 1
  end
  changed = true
end

local function remove(key, kind)
  redis.call('HDEL', KEYS_, key)
  redis.call('ZREM', DEADLINES, 'k' .. key)
  log(kind, key, '')
end

local function sweep(most)
  local due = redis.call('ZRANGEBYSCORE', DEADLINES, '-inf', str(now), 'LIMIT', 0, most)
  for _, each in ipairs(due) do
    local name = string.sub(each, 2)
    if string.sub(each, 1, 1) == 'k' then
      remove(name, 'e')
    else
      redis.call('HDEL', LOCKS, name)
      redis.call('ZREM', DEADLINES, each)
    end
  end
  return #due
end

local function read(key)
  local raw = redis.call('HGET', KEYS_, key)
  if not raw then return nil end
  local version, ends, text = string.match(raw, '^(%d+) (%d+) (.*)$')
  if ends ~= '0' and tonumber(ends) <= now then
    remove(key, 'e')
    return nil
  end
  return { version = version, ends = ends, text = text }
end

local function write(key, text, ends)
  log('s', key, text)
  redis.call('HSET', KEYS_, key, str(revision) .. ' ' .. ends .. ' ' .. text)
  if ends == '0' then redis.call('ZREM', DEADLINES, 'k' .. key) else redis.call('ZADD', DEADLINES, ends, 'k' .. key) end
end

local function end_of(ttl) return ttl == '' and '0' or str(now + math.ceil(tonumber(ttl) * 1000)) end

local function holder(name)
  local raw = redis.call('HGET', LOCKS, name)
  if not raw then return nil end
  local token, ends = string.match(raw, '^(%d+) (%d+)$')
  if tonumber(ends) <= now then return nil end
  return token, ends
end

local function is_fenced(name, token) return token == '' or holder(name) == token end

local function hold(name, token, ttl)
  local ends = end_of(ttl)
  redis.call('HSET', LOCKS, name, token .. ' ' .. ends)
  redis.call('ZADD', DEADLINES, ends, 'l' .. name)
end

-- What is there, for an answer: the text, the version, and the milliseconds that are left ('': no end).
local function found(status, entry)
  if entry == nil then return { status } end
  return { status, entry.text, entry.version, entry.ends == '0' and '' or string.format('%.3f', (tonumber(entry.ends) - now) / 1000) }
end

local operations = {}

function operations.get(key) return found('ok', read(key)) end

function operations.set(key, text, ttl, fence, token)
  if not is_fenced(fence, token) then return { 'lease' } end
  write(key, text, end_of(ttl))
  return { 'ok', str(revision) }
end

function operations.compareAndSet(key, version, text, ttl, fence, token)
  if not is_fenced(fence, token) then return { 'lease' } end
  local entry = read(key)
  if (entry and entry.version or '0') ~= version then return found('not', entry) end
  write(key, text, end_of(ttl))
  return { 'ok', str(revision) }
end

function operations.increment(key, by, ttl, fence, token)
  if not is_fenced(fence, token) then return { 'lease' } end
  local entry = read(key)
  local text = entry and entry.text or '0'
  local value = #text <= 64 and string.match(text, '^%-?%d') and tonumber(text) or nil
  if value == nil then return { 'nan', 'is no number, it cannot be incremented' } end
  by = tonumber(by)
  local sum = value + by
  local whole = math.floor(value) == value and math.floor(by) == by
  if sum ~= sum or math.abs(sum) == math.huge or (whole and math.abs(sum) > SAFE) then
    return { 'nan', 'would be ' .. tostring(sum) .. ', beyond what a number can count exactly' }
  end
  local is_short = math.floor(sum) == sum and math.abs(sum) <= SAFE
  write(key, is_short and str(sum) or string.format('%.17g', sum), entry and entry.ends or end_of(ttl))
  return found('ok', read(key))
end

function operations.delete(key, version, fence, token)
  if not is_fenced(fence, token) then return { 'lease' } end
  local entry = read(key)
  if entry == nil or (version ~= '' and entry.version ~= version) then return { 'not' } end
  remove(key, 'd')
  return { 'ok' }
end

function operations.acquire(name, ttl)
  local token, ends = holder(name)
  if token then return { 'not', string.format('%.3f', (tonumber(ends) - now) / 1000) } end
  local granted = str(next_revision())
  hold(name, granted, ttl)
  return { 'ok', granted }
end

function operations.renew(name, token, ttl)
  if holder(name) ~= token then return { 'lease' } end
  hold(name, token, ttl)
  return { 'ok' }
end

function operations.release(name, token)
  if holder(name) ~= token then return { 'not' } end
  redis.call('HDEL', LOCKS, name)
  redis.call('ZREM', DEADLINES, 'l' .. name)
  return { 'ok' }
end

function operations.list(prefix)
  while sweep(SWEEP) > 0 do end
  local reply = { 'ok' }
  local all = redis.call('HGETALL', KEYS_)
  for at = 1, #all, 2 do
    if string.sub(all[at], 1, #prefix) == prefix then
      local version, _, text = string.match(all[at + 1], '^(%d+) (%d+) (.*)$')
      reply[#reply + 1], reply[#reply + 2], reply[#reply + 3] = all[at], text, version
    end
  end
  reply[#reply + 1] = str(revision)
  return reply
end

-- Gives { 'ok', version, then kind, key, text, version of each event }, or { 'not' } if the events since then are not known.
function operations.changes(prefix, since, most)
  if since == '' then return { 'ok', str(revision) } end
  since, most = tonumber(since), tonumber(most)
  if since < tonumber(redis.call('HGET', META, 'floor')) or is_lost(since) then return { 'not' } end
  local reply, count, up_to = { 'ok', '' }, 0, str(since)
  repeat
    local some = redis.call('ZRANGEBYSCORE', LOG, '(' .. up_to, '+inf', 'LIMIT', 0, 500)
    for _, event in ipairs(some) do
      local version, kind, length, rest = string.match(event, '^(%d+) (%a) (%d+) (.*)$')
      up_to = version
      if string.sub(rest, 1, #prefix) == prefix and #prefix <= tonumber(length) then
        local at = #reply
        reply[at + 1], reply[at + 2], reply[at + 3], reply[at + 4] = kind, string.sub(rest, 1, length), string.sub(rest, length + 1), version
        count = count + 1
        if count == most then break end
      end
    end
  until #some == 0 or count == most
  reply[2] = count == most and up_to or str(revision)
  return reply
end

sweep(SWEEP)
local reply = operations[op](unpack(ARGV, 5))
if changed then redis.call('PUBLISH', channel, str(revision)) end
table.insert(reply, 2, str(revision))
return reply
