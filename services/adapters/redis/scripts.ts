// The scripts that run inside Redis. They hold no rule: they compare, then write what they are given.
// The shebang makes Redis refuse a script before its first write when memory is full.

import { createHash } from 'node:crypto'
import type { EntryWrite } from '../../ports/store.ts'
import type { Argument } from './packed-command.ts'

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
  readonly args: Argument[]
}

function script(lua: string): Script {
  return { lua, sha: createHash('sha1').update(lua).digest('hex') }
}

/**
 * What scripts that change versions begin with. A version's key holds the slot's tag, its base and its outbox, so that
 * all are read and written at one moment: two lines, and for each event that is not known to be on the log
 * `version:length:` and its bytes. `parts` gives the tag and the outbox; `write` reads what `addWrites` has added.
 *
 * Lua hashes every byte of every text that it is given or makes, a nanosecond each: of an event as long as a command.
 */
const SLOT = `#!lua
local function parts(held)
  local first = string.find(held, '\\n', 1, true)
  local second = first and string.find(held, '\\n', first + 1, true)
  if not second then return 'damaged', '' end
  return string.sub(held, 1, first - 1), string.sub(held, second + 1)
end
local function get(key) return redis.call('GET', key) or '\\n\\n' end
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
 * Write units in their order, each on its own. KEYS: term, then for each unit version, the entries that must be absent,
 * the entries to write. ARGV: term, then for each unit expected tag, next lines and behind them the event as the outbox
 * has it, count of absent entries, count of writes, and the writes as `addWrites` adds them. Gives for each 1, 2 when
 * its event is the only one in the outbox, or 0 for a conflict; -1 under another term. Nothing that it writes can fail by
 * the type of a key. One script for many, since each costs the client and Redis as much as a unit. Events that wait come
 * behind the new one: mostly there is none, and then no text is made of it.
 */
export const COMMIT = script(`${SLOT}
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return -1 end
local results = {}
local key, arg = 2, 2
while arg <= #ARGV do
  local absent, writes = tonumber(ARGV[arg + 2]), tonumber(ARGV[arg + 3])
  local tag, outbox = parts(get(KEYS[key]))
  local fits = tag == ARGV[arg]
  if fits and absent > 0 then fits = redis.call('EXISTS', unpack(KEYS, key + 1, key + absent)) == 0 end
  if fits then
    write(key + 1 + absent, arg + 4, writes)
    redis.call('SET', KEYS[key], ARGV[arg + 1] .. outbox)
  end
  results[#results + 1] = fits and (outbox == '' and 2 or 1) or 0
  key = key + 1 + absent + writes
  arg = arg + 4 + 2 * writes
end
return results`)

/**
 * Set claims that are absent, and keep the others at least as long. KEYS: term, then claims. ARGV: term, then for each
 * its expiry in Unix milliseconds and its value ('' to set none). Gives their count; -1 under another term.
 */
export const CLAIM = script(`#!lua
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return -1 end
for key = 2, #KEYS do
  local expiry, value = ARGV[2 * key - 2], ARGV[2 * key - 1]
  local set = value ~= '' and redis.call('SET', KEYS[key], value, 'NX', 'PXAT', expiry)
  if not set then redis.call('PEXPIREAT', KEYS[key], expiry, 'GT') end
end
return #KEYS - 1`)

/**
 * Forget events. KEYS: versions. ARGV: for each its tag with a line feed and the bytes of its lines, when its event was
 * the only one in the outbox after the unit with this tag ('' and 0 else); the count of events, and their versions. While
 * a slot has that tag nothing was added to the outbox, so that its lines are all that stays, and the event is not read.
 * Else it looks for the events where they are, since to take the outbox out of the value would take half as long again.
 */
export const FORGET = script(`#!lua
local function forget(key, arg, count)
  local held = redis.call('GET', key) or ''
  local first = string.find(held, '\\n', 1, true)
  local at = first and string.find(held, '\\n', first + 1, true)
  if not at or at == #held then return end
  local gone, kept = {}, { string.sub(held, 1, at) }
  for i = arg, arg + count - 1 do gone[ARGV[i]] = true end
  while at < #held do
    local _, head, version, length = string.find(held, '^(%d+):(%d+):', at + 1)
    if not gone[version] then kept[#kept + 1] = string.sub(held, at + 1, head + length) end
    at = head + length
  end
  redis.call('SET', key, table.concat(kept))
end
local arg = 1
for key = 1, #KEYS do
  local tag, bytes, count = ARGV[arg], tonumber(ARGV[arg + 1]), tonumber(ARGV[arg + 2])
  local lines = bytes > 0 and redis.call('GETRANGE', KEYS[key], 0, bytes - 1) or ''
  if bytes > 0 and string.sub(lines, 1, #tag) == tag and string.find(lines, '\\n', #tag + 1, true) == bytes then
    redis.call('SET', KEYS[key], lines)
  else
    forget(KEYS[key], arg + 3, count)
  end
  arg = arg + 3 + count
end
return #KEYS`)

/**
 * Write what the log says of slots. KEYS: for each slot version, the entries to write. ARGV: for each expected tag, next
 * lines, count of writes, and the writes as `addWrites` adds them. Gives for each 1, or 0 when the slot is elsewhere.
 * Events that were waiting in the outbox lie before those of the log, so they are on it.
 */
export const RESTORE = script(`${SLOT}
local results = {}
local key, arg = 1, 1
while arg <= #ARGV do
  local writes = tonumber(ARGV[arg + 2])
  local fits = parts(get(KEYS[key])) == ARGV[arg]
  if fits then
    write(key + 1, arg + 3, writes)
    redis.call('SET', KEYS[key], ARGV[arg + 1])
  end
  results[#results + 1] = fits and 1 or 0
  key = key + 1 + writes
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

export const SCRIPTS: readonly Script[] = [COMMIT, CLAIM, FORGET, RESTORE, RECLAIM, SEIZE, NOTE, REMOVE]
