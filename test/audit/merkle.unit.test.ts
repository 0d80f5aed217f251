// Merkle trees against the vectors of Certificate Transparency's own tests, and paths for every leaf of every size.

import { describe, expect, it } from 'vitest'
import { EMPTY_ROOT, inclusionPath, rootOf, rootOfPath, sha256 } from '../../services/audit/merkle.ts'
import { progressLine } from '../../services/cli/audit/progress.ts'
import { SlotTable } from '../../services/audit/slot-table.ts'

const leafOf = (hex: string) => sha256(Buffer.concat([Buffer.of(0), Buffer.from(hex, 'hex')]))
/** google/certificate-transparency, merkle_tree_test: eight leaves. */
const LEAVES = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'].map(
  leafOf,
)

describe('a Merkle tree', () => {
  it('has the roots that RFC 9162 gives it', () => {
    expect(EMPTY_ROOT.toString('hex')).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
    expect(rootOf(LEAVES.slice(0, 1)).toString('hex')).toBe(
      '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
    )
    expect(rootOf(LEAVES).toString('hex')).toBe('5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328')
  })

  it('leads from every leaf to its root, and from no other leaf', () => {
    for (let size = 1; size <= 40; size++) {
      const leaves = Array.from({ length: size }, (_, i) => leafOf(i.toString(16).padStart(4, '0')))
      const root = rootOf(leaves)
      leaves.forEach((leaf, i) => {
        const path = inclusionPath(leaves, i)
        expect(rootOfPath(leaf, i, size, path)?.equals(root), `${i} of ${size}`).toBe(true)
        expect(rootOfPath(leafOf('ff'), i, size, path)?.equals(root) ?? false, `${i} of ${size}`).toBe(false)
        expect(rootOfPath(leaf, size, size, path)).toBeNull()
        if (path.length > 0) expect(rootOfPath(leaf, i, size, path.slice(1))?.equals(root) ?? false).toBe(false)
      })
    }
  })
})

describe('the table of slots', () => {
  it('keeps the last two hashes, the version and the place of a hundred thousand slots', () => {
    const table = new SlotTable()
    const hashOf = (slot: number, version: number) => sha256(Buffer.from(`${slot}#${version}`))
    for (let version = 1; version <= 2; version++) {
      for (let slot = 0; slot < 100_000; slot++)
        table.set(`@A1:CODE:${slot}`, version, slot * version, hashOf(slot, version))
    }
    expect(table.size).toBe(100_000)
    for (let slot = 0; slot < 100_000; slot += 997) {
      const head = table.get(`@A1:CODE:${slot}`)
      expect(head).toMatchObject({ version: 2, offset: slot * 2 })
      expect([head?.is(hashOf(slot, 2)), head?.wasBefore(hashOf(slot, 1)), head?.is(hashOf(slot, 1))]).toEqual([
        true,
        true,
        false,
      ])
    }
    expect(table.get('@A1:CODE:100000')).toBeNull()
  })
})

describe('progress', () => {
  it('tells count, rate and time left', () => {
    expect(progressLine('records', 120_000, 1_020_000, 2)).toBe(
      '120,000 of 1,020,000 records, 60,000 a second, 15 s left',
    )
    expect(progressLine('records', 5, null, 1)).toBe('5 records, 5 a second')
  })
})
