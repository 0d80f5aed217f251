// Verifying on memory: every kind of tampering at hundreds of places, and what is no fault.

import { beforeAll, describe, expect, it } from 'vitest'
import { logSource, type Selection } from '../../services/audit/event-source.ts'
import { verify, type Verified } from '../../services/audit/verify.ts'
import type { FaultKind } from '../../services/audit/fault.ts'
import type { Log } from '../../services/ports/log.ts'
import { TOPIC } from '../../services/runtime/topics.ts'
import { hashOf, History, memoryLog, sign, verifier, wire } from './history.ts'
import { clone, copyOf, dice, logOf, type Copy, type Loose } from './tamper.ts'

const RECORDS = 900
const TAIL = 120
const SLOTS = 30
const PLACES = 60
const SEED = Number(process.env['TAMPER_SEED'] ?? 20_261_121)

const verified = (
  log: Log,
  selection?: Selection,
  over: Partial<Parameters<typeof verify>[0]> = {},
): Promise<Verified> => verify({ source: logSource(log), wire, verifier, selection, ...over })

const firstFault = async (copy: Copy) => (await verified(logOf(copy))).faults[0]

describe('verify', () => {
  /** All covered, and the same with records behind the last checkpoint. */
  let covered: Copy
  let tailed: Copy
  let history: History

  beforeAll(async () => {
    const log = memoryLog()
    history = new History()
    await log.publish(history.some(RECORDS, SLOTS))
    await sign(log)
    covered = await copyOf(log)
    await log.publish(history.some(TAIL, SLOTS))
    tailed = await copyOf(log)
  })

  const events = (copy: Copy, partition: number): Loose[] => copy.get(TOPIC.events)?.[partition] ?? []

  /** Places in what is covered: partition and index, from a seed that failures can be repeated with. */
  function places(seed: number, spare = 1): { partition: number; index: number }[] {
    const draw = dice(SEED + seed)
    return Array.from({ length: PLACES }, () => {
      const partition = draw(4)
      return { partition, index: draw(events(covered, partition).length - spare) }
    })
  }

  async function eachPlace(
    seed: number,
    tamper: (records: Loose[], index: number) => void,
    kinds: readonly FaultKind[],
    exact = true,
  ): Promise<void> {
    for (const { partition, index } of places(seed)) {
      const copy = clone(covered)
      tamper(events(copy, partition), index)
      const fault = await firstFault(copy)
      expect(fault, `seed ${SEED}, ${partition}/${index}`).toMatchObject({ topic: TOPIC.events, partition })
      expect(kinds, `seed ${SEED}, ${partition}/${index}: ${fault?.detail}`).toContain(fault?.kind)
      if (exact) expect(fault?.offset, `seed ${SEED}, ${partition}/${index}`).toBe(BigInt(index))
    }
  }

  it('finds nothing wrong with a log as it was written', async () => {
    const whole = await verified(logOf(tailed))
    expect(whole.faults).toEqual([])
    expect(whole.partitions.reduce((sum, part) => sum + part.after, 0)).toBe(TAIL)
    expect(whole.partitions.reduce((sum, part) => sum + part.covered, 0)).toBe(RECORDS)
  })

  it('names the place of a record whose value, key or header was changed by one bit', async () => {
    const draw = dice(SEED)
    await eachPlace(
      1,
      (records, index) => {
        const record = records[index] as Loose
        const way = draw(3)
        if (way === 0) {
          const value = Buffer.from(record.value ?? [])
          const at = draw(value.length)
          value.writeUInt8((value[at] ?? 0) ^ (1 << draw(8)), at)
          records[index] = { ...record, value }
        } else if (way === 1) records[index] = { ...record, key: `${record.key}x` }
        else records[index] = { ...record, headers: { ...record.headers, ce_type: 'token-judged' } }
      },
      ['changed'],
    )
  })

  it('names the place where a record was dropped', async () => {
    await eachPlace(2, (records, index) => records.splice(index, 1), ['missing'])
  })

  it('names the place where a record was inserted, forged ones included', async () => {
    const forged = new History()
    await eachPlace(3, (records, index) => records.splice(index, 0, forged.decision('D.forged')), ['added'])
  })

  it('names the place where two records were swapped, near and far', async () => {
    const draw = dice(SEED + 4)
    for (const { partition, index } of places(4, 2)) {
      const copy = clone(covered)
      const records = events(copy, partition)
      const other = index + 1 + draw(records.length - index - 1)
      ;[records[index], records[other]] = [records[other] as Loose, records[index] as Loose]
      expect(await firstFault(copy), `seed ${SEED}, ${partition}/${index}-${other}`).toMatchObject({
        kind: 'moved',
        partition,
        offset: BigInt(index),
      })
    }
  })

  it('finds a record that was moved to another partition', async () => {
    for (const { partition, index } of places(5).slice(0, 20)) {
      const copy = clone(covered)
      const [record] = events(copy, partition).splice(index, 1)
      events(copy, (partition + 1) % 4).push(record as Loose)
      const { faults } = await verified(logOf(copy))
      const fault = faults.find((one) => one.partition === partition)
      expect(fault, `seed ${SEED}, ${partition}/${index}`).toMatchObject({ kind: 'moved', offset: BigInt(index) })
    }
  })

  it('finds records cut off at the beginning or at the end of what is covered', async () => {
    const head = clone(covered)
    events(head, 0).splice(0, 3)
    expect(await firstFault(head)).toMatchObject({ kind: 'missing', partition: 0, offset: 0n })
    const end = clone(covered)
    const count = events(end, 2).length
    events(end, 2).splice(count - 3)
    expect(await firstFault(end)).toMatchObject({ kind: 'missing', partition: 2, offset: BigInt(count - 3) })
    const all = clone(covered)
    events(all, 3).splice(0)
    expect(await firstFault(all)).toMatchObject({ kind: 'missing', partition: 3, offset: 0n })
  })

  it('names the checkpoint that was dropped, changed, doubled out of turn, forged or put elsewhere', async () => {
    const count = covered.get(TOPIC.checkpoints)?.[0]?.length ?? 0
    expect(count).toBeGreaterThan(5)
    const tampered = async (tamper: (records: Loose[]) => void) => {
      const copy = clone(covered)
      tamper(copy.get(TOPIC.checkpoints)?.[0] as Loose[])
      return firstFault(copy)
    }
    const at = { topic: TOPIC.checkpoints, partition: 0 }
    for (let i = 0; i < count - 1; i++) {
      expect(await tampered((records) => records.splice(i, 1))).toMatchObject({
        ...at,
        kind: 'missing',
        offset: BigInt(i),
      })
      const swapped = await tampered((records) => records.splice(i, 2, records[i + 1] as Loose, records[i] as Loose))
      expect(swapped).toMatchObject({ ...at, kind: 'missing', offset: BigInt(i) })
      const changed = await tampered((records) => {
        const { value, ...rest } = records[i] as Loose
        const checkpoint = wire.decodeCheckpoint(value)
        const [range, ...others] = checkpoint.ranges
        const ranges = [{ ...(range as object), root: Buffer.alloc(32) }, ...others] as typeof checkpoint.ranges
        records[i] = { ...rest, value: wire.encodeCheckpoint({ ...checkpoint, ranges }).value }
      })
      expect(changed).toMatchObject({ ...at, kind: 'wrong signature', offset: BigInt(i) })
      expect(
        await tampered((records) => records.splice(i, 0, { key: null, value: Buffer.from('x'), headers: {} })),
      ).toMatchObject({
        ...at,
        kind: 'added',
        offset: BigInt(i),
      })
    }
    // Equal ones again are no fault: two notaries, or a publication that was repeated.
    expect(await tampered((records) => records.splice(3, 0, records[2] as Loose))).toBeUndefined()
  })

  it('finds that the newest checkpoints were cut off only when it is told what to expect', async () => {
    const { chain } = await verified(logOf(covered))
    const cut = clone(covered)
    cut.get(TOPIC.checkpoints)?.[0]?.pop()
    expect(await firstFault(cut)).toBeUndefined()
    const expected = chain.last as NonNullable<typeof chain.last>
    expect((await verified(logOf(cut), undefined, { expected })).faults).toMatchObject([
      { kind: 'missing', topic: TOPIC.checkpoints },
    ])
    expect((await verified(logOf(tailed), undefined, { expected })).faults).toEqual([])
  })

  it('finds chain faults behind the last checkpoint, and says how many records that is', async () => {
    const counts = { changed: 0, missing: 0, moved: 0, added: 0, unseen: 0 }
    const draw = dice(SEED + 6)
    for (let i = 0; i < PLACES * 2; i++) {
      const partition = draw(4)
      const begin = events(covered, partition).length
      const index = begin + draw(events(tailed, partition).length - begin)
      const record = events(tailed, partition)[index] as Loose
      const head = wire.eventHead(record.value)
      const followed = history.heads.get(head.slot ?? '')?.version !== head.version && head.slot !== undefined
      const copy = clone(tailed)
      const records = events(copy, partition)
      if (i % 3 === 0) records.splice(index, 1)
      else if (i % 3 === 1) records[index] = { ...record, value: flipLast(record.value) }
      else {
        const next = records.findIndex((other, j) => j > index && wire.eventHead(other.value).slot === head.slot)
        if (!followed || next < 0) continue
        ;[records[index], records[next]] = [records[next] as Loose, record]
      }
      const { faults, partitions } = await verified(logOf(copy))
      expect(partitions[partition]?.after ?? 0, `seed ${SEED}`).toBeGreaterThan(0)
      if (followed) {
        expect(faults, `seed ${SEED}, ${partition}/${index}`).toHaveLength(1)
        const kind = faults[0]?.kind as keyof typeof counts
        expect(kind).toBe((['missing', 'changed', 'moved'] as const)[i % 3])
        counts[kind]++
      } else counts.unseen++
    }
    expect(counts.changed).toBeGreaterThan(5)
    expect(counts.missing).toBeGreaterThan(5)
    expect(counts.moved).toBeGreaterThan(5)
  })

  it('calls two different events of one slot and version forked, and equal ones no fault, however old', async () => {
    const log = memoryLog()
    const fork = new History()
    const records = Array.from({ length: 12 }, () => fork.decision('D.one'))
    await log.publish([...records, ...records.slice(8), ...records.slice(2, 5)])
    await sign(log)
    const fine = await verified(log)
    expect(fine.faults).toEqual([])
    expect(fine.partitions.reduce((sum, part) => sum + part.duplicates, 0)).toBe(7)
    for (const version of [12, 11, 3]) {
      const copy = await copyOf(log)
      const before = records[version - 2]
      const other = new History()
      other.heads.set('D.one', { version: version - 1, hash: before ? hashOf(before.value) : '' })
      const forged = logOf(copy)
      await forged.publish([other.decision('D.one', { reason: 'another' })])
      expect((await verified(forged)).faults, `version ${version}`).toMatchObject([{ kind: 'forked', offset: 19n }])
    }
  })

  it('passes over records that are void behind a barrier, and counts them', async () => {
    const log = memoryLog()
    const living = new History()
    const late = new History()
    const first = living.decision('D.one')
    late.heads.set('D.one', { version: 1, hash: hashOf(first.value) })
    const partition = (await partitionOf(log, first)) ?? 0
    await log.publish([
      first,
      { ...living.barrier(2), partition },
      late.decision('D.one', { reason: 'late' }),
      living.decision('D.one', { epoch: 2 }),
    ])
    await sign(log)
    const { faults, partitions } = await verified(log)
    expect(faults).toEqual([])
    expect(partitions.find((part) => part.partition === partition)).toMatchObject({
      void: 1,
      outsideChains: 1,
      slots: 1,
    })
  })

  it('takes a stretch for itself: only ranges that lie whole in it, and chains from where they begin there', async () => {
    const log = logOf(tailed)
    const { faults, cutRanges, partitions } = await verified(log, { partition: 1, fromOffset: 37n, toOffset: 150n })
    expect(faults).toEqual([])
    expect(partitions).toHaveLength(1)
    expect(partitions[0]?.records).toBe(113)
    expect(cutRanges).toBeGreaterThan(0)
    const copy = clone(tailed)
    const index = 100
    events(copy, 1)[index] = { ...(events(copy, 1)[index] as Loose), key: 'other' }
    expect((await verified(logOf(copy), { partition: 1, fromOffset: 37n, toOffset: 180n })).faults).toMatchObject([
      { kind: 'changed', offset: BigInt(index) },
    ])
  })

  it('calls a record that is no event added, unless such are allowed', async () => {
    const log = memoryLog()
    await log.publish(history.some(10, 3))
    log.inject(TOPIC.events, 1, { key: 'odd', value: Buffer.from('odd') })
    const odd = new History()
    const fresh = memoryLog()
    await fresh.publish(odd.some(10, 3))
    fresh.inject(TOPIC.events, 1, { key: 'odd', value: Buffer.from('odd') })
    expect((await verified(fresh)).faults).toMatchObject([{ kind: 'added', partition: 1 }])
    const allowed = await verified(fresh, undefined, { allowForeign: true })
    expect(allowed.faults).toEqual([])
    expect(allowed.partitions[1]?.foreign).toBe(1)
  })
})

function flipLast(value: Uint8Array | null): Buffer {
  const bytes = Buffer.from(value ?? [])
  bytes.writeUInt8((bytes.at(-1) ?? 0) ^ 1, bytes.length - 1)
  return bytes
}

/** Where the log puts a record's key. */
async function partitionOf(log: Log, record: { key: string }): Promise<number | undefined> {
  const { partitionOf: place } = await import('../../services/adapters/partitioning.ts')
  return place(record.key, await log.partitions(TOPIC.events))
}
