// What a check of chains must hold of every slot it has met: version, place, and the hashes of the last two events. In
// bytes outside the heap, 64 a slot and about 8 more to find it, since a history has as many slots as it has subjects.

import { randomInt } from 'node:crypto'

/** Bytes kept of a hash: nobody finds another event with these 128 bits. */
const HASH_BYTES = 16
const HEAD_AT = HASH_BYTES
const PREVIOUS_AT = 2 * HASH_BYTES
const VERSION_AT = 3 * HASH_BYTES
const OFFSET_AT = VERSION_AT + 8
const ENTRY_BYTES = OFFSET_AT + 8
const CHUNK_ENTRIES = 16_384
const FIRST_PLACES = 65_536
const SEED_LIMIT = 2 ** 31
const SEEDS = [randomInt(SEED_LIMIT), randomInt(SEED_LIMIT), randomInt(SEED_LIMIT), randomInt(SEED_LIMIT)] as const
/** Of the places, how many may be taken before there are twice as many. */
const FULL = 0.75

/** The last event of a slot. */
export interface SlotHead {
  readonly version: number
  readonly offset: number
  /** Whether the event has this hash. */
  is(hash: Buffer): boolean
  /** Whether the event before it has this hash; false when there was none. */
  wasBefore(hash: Buffer): boolean
}

export class SlotTable {
  /** Entry number + 1 by place, 0 for none. */
  #places = new Uint32Array(FIRST_PLACES)
  readonly #chunks: Buffer[] = []
  #count = 0
  /** Of the slot that was asked for last: what is looked up is mostly set next. */
  #last = { slot: '', key: keyOf('') }

  get size(): number {
    return this.#count
  }

  get(slot: string): SlotHead | null {
    const key = this.#keyOf(slot)
    const entry = this.#places[this.#find(key)] ?? 0
    if (entry === 0) return null
    const [chunk, at] = this.#at(entry - 1)
    return {
      version: chunk.readDoubleLE(at + VERSION_AT),
      offset: chunk.readDoubleLE(at + OFFSET_AT),
      is: (hash) => hash.compare(chunk, at + HEAD_AT, at + HEAD_AT + HASH_BYTES, 0, HASH_BYTES) === 0,
      wasBefore: (hash) => hash.compare(chunk, at + PREVIOUS_AT, at + PREVIOUS_AT + HASH_BYTES, 0, HASH_BYTES) === 0,
    }
  }

  /** The slot's newest event is this one; what was newest is now the one before. */
  set(slot: string, version: number, offset: number, hash: Buffer): void {
    const key = this.#keyOf(slot)
    const place = this.#find(key)
    const known = this.#places[place] ?? 0
    const entry = known === 0 ? this.#add(place, key) : known - 1
    const [chunk, at] = this.#at(entry)
    chunk.copy(chunk, at + PREVIOUS_AT, at + HEAD_AT, at + HEAD_AT + HASH_BYTES)
    hash.copy(chunk, at + HEAD_AT, 0, HASH_BYTES)
    chunk.writeDoubleLE(version, at + VERSION_AT)
    chunk.writeDoubleLE(offset, at + OFFSET_AT)
  }

  #keyOf(slot: string): Buffer {
    if (this.#last.slot !== slot) this.#last = { slot, key: keyOf(slot) }
    return this.#last.key
  }

  #add(place: number, key: Buffer): number {
    const entry = this.#count++
    if (entry % CHUNK_ENTRIES === 0) this.#chunks.push(Buffer.alloc(CHUNK_ENTRIES * ENTRY_BYTES))
    const [chunk, at] = this.#at(entry)
    key.copy(chunk, at, 0, HASH_BYTES)
    this.#places[place] = entry + 1
    if (this.#count > this.#places.length * FULL) this.#grow()
    return entry
  }

  #at(entry: number): readonly [Buffer, number] {
    const chunk = this.#chunks[Math.floor(entry / CHUNK_ENTRIES)]
    if (!chunk) throw new RangeError('there is no such entry')
    return [chunk, (entry % CHUNK_ENTRIES) * ENTRY_BYTES]
  }

  /** The place of a key, or the free one where it belongs. */
  #find(key: Buffer): number {
    const mask = this.#places.length - 1
    for (let place = key.readUInt32LE(0) & mask; ; place = (place + 1) & mask) {
      const entry = this.#places[place] ?? 0
      if (entry === 0) return place
      const [chunk, at] = this.#at(entry - 1)
      if (key.compare(chunk, at, at + HASH_BYTES, 0, HASH_BYTES) === 0) return place
    }
  }

  #grow(): void {
    this.#places = new Uint32Array(this.#places.length * 2)
    for (let entry = 0; entry < this.#count; entry++) {
      const [chunk, at] = this.#at(entry)
      this.#places[this.#find(chunk.subarray(at, at + HASH_BYTES))] = entry + 1
    }
  }
}

/**
 * 128 bits of a slot's name under seeds drawn for this process: nobody can make names that meet, and by chance they do
 * not. A cryptographic hash would take a third of the whole check's time.
 */
function keyOf(slot: string): Buffer {
  let [a, b, c, d]: [number, number, number, number] = [...SEEDS]
  for (let i = 0; i < slot.length; i++) {
    const unit = slot.charCodeAt(i)
    a = Math.imul(a ^ unit, 0x9e3779b1)
    b = Math.imul(b ^ unit, 0x85ebca77)
    c = Math.imul(c ^ unit ^ (a >>> 15), 0xc2b2ae3d)
    d = Math.imul(d ^ unit ^ (b >>> 13), 0x27d4eb2f)
  }
  const key = Buffer.allocUnsafe(HASH_BYTES)
  key.writeInt32LE(mixed(a ^ (d >>> 16)), 0)
  key.writeInt32LE(mixed(b ^ (c >>> 16)), 4)
  key.writeInt32LE(mixed(c ^ (a >>> 16)), 8)
  key.writeInt32LE(mixed(d ^ (b >>> 16)), 12)
  return key
}

function mixed(lane: number): number {
  let bits = Math.imul(lane ^ (lane >>> 16), 0x85ebca6b)
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35)
  return bits ^ (bits >>> 16)
}
