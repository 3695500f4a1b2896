import type { RedisScript } from '#adapters/redis';

/**
 * What Redis holds about sessions, and the only scripts that write it. Region-local: one server, no cluster; it runs
 * without persistence and must not evict (`noeviction`), since an index that is gone would leave its sessions alive.
 *
 * | key | holds |
 * | --- | --- |
 * | `s:<hash>` | one session (see session-text.ts) made or cached here, or the tombstone `x`; expires with the session |
 * | `a:<account>` | hash of what has ended sessions of the account: `e` epoch, `k` the session it spares, `c:<region>` counters; only rises |
 * | `i:<account>` | sorted set of the account's `s:` entries here by expiry, so that raising finds them |
 */
export const SESSION_KEY = 's:';
export const ACCOUNT_KEY = 'a:';
export const INDEX_KEY = 'i:';

/** The Lua twin of `sessionStillGood`: known(key) reads an account's key, out_counted compares counters. */
const KNOWN = `
local function known_of(key)
  local flat, known = redis.call('HGETALL', key), {epoch = 0, keep = '', counters = {}}
  for n = 1, #flat, 2 do
    local field, value = flat[n], flat[n + 1]
    if field == 'e' then known.epoch = tonumber(value)
    elseif field == 'k' then known.keep = value
    else known.counters[string.sub(field, 3)] = tonumber(value) end
  end
  return known
end
local function out_counted(known, counters)
  for region, counter in pairs(known.counters) do
    if counter > (counters[region] or 0) then return true end
  end
  return false
end`;

/**
 * Adds a session that was made here or read at its origin, and enters it in the account's index.
 * KEYS session, account, index. ARGV epoch, home, counters (JSON), answer (JSON), life in ms, hash.
 * Returns 1 added; 2 it is here already; 0 refused, since it was ended or a newer epoch is known; or, refused because
 * of a counter, the known counters as JSON.
 */
export const ADD: RedisScript = {
  name: 'homewardAddSession',
  keys: 3,
  lua: `${KNOWN}
local present = redis.call('GET', KEYS[1])
if present == 'x' then return 0 end
if present then return 2 end
local known, epoch = known_of(KEYS[2]), ARGV[1]
if tonumber(epoch) < known.epoch then
  if known.keep ~= ARGV[6] then return 0 end
  epoch = string.format('%.0f', known.epoch)
end
if out_counted(known, cjson.decode(ARGV[3])) then return cjson.encode(known.counters) end
local life = tonumber(ARGV[5])
redis.call('SET', KEYS[1], epoch .. ' ' .. ARGV[2] .. '\\n' .. ARGV[3] .. '\\n' .. ARGV[4], 'PX', ARGV[5])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', string.format('(%.0f', now))
redis.call('ZADD', KEYS[3], string.format('%.0f', now + life), ARGV[6])
if redis.call('PTTL', KEYS[3]) < life + 1000 then redis.call('PEXPIRE', KEYS[3], life + 1000) end
return 1`,
};

/**
 * Raises what is known to have ended sessions of an account, and ends those of one page of its index; the session that the
 * epoch spares is stamped with it. The raised key refuses later additions, so the pages need not be one step.
 * KEYS account, index. ARGV epoch, spared hash or '', counters (JSON), life of the account key in ms, cursor, page size,
 * prefix of session keys.
 * Returns {next cursor ('0' at the end), sessions ended}.
 */
export const RAISE: RedisScript = {
  name: 'homewardRaiseAccount',
  keys: 2,
  lua: `${KNOWN}
local known, changed = known_of(KEYS[1]), false
local epoch = tonumber(ARGV[1])
if epoch > known.epoch or (epoch == known.epoch and known.keep == '' and ARGV[2] ~= '') then
  redis.call('HSET', KEYS[1], 'e', ARGV[1], 'k', ARGV[2])
  known.epoch, known.keep, changed = epoch, ARGV[2], true
end
for region, counter in pairs(cjson.decode(ARGV[3])) do
  if counter > (known.counters[region] or 0) then
    redis.call('HSET', KEYS[1], 'c:' .. region, string.format('%.0f', counter))
    known.counters[region], changed = counter, true
  end
end
if changed then redis.call('PEXPIRE', KEYS[1], ARGV[4]) end
local page = redis.call('ZSCAN', KEYS[2], ARGV[5], 'COUNT', ARGV[6])
local ended = 0
for n = 1, #page[2], 2 do
  local hash = page[2][n]
  local key = ARGV[7] .. hash
  local value = redis.call('GET', key)
  if value and value ~= 'x' then
    local stamp, home, counters, answer = string.match(value, '^(%d+) ([^\\n]*)\\n([^\\n]*)\\n(.*)$')
    if not stamp or (tonumber(stamp) < known.epoch and known.keep ~= hash) or out_counted(known, cjson.decode(counters)) then
      redis.call('SET', key, 'x', 'KEEPTTL')
      ended = ended + 1
    elseif tonumber(stamp) < known.epoch then
      redis.call('SET', key, string.format('%.0f', known.epoch) .. ' ' .. home .. '\\n' .. counters .. '\\n' .. answer, 'KEEPTTL')
    end
  end
end
return {page[1], ended}`,
};

/**
 * Ends one session: its key becomes a tombstone for as long as the session would have lived, whether it is here or not,
 * so that neither a late caching nor a late creation brings it back.
 * KEYS session. ARGV life in ms, 0 or less to keep the life that the key has.
 */
export const END: RedisScript = {
  name: 'homewardEndSession',
  keys: 1,
  lua: `
local life, left = tonumber(ARGV[1]), redis.call('PTTL', KEYS[1])
if left > life then life = left end
if life > 0 then redis.call('SET', KEYS[1], 'x', 'PX', string.format('%.0f', life)) end
return 1`,
};

/** To be given to the RedisStore. */
export const SESSION_SCRIPTS: readonly RedisScript[] = [ADD, RAISE, END];
