"""What the Redis queue does in one step each, as scripts that Redis runs without anything in between.

Keys, all in one slot of a cluster: the stream of places, of which an entry names an item; the items that are not
settled, by the time of their put; those that wait for another try, by the time it is due; the bytes of all
contents; the number of the latest content; dead letters; and a hash for each item with its newest content.
"""

# What empties the queue must work when Redis has no memory left.
_DRAINS = "#!lua flags=allow-oom\n"
_COMMON = """
local stream, waiting, delayed, bytes, sequences, dead = unpack(KEYS)
local group, item_prefix = ARGV[1], ARGV[2]

local function now()
  local time = redis.call('TIME')
  return tonumber(time[1]) + tonumber(time[2]) / 1e6
end

local function enter(item_id)
  redis.call('HSET', item_prefix .. item_id, 'entry', redis.call('XADD', stream, '*', 'item', item_id))
end

local function leave(entry)
  redis.call('XACK', stream, group, entry)
  redis.call('XDEL', stream, entry)
end

-- Who was given the entry last, and the how manieth time that was, is in the group's list of what is pending.
local function is_held(entry, worker, delivery)
  local pending = redis.call('XPENDING', stream, group, entry, entry, 1)[1]
  return pending and pending[2] == worker and pending[4] == tonumber(delivery)
end

-- Where a newer content came meanwhile, lets it be claimed.
local function give_back_newer(entry, item_id, sequence)
  local newest = redis.call('HMGET', item_prefix .. item_id, 'sequence', 'put_at')
  if newest[1] == sequence then return false end
  leave(entry)
  enter(item_id)
  redis.call('ZADD', waiting, newest[2], item_id)
  return true
end

local function settle(entry, item_id, sequence)
  if give_back_newer(entry, item_id, sequence) then return end
  leave(entry)
  redis.call('DECRBY', bytes, redis.call('HGET', item_prefix .. item_id, 'size'))
  redis.call('DEL', item_prefix .. item_id)
  redis.call('ZREM', waiting, item_id)
end
"""

# item_id, size, title, category_id, shop_id, introduced_at, image, has_title, has_image, max_items, max_bytes
PUT = (
    _COMMON
    + """
local item_id, size = ARGV[3], tonumber(ARGV[4])
local item = item_prefix .. item_id
local old = tonumber(redis.call('HGET', item, 'size'))
if not old and redis.call('ZCARD', waiting) >= tonumber(ARGV[12]) then return 'items' end
local total = tonumber(redis.call('GET', bytes) or '0') - (old or 0) + size
if total > tonumber(ARGV[13]) then return 'bytes' end
local time = string.format('%.6f', now())
redis.call('SET', bytes, string.format('%d', total))
redis.call('HSET', item, 'sequence', redis.call('INCR', sequences), 'size', size, 'put_at', time, 'attempts', 0,
  'title', ARGV[5], 'category_id', ARGV[6], 'shop_id', ARGV[7], 'introduced_at', ARGV[8], 'image', ARGV[9],
  'has_title', ARGV[10], 'has_image', ARGV[11])
redis.call('HDEL', item, 'reason')
if not old then
  redis.call('ZADD', waiting, time, item_id)
  enter(item_id)
elseif redis.call('ZREM', delayed, item_id) == 1 then
  enter(item_id)
end
return 'taken'
"""
)

# worker, count, lease_ms, max_claim_bytes
CLAIM = (
    _DRAINS
    + _COMMON
    + """
local worker, count, lease, max_bytes = ARGV[3], tonumber(ARGV[4]), ARGV[5], tonumber(ARGV[6])
for _, item_id in ipairs(redis.call('ZRANGE', delayed, '-inf', now(), 'BYSCORE', 'LIMIT', 0, count)) do
  redis.call('ZREM', delayed, item_id)
  enter(item_id)
end
local claims, total = {}, 0
local function take(entry)
  local item_id = entry[2][2]
  local item = item_prefix .. item_id
  redis.call('HINCRBY', item, 'attempts', 1)
  local content = redis.call('HMGET', item, 'sequence', 'attempts', 'reason', 'size', 'image', 'has_image', 'title',
    'has_title', 'category_id', 'shop_id', 'introduced_at')
  local delivery = redis.call('XPENDING', stream, group, entry[1], entry[1], 1)[1][4]
  claims[#claims + 1] = {entry[1], item_id, delivery, unpack(content)}
  total = total + tonumber(content[4])
end
local function has_room() return #claims < count and total <= max_bytes end
local cursor = '0-0'
repeat
  local found = redis.call('XAUTOCLAIM', stream, group, worker, lease, cursor, 'COUNT', 1)
  cursor = found[1]
  if found[2][1] then take(found[2][1]) end
until cursor == '0-0' or not has_room()
while has_room() do
  local found = redis.call('XREADGROUP', 'GROUP', group, worker, 'COUNT', 1, 'STREAMS', stream, '>')
  if not found then break end
  take(found[1][2][1])
end
return claims
"""
)

# then for each claim: entry, worker, delivery, item_id, sequence
_EACH_HELD = """
local held = {}
for place = 3, #ARGV, 5 do
  local entry, worker, delivery, item_id, sequence = unpack(ARGV, place, place + 4)
  if is_held(entry, worker, delivery) then
    held[#held + 1] = (place - 3) / 5
    %s
  end
end
return held
"""
# XCLAIM starts the idle time anew; JUSTID leaves the number of deliveries as it is.
RENEW = _DRAINS + _COMMON + _EACH_HELD % "redis.call('XCLAIM', stream, group, worker, 0, entry, 'JUSTID')"
ACKNOWLEDGE = _DRAINS + _COMMON + _EACH_HELD % "settle(entry, item_id, sequence)"

# entry, worker, delivery, item_id, sequence, delay_seconds, reason
RETRY = (
    _DRAINS
    + _COMMON
    + """
local entry, worker, delivery, item_id, sequence = unpack(ARGV, 3, 7)
if not is_held(entry, worker, delivery) then return 0 end
if not give_back_newer(entry, item_id, sequence) then
  leave(entry)
  redis.call('HSET', item_prefix .. item_id, 'reason', ARGV[9])
  redis.call('ZADD', delayed, string.format('%.6f', now() + tonumber(ARGV[8])), item_id)
end
return 1
"""
)

# entry, worker, delivery, item_id, sequence, reason, attempts, introduced_at, max_dead
BURY = (
    _DRAINS
    + _COMMON
    + """
local entry, worker, delivery, item_id, sequence = unpack(ARGV, 3, 7)
if not is_held(entry, worker, delivery) then return 0 end
redis.call('XADD', dead, 'MAXLEN', '=', ARGV[11], '*', 'item_id', item_id, 'reason', ARGV[8], 'attempts', ARGV[9],
  'introduced_at', ARGV[10], 'buried_at', string.format('%.6f', now()))
settle(entry, item_id, sequence)
return 1
"""
)

# idle_ms. Workers that went without a word stay in the group's list until someone takes them off.
FORGET_WORKERS = (
    _COMMON
    + """
for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', stream, group)) do
  local fields = {}
  for place = 1, #consumer, 2 do fields[consumer[place]] = consumer[place + 1] end
  if fields.pending == 0 and fields.idle > tonumber(ARGV[3]) then
    redis.call('XGROUP', 'DELCONSUMER', stream, group, fields.name)
  end
end
"""
)

# Seconds that the oldest item has waited.
OLDEST = (
    _COMMON
    + """
local oldest = redis.call('ZRANGE', waiting, 0, 0, 'WITHSCORES')[2]
return oldest and string.format('%.6f', math.max(0, now() - tonumber(oldest))) or '0'
"""
)
