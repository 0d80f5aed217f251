// The two scripts that run inside Redis. They hold no rule: they compare, then write what they are given.
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
 * Write one unit. KEYS: version, outbox, the entries that must be absent, the entries to write.
 * ARGV: expected tag, next tag, outbox field, event, count of absent entries, then for each write its expiry in Unix
 * milliseconds ('' for none, '-' to delete) and its value. Gives 1, or 0 for a conflict.
 * HSET is the first write, since of all of them only it can fail (by the type of its key).
 */
export const COMMIT = script(`#!lua
local absent = tonumber(ARGV[5])
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
if absent > 0 and redis.call('EXISTS', unpack(KEYS, 3, 2 + absent)) > 0 then return 0 end
redis.call('HSET', KEYS[2], ARGV[3], ARGV[4])
local arg = 6
for key = 3 + absent, #KEYS do
  local expiry = ARGV[arg]
  if expiry == '-' then redis.call('DEL', KEYS[key])
  elseif expiry == '' then redis.call('SET', KEYS[key], ARGV[arg + 1])
  else redis.call('SET', KEYS[key], ARGV[arg + 1], 'PXAT', expiry) end
  arg = arg + 2
end
redis.call('SET', KEYS[1], ARGV[2])
return 1`)

/**
 * Claim and read one slot. KEYS: outbox, version, claim, other entries. ARGV: expiry of the claim in Unix milliseconds,
 * and its value, left out when nothing is to be set. Gives the values from the version on, then the outbox if any.
 * One script, since four commands a slot cost the client twice the time.
 */
export const CLAIM = script(`#!lua
if ARGV[2] then redis.call('SET', KEYS[3], ARGV[2], 'NX', 'PXAT', ARGV[1]) end
redis.call('PEXPIREAT', KEYS[3], ARGV[1], 'GT')
local seen = redis.call('MGET', unpack(KEYS, 2))
local outbox = redis.call('HGETALL', KEYS[1])
if #outbox > 0 then seen[#KEYS] = outbox end
return seen`)

export const SCRIPTS: readonly Script[] = [COMMIT, CLAIM]
