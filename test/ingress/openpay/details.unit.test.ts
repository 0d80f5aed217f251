import { describe, expect, it } from 'vitest'
import { createKeyRing } from '../../../services/adapters/keys/key-ring.ts'
import { openDetails, sealDetails } from '../../../services/ingress/openpay/details.ts'
import { readToken } from '../../../services/ingress/openpay/requests.ts'
import { keys } from '../harness.ts'
import { CARD, NOW, TOKEN } from './service.ts'

const key = (fill: number) => Buffer.alloc(32, fill).toString('base64')
const ringOf = (id: string, fill: number) =>
  createKeyRing({
    identity: { id: 'i', key: key(1) },
    token: [{ id: 't', key: key(2) }],
    seal: [{ id, key: key(fill) }],
  })

function fieldsOf(body: object) {
  const read = readToken(body, NOW, [])
  if (read.kind === 'refused') throw new Error(`refused: ${read.refusal.code}`)
  return read.fields
}

describe('the details of a card', () => {
  it('are read again by whom they were sealed for, without the number and the code', () => {
    const sealed = sealDetails(fieldsOf(TOKEN), NOW, 'merchant', keys)
    const opened = openDetails(sealed, 'merchant', keys)
    expect(opened).toEqual({
      holder_name: TOKEN.holder_name,
      expiration_year: '29',
      expiration_month: '12',
      address: TOKEN.address,
      createdAt: NOW,
    })
    expect(JSON.stringify(opened)).not.toContain(CARD)
  })

  it('hold no card number wherever one was put', () => {
    const text = `${CARD} y 4111-1111-1111-1111`
    const address = {
      ...TOKEN.address,
      line1: text,
      line2: text,
      line3: text,
      city: text,
      state: text,
      postal_code: CARD,
    }
    const opened = openDetails(
      sealDetails(fieldsOf({ ...TOKEN, holder_name: text, address }), NOW, 'm', keys),
      'm',
      keys,
    )
    expect(JSON.stringify(opened)).not.toMatch(/4111.?1111.?1111.?1111/)
    expect(opened?.holder_name).toBe('411111******1111 y 4111-11**-****-1111')
  })

  it('are nothing to another merchant, and to a ring that has lost their key', () => {
    const sealed = sealDetails(fieldsOf(TOKEN), NOW, 'merchant', ringOf('s1', 3))
    expect(openDetails(sealed, 'another', ringOf('s1', 3))).toBeNull()
    expect(openDetails(sealed, 'merchant', ringOf('s2', 4))).toBeNull()
    expect(openDetails(sealed, 'merchant', ringOf('s1', 3))).not.toBeNull()
  })

  it('fit what a command may carry, however long a caller makes them', () => {
    const long = (count: number) => '\u{1F600}'.repeat(count)
    const address = {
      line1: long(200),
      line2: long(200),
      line3: long(200),
      postal_code: long(20),
      state: long(100),
      city: long(100),
      country_code: 'CO',
    }
    const sealed = sealDetails(fieldsOf({ ...TOKEN, holder_name: long(100), address }), NOW, 'merchant', keys)
    expect(sealed.length).toBeLessThanOrEqual(8_000)
    const control = (count: number) => `a${'\u0001'.repeat(count - 1)}`
    const worst = {
      line1: control(200),
      line2: control(200),
      line3: control(200),
      postal_code: control(20),
      state: control(100),
      city: control(100),
      country_code: 'CO',
    }
    expect(
      sealDetails(fieldsOf({ ...TOKEN, holder_name: control(100), address: worst }), NOW, 'm', keys).length,
    ).toBeLessThanOrEqual(8_000)
  })
})
