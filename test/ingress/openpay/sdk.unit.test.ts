// The official SDK's calls over a real socket; the data are those of its own tests for Colombia.
import type { AddressInfo } from 'node:net'
import { describe, expect, it } from 'vitest'
import { sdkOne, sdkTwo } from './sdk.ts'
import { MERCHANT, servicePerTest, TOKEN } from './service.ts'

const start = servicePerTest()
const [privateKey = ''] = MERCHANT.privateKeys
const CHARGE = {
  method: 'card',
  amount: 200,
  currency: 'COP',
  iva: '10',
  description: 'Cargo inicial a mi cuenta',
  device_session_id: 'kR1MiQhz2otdIuUlQkbEyitIqVMiI16f',
  customer: {
    name: 'Cliente Colombia',
    last_name: 'Vazquez Juarez',
    phone_number: '4448936475',
    email: 'juan.vazquez@empresa.co',
  },
}

describe.each([
  ['1.0.5', sdkOne],
  ['2.x', sdkTwo],
])('the SDK %s', (_version, sdkOf) => {
  it('creates and reads a token, charges it once, reads the charge and refunds it', async () => {
    const { app } = await start()
    await app.listen({ host: '127.0.0.1', port: 0 })
    const { port } = app.server.address() as AddressInfo
    const sdk = sdkOf(`http://127.0.0.1:${port}`, MERCHANT.merchantId, privateKey)

    const token = await sdk.tokens.create(TOKEN)
    expect([token.status, token.error]).toEqual([201, null])
    expect(token.body.card).toMatchObject({
      card_number: '411111XXXXXX1111',
      brand: 'visa',
      holder_name: TOKEN.holder_name,
    })
    expect(await sdk.tokens.get(token.body.id)).toEqual({ ...token, status: 200 })

    const charge = await sdk.charges.create({ ...CHARGE, source_id: token.body.id })
    expect([charge.status, charge.error, charge.body.status, charge.body.amount]).toEqual([200, null, 'completed', 200])
    const again = await sdk.charges.create({ ...CHARGE, source_id: token.body.id })
    expect([again.status, again.body, again.error.error_code]).toEqual([422, null, 1003])
    expect(await sdk.charges.get(charge.body.id)).toEqual(charge)

    const part = await sdk.charges.refund(charge.body.id, { description: 'testing refound', amount: 50 })
    expect([part.status, part.body.status, part.body.refund.amount]).toEqual([200, 'completed', 50])
    const rest = await sdk.charges.refund(charge.body.id)
    expect([rest.status, rest.body.status, rest.body.refund.amount]).toEqual([200, 'refunded', 150])
  })

  it('gets the error object of what is refused', async () => {
    const { app } = await start()
    await app.listen({ host: '127.0.0.1', port: 0 })
    const { port } = app.server.address() as AddressInfo
    const base = `http://127.0.0.1:${port}`
    const { tokens } = sdkOf(base, MERCHANT.merchantId, privateKey)
    expect((await tokens.create({ ...TOKEN, expiration_year: '20' })).error).toMatchObject({
      error_code: 2005,
      http_code: 400,
    })
    expect((await tokens.get('nothing')).error).toMatchObject({ error_code: 1005 })
    const stranger = sdkOf(base, MERCHANT.merchantId, 'sk_wrong').tokens
    expect((await stranger.create(TOKEN)).error).toMatchObject({ error_code: 1002, category: 'request' })
  })
})
