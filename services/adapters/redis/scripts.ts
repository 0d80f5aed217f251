// The scripts that run inside Redis. They hold no rule: they compare, then write what they are given.
// The shebang makes Redis refuse a script before its first write when memory is full.

import { createHash } from 'node:crypto'

export interface Script {
  readonly lua: string
  /** SHA-1 by which Redis names it. */
  readonly sha: string
}

function script(lua: string): Script {
  return { lua, sha: createHash('sha1').update(lua).digest('hex') }
}

/**
 * Write one unit. KEYS: term, version, outbox, the entries that must be absent, the entries to write.
 * ARGV: term, expected tag, next tag, outbox field, event, count of absent entries, then for each write its expiry in
 * Unix milliseconds ('' for none, '-' to delete) and its value. Gives 1, 0 for a conflict, or -1 under another term.
 * HSET is the first write, since of all of them only it can fail (by the type of its key).
 */
export const COMMIT = script(`#!lua
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return -1 end
local absent = tonumber(ARGV[6])
if (redis.call('GET', KEYS[2]) or '') ~= ARGV[2] then return 0 end
if absent > 0 and redis.call('EXISTS', unpack(KEYS, 4, 3 + absent)) > 0 then return 0 end
redis.call('HSET', KEYS[3], ARGV[4], ARGV[5])
local arg = 7
for key = 4 + absent, #KEYS do
  local expiry = ARGV[arg]
  if expiry == '-' then redis.call('DEL', KEYS[key])
  elseif expiry == '' then redis.call('SET', KEYS[key], ARGV[arg + 1])
  else redis.call('SET', KEYS[key], ARGV[arg + 1], 'PXAT', expiry) end
  arg = arg + 2
end
redis.call('SET', KEYS[2], ARGV[3])
return 1`)

/**
 * Claim and read one slot. KEYS: term, outbox, version, claim, other entries. ARGV: term, expiry of the claim in Unix
 * milliseconds, and its value, left out when nothing is to be set. Gives the values from the version on, then the outbox
 * if any, or -1 under another term. One script, since four commands a slot cost the client twice the time.
 */
export const CLAIM = script(`#!lua
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return -1 end
if ARGV[3] then redis.call('SET', KEYS[4], ARGV[3], 'NX', 'PXAT', ARGV[2]) end
redis.call('PEXPIREAT', KEYS[4], ARGV[2], 'GT')
local seen = redis.call('MGET', unpack(KEYS, 3))
local outbox = redis.call('HGETALL', KEYS[2])
if #outbox > 0 then seen[#KEYS - 1] = outbox end
return seen`)

/**
 * Write what the log says of one slot. KEYS: version, outbox, the entries to write. ARGV: expected tag, next tag, then
 * expiry and value of each write as for COMMIT. Gives 1, or 0 when the slot is elsewhere. Events that were waiting in
 * the outbox lie before those of the log, so they are on it.
 */
export const RESTORE = script(`#!lua
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
if ARGV[1] ~= '' then redis.call('DEL', KEYS[2]) end
local arg = 3
for key = 3, #KEYS do
  local expiry = ARGV[arg]
  if expiry == '-' then redis.call('DEL', KEYS[key])
  elseif expiry == '' then redis.call('SET', KEYS[key], ARGV[arg + 1])
  else redis.call('SET', KEYS[key], ARGV[arg + 1], 'PXAT', expiry) end
  arg = arg + 2
end
redis.call('SET', KEYS[1], ARGV[2])
return 1`)

/** Become or go on being the owner of a catch-up. KEYS: owner. ARGV: owner, milliseconds. */
export const SEIZE = script(`#!lua
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1`)

/**
 * Change the notes if whoever asks may: KEYS[1] (owner or term) has the value ARGV[1], and KEYS[2] (the marker) ARGV[2].
 * KEYS: owner or term, marker, term, progress, owner. ARGV: those two, what to do, then what it needs.
 */
export const NOTE = script(`#!lua
if redis.call('GET', KEYS[1]) ~= ARGV[1] or redis.call('GET', KEYS[2]) ~= ARGV[2] then return 0 end
if ARGV[3] == 'suspend' then redis.call('DEL', KEYS[3])
elseif ARGV[3] == 'release' then redis.call('DEL', KEYS[5])
elseif ARGV[3] == 'advance' then redis.call('HSET', KEYS[4], unpack(ARGV, 4))
elseif ARGV[3] == 'admit' then
  redis.call('SET', KEYS[3], ARGV[4])
  redis.call('DEL', KEYS[5])
elseif ARGV[3] == 'clear' then
  redis.call('DEL', KEYS[3], KEYS[4])
  redis.call('SET', KEYS[2], ARGV[4])
end
return 1`)

export const SCRIPTS: readonly Script[] = [COMMIT, CLAIM, RESTORE, SEIZE, NOTE]
