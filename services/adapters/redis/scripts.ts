// The scripts that run inside Redis. They hold no rule: they compare, then write what they are given.
// The shebang makes Redis refuse a script before its first write when memory is full.

import { createHash } from 'node:crypto'
import type { EntryWrite } from '../../ports/store.ts'

/** Slots of one run of a script: Redis does nothing else meanwhile, for some milliseconds at most. */
export const SLOTS_A_SCRIPT = 100

export interface Script {
  readonly lua: string
  /** SHA-1 by which Redis names it. */
  readonly sha: string
}

/** One run of a script. */
export interface ScriptCall {
  readonly script: Script
  readonly keys: string[]
  readonly args: (string | number)[]
}

function script(lua: string): Script {
  return { lua, sha: createHash('sha1').update(lua).digest('hex') }
}

/** What scripts that write entries begin with: `write` reads what `addWrites` has added. */
const WRITE = `#!lua
local function write(key, arg, count)
  for at = 0, count - 1 do
    local name, expiry, value = KEYS[key + at], ARGV[arg + 2 * at], ARGV[arg + 2 * at + 1]
    if expiry == '-' then redis.call('DEL', name)
    elseif expiry == '' then redis.call('SET', name, value)
    else redis.call('SET', name, value, 'PXAT', expiry) end
  end
end`

/** For each write a key, its expiry in Unix milliseconds ('' for none, '-' to delete) and its value. */
export function addWrites(call: ScriptCall, writes: readonly EntryWrite[], keyOf: (name: string) => string): void {
  for (const { name, value, expiresAt } of writes) {
    call.keys.push(keyOf(name))
    if (value === null) call.args.push('-', '')
    else call.args.push(expiresAt ?? '', value)
  }
}

/**
 * Write units in their order, each on its own. KEYS: term, then for each unit version, outbox, the entries that must be
 * absent, the entries to write. ARGV: term, then for each unit expected tag, next tag, outbox field, event, count of
 * absent entries, count of writes, and the writes as `addWrites` adds them. Gives for each 1, or 0 for a conflict; -1
 * under another term. HSET is the first write of a unit, since of all of them only it can fail (by the type of its key).
 * One script for many, since each costs the client and Redis as much as a unit.
 */
export const COMMIT = script(`${WRITE}
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return -1 end
local results = {}
local key, arg = 2, 2
while arg <= #ARGV do
  local absent, writes = tonumber(ARGV[arg + 4]), tonumber(ARGV[arg + 5])
  local fits = (redis.call('GET', KEYS[key]) or '') == ARGV[arg]
  if fits and absent > 0 then fits = redis.call('EXISTS', unpack(KEYS, key + 2, key + 1 + absent)) == 0 end
  if fits then
    redis.call('HSET', KEYS[key + 1], ARGV[arg + 2], ARGV[arg + 3])
    write(key + 2 + absent, arg + 6, writes)
    redis.call('SET', KEYS[key], ARGV[arg + 1])
  end
  results[#results + 1] = fits and 1 or 0
  key = key + 2 + absent + writes
  arg = arg + 6 + 2 * writes
end
return results`)

/**
 * Claim and read slots. KEYS: term, then for each slot outbox, version, entries; the claim first when it is to be set.
 * ARGV: term ('*' for any), then for each slot the count of its entries, the expiry of its claim in Unix milliseconds
 * ('' to leave it alone), and the claim's value ('' to set none). Gives for each slot the values from the version on,
 * then the outbox if any; -1 under another term. A thousand keys at a time, since unpack takes no more than 8,000.
 */
export const LOAD = script(`#!lua
if ARGV[1] ~= '*' and (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return -1 end
local views = {}
local key = 2
for arg = 2, #ARGV, 3 do
  local last, expiry = key + 1 + ARGV[arg], ARGV[arg + 1]
  if expiry ~= '' then
    local set = ARGV[arg + 2] ~= '' and redis.call('SET', KEYS[key + 2], ARGV[arg + 2], 'NX', 'PXAT', expiry)
    if not set then redis.call('PEXPIREAT', KEYS[key + 2], expiry, 'GT') end
  end
  local seen = redis.call('MGET', unpack(KEYS, key + 1, math.min(key + 1000, last)))
  for from = key + 1001, last, 1000 do
    for _, value in ipairs(redis.call('MGET', unpack(KEYS, from, math.min(from + 999, last)))) do
      seen[#seen + 1] = value
    end
  end
  local outbox = redis.call('HGETALL', KEYS[key])
  if #outbox > 0 then seen[#seen + 1] = outbox end
  views[#views + 1] = seen
  key = last + 1
end
return views`)

/** Forget events. KEYS: outboxes. ARGV: for each the count of its fields, and those. */
export const FORGET = script(`#!lua
local arg = 1
for key = 1, #KEYS do
  local fields = tonumber(ARGV[arg])
  for from = arg + 1, arg + fields, 1000 do
    redis.call('HDEL', KEYS[key], unpack(ARGV, from, math.min(from + 999, arg + fields)))
  end
  arg = arg + 1 + fields
end
return #KEYS`)

/**
 * Write what the log says of slots. KEYS: for each slot version, outbox, the entries to write. ARGV: for each expected
 * tag, next tag, count of writes, and the writes as `addWrites` adds them. Gives for each 1, or 0 when the slot is
 * elsewhere. Events that were waiting in the outbox lie before those of the log, so they are on it.
 */
export const RESTORE = script(`${WRITE}
local results = {}
local key, arg = 1, 1
while arg <= #ARGV do
  local writes = tonumber(ARGV[arg + 2])
  local fits = (redis.call('GET', KEYS[key]) or '') == ARGV[arg]
  if fits then
    if ARGV[arg] ~= '' then redis.call('DEL', KEYS[key + 1]) end
    write(key + 2, arg + 3, writes)
    redis.call('SET', KEYS[key], ARGV[arg + 1])
  end
  results[#results + 1] = fits and 1 or 0
  key = key + 2 + writes
  arg = arg + 3 + 2 * writes
end
return results`)

/** Claims that the log tells of, where there is none. KEYS: claims. ARGV: for each its value and its expiry. */
export const RECLAIM = script(`#!lua
for key = 1, #KEYS do redis.call('SET', KEYS[key], ARGV[2 * key - 1], 'NX', 'PXAT', ARGV[2 * key]) end
return #KEYS`)

/** Become or go on being the owner of a catch-up. KEYS: owner. ARGV: owner, milliseconds. */
export const SEIZE = script(`#!lua
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1`)

/**
 * Change the notes if whoever asks may: KEYS[1] (owner or term) has the value ARGV[1], and KEYS[2] (the marker) ARGV[2].
 * KEYS: owner or term, marker, term, progress, owner, clearing. ARGV: those two, what to do, then what it needs.
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
  redis.call('SET', KEYS[6], ARGV[1])
elseif ARGV[3] == 'cleared' then redis.call('DEL', KEYS[6])
end
return 1`)

/** Remove keys, if whoever asks is still the owner. KEYS: owner, then those to remove. ARGV: owner. */
export const REMOVE = script(`#!lua
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('UNLINK', unpack(KEYS, 2))
return 1`)

export const SCRIPTS: readonly Script[] = [COMMIT, LOAD, FORGET, RESTORE, RECLAIM, SEIZE, NOTE, REMOVE]
