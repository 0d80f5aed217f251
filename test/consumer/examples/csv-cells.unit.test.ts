import { parse } from 'csv-parse/sync'
import { describe, expect, it } from 'vitest'
import {
  BOM,
  eventIds,
  eventLine,
  freeText,
  headerLine,
  identifier,
  pesos,
} from '../../../services/consumer/examples/csv-cells.ts'
import { publicEventOf } from '../../../services/consumer/public-event.ts'
import type { PublicEvent } from '../../../services/consumer/index.ts'
import { commands } from '../../protocol/commands.ts'
import { decision } from '../events.ts'

function approval(consecutive: string, metadata?: string): PublicEvent {
  const command = commands.spending(consecutive, { card: '6039591000000018', token: '482915', amount: 1, metadata })
  const event = publicEventOf(decision(command, { amountMinor: 2_500_050 }))
  if (!event) throw new Error('an approval is public')
  return event
}

const rowOf = (event: PublicEvent, separator: ';' | ',') =>
  parse(BOM + headerLine(separator) + eventLine(event, separator), {
    bom: true,
    columns: true,
    delimiter: separator,
  })[0]

describe('a line of the approvals', () => {
  it('has a comma or a point in its amounts, by its separator, and the time of Bogota', () => {
    expect(rowOf(approval('buy-1'), ';')).toMatchObject({ amount: '25000,50', 'time in Bogota': '2026-05-01 07:00:00' })
    expect(rowOf(approval('buy-1'), ',')).toMatchObject({ amount: '25000.50', consecutive: 'buy-1' })
    expect(pesos(7, ';')).toBe('0,07')
    expect(pesos(100_000_000_000_000, ',')).toBe('1000000000000.00')
  })

  it('comes back whole through a CSV reader, whatever its metadata holds', () => {
    for (const text of ['a;b,c', 'say "hola"', 'Muñoz ☕', "it's"])
      expect(rowOf(approval('buy-1', text), ';')).toMatchObject({ metadata: text })
    expect(rowOf(approval('buy-1', 'two\r\nlines'), ';')).toMatchObject({ metadata: 'two lines' })
  })

  it('is no formula, however its free text begins', () => {
    for (const text of ['=1+1', '+1', '-1', '@SUM(A1)', ' =1', '\t=1', '\r=1', '|cmd', '%0'])
      expect({ text, cell: freeText(text)[0] }).toEqual({ text, cell: "'" })
    expect(freeText('plain = text')).toBe('plain = text')
  })

  it('keeps identifiers as they are: no number, no date, no truth value is made of them', () => {
    for (const text of ['007', '123456', '1E5', '-5', '3-4', '1.2', 'MAR1', '3-dic', 'TRUE', '12345678901234567890'])
      expect(identifier(text)).toBe(`="${text}"`)
    for (const text of ['A1', 'T0000001', 'buy-1', '0b9c1d4e-1c2d-4e5f-8a9b-0c1d2e3f4a5b', ''])
      expect(identifier(text)).toBe(text)
    expect(identifier('"&cmd')).toBe('"&cmd')
    expect(identifier('=x')).toBe("'=x")
  })

  it('names its event at its end', () => {
    const text = BOM + headerLine(';') + eventLine(approval('buy-1', 'a;"b'), ';')
    expect(eventIds(text, ';')).toEqual(['event', 'D.i1.subject#1'])
  })
})
