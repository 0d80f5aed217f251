import { describe, expect, it } from 'vitest'
import { charge, FOREIGN, NOW, OTHER, servicePerTest, type Service } from './service.ts'

const start = servicePerTest()

/** Well-formed ids that nobody has. */
const UNKNOWN = 'a'.repeat(20)

const codesOf = (answers: readonly { status: number; body: { error_code?: number } }[]) =>
  answers.map(({ status, body }) => body.error_code ?? status).sort((a, b) => a - b)

describe('refunding a charge', () => {
  const charged = async (service: Service) =>
    (await service.post('/charges', charge(await service.token(), { amount: 100 }))).body

  it('gives back all of it without a body, and nothing twice', async () => {
    const service = await start()
    const before = await charged(service)
    const { status, body } = await service.post(`/charges/${before.id}/refund`)
    expect(status).toBe(200)
    expect(body).toEqual({
      ...before,
      status: 'refunded',
      refund: {
        id: expect.stringMatching(/^[a-z0-9]{20}$/),
        amount: 100,
        creation_date: '2026-11-15T12:00:00-05:00',
        authorization: expect.stringMatching(/^[0-9]{6}$/),
      },
    })
    expect(await service.get(`/charges/${before.id}`)).toMatchObject({ body })
    const again = await service.post(`/charges/${before.id}/refund`)
    expect([again.status, again.body.error_code]).toEqual([422, 1003])
    expect(service.refunded).toHaveLength(1)
  })

  it('gives back parts of it, each with its own number and time, until nothing is left', async () => {
    const service = await start()
    const before = await charged(service)
    const refund = (body?: object) => service.post(`/charges/${before.id}/refund`, body)
    const first = await refund({ amount: 30.25, description: 'Devolución' })
    expect(first.body).toMatchObject({
      status: 'completed',
      refund: { amount: 30.25 },
      authorization: before.authorization,
    })
    service.clock.now = () => NOW + 60_000
    expect((await refund({ amount: 69.76 })).body.error_code).toBe(1003)
    const second = await refund({})
    expect(second.body).toMatchObject({
      status: 'refunded',
      creation_date: before.creation_date,
      authorization: before.authorization,
      refund: { amount: 69.75, creation_date: '2026-11-15T12:01:00-05:00' },
    })
    expect(service.refunded.map(({ amountMinor }) => amountMinor)).toEqual([3_025, 6_975])
  })

  it('says so when a charge has had as many refunds as one may have', async () => {
    const service = await start()
    const { id } = await charged(service)
    for (let made = 0; made < 100; made++) {
      expect((await service.post(`/charges/${id}/refund`, { amount: 0.01 })).status).toBe(200)
    }
    const { status, body } = await service.post(`/charges/${id}/refund`, { amount: 0.01 })
    expect([status, body.error_code]).toEqual([422, 1003])
    expect(body.description).toContain('ya tiene 100 devoluciones')
  }, 20_000)

  it('never gives back more than was charged when many ask at a time', async () => {
    const service = await start()
    const { id } = await charged(service)
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => service.post(`/charges/${id}/refund`, { amount: 30 })),
    )
    expect(codesOf(answers)).toEqual([200, 200, 200, ...Array.from({ length: 7 }, () => 1003)])
  })

  it('finds no charge of another merchant, of nobody, or under what is no id', async () => {
    const service = await start()
    const { id } = await charged(service)
    const foreign = { headers: FOREIGN, merchantId: OTHER.merchantId }
    expect((await service.call('POST', `/charges/${id}/refund`, foreign)).body.error_code).toBe(1005)
    expect((await service.call('GET', `/charges/${id}`, foreign)).body.error_code).toBe(1005)
    expect((await service.post(`/charges/${UNKNOWN}/refund`)).body.error_code).toBe(1005)
    const asked = service.published.length
    expect((await service.post('/charges/CARGO/refund')).body.error_code).toBe(1005)
    expect(service.published.length).toBe(asked)
    expect((await service.get(`/charges/${id}`)).body.status).toBe('completed')
  })

  it('refuses malformed amounts and bodies that are no object', async () => {
    const service = await start()
    const { id } = await charged(service)
    const asked = service.published.length
    for (const body of [{ amount: 0 }, { amount: '5' }, { amount: 0.001 }, { description: 5 }, [], '"x"', '{']) {
      const { status, body: error } = await service.post(`/charges/${id}/refund`, body)
      expect([body, status, error.error_code]).toEqual([body, 400, 1001])
    }
    expect(service.published.length).toBe(asked)
  })

  it('answers the decline of a refund, which leaves the charge as it was', async () => {
    const service = await start({ authorizer: { refund: async () => ({ kind: 'declined', code: '05' }) } })
    const before = await charged(service)
    const { status, body } = await service.post(`/charges/${before.id}/refund`)
    expect([status, body.error_code]).toEqual([402, 3001])
    expect((await service.get(`/charges/${before.id}`)).body).toEqual(before)
  })

  it('says of a refund without an answer that its outcome is unknown', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const service = await start({
      authorizer: { refund: () => promise.then(() => ({ kind: 'approved' as const })) },
      limits: { replyTimeoutMs: 300 },
    })
    const { id } = await charged(service)
    const { status, body } = await service.post(`/charges/${id}/refund`)
    expect([status, body.error_code]).toEqual([500, 1000])
    expect(body.description).toContain('No se conoce el resultado de la devolución')
    expect((await service.get(`/charges/${id}`)).body.status).toBe('completed')
    expect((await service.post(`/charges/${id}/refund`)).body.error_code).toBe(1003)
    resolve()
    await expect.poll(async () => (await service.get(`/charges/${id}`)).body.status).toBe('refunded')
  })
})
