import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createRegistryClient, RegistryError, type RegistryFault } from '../../../services/adapters/registry/client.ts'
import { textOf } from '../avro/folders.ts'
import { registryServer, type RegistryServer } from './registry-server.ts'

const first = textOf([{ name: 'id', type: 'string' }])
const second = textOf([
  { name: 'id', type: 'string' },
  { name: 'note', type: ['null', 'string'], default: null },
])
const other = textOf([{ name: 'id', type: 'long' }])

let server: RegistryServer
beforeEach(async () => {
  server = await registryServer()
})
afterEach(() => server.close())

const client = (more: object = {}) => createRegistryClient({ url: server.url, timeoutMs: 2_000, ...more })

async function faultOf(call: Promise<unknown>): Promise<readonly [RegistryFault, string]> {
  const error = await call.then(
    () => null,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(RegistryError)
  return [(error as RegistryError).fault, (error as RegistryError).message]
}

describe('a registry client', () => {
  it('registers, looks up and reads schemas as the interface is documented', async () => {
    const id = await client().register('test.Message', first)
    expect(await client().register('test.Message', first)).toBe(id)
    expect(await client().lookUp('test.Message', first)).toBe(id)
    expect(await client().register('test.Message', second)).not.toBe(id)
    expect(await client().schemaOf(id)).toBe(first)
    await client().ping()
    expect(server.requests).toEqual([
      'POST /subjects/test.Message/versions',
      'POST /subjects/test.Message/versions',
      'POST /subjects/test.Message',
      'POST /subjects/test.Message/versions',
      `GET /schemas/ids/${id}`,
      'GET /schemas/types',
    ])
    expect(server.contentTypes[0]).toBe('application/vnd.schemaregistry.v1+json')
  })

  it('tells what is not there from what is refused', async () => {
    expect(await faultOf(client().lookUp('test.Message', first))).toEqual([
      'absent',
      expect.stringContaining('404, 40401'),
    ])
    await client().register('test.Message', first)
    expect(await faultOf(client().lookUp('test.Message', second))).toEqual([
      'absent',
      expect.stringContaining('404, 40403'),
    ])
    expect(await faultOf(client().schemaOf(99))).toEqual(['absent', expect.stringContaining('404, 40403')])
    expect(await faultOf(client().register('test.Message', other))).toEqual([
      'incompatible',
      expect.stringMatching(
        /409, 409 Schema being registered is incompatible.*test\.Message\.id was string and is long/,
      ),
    ])
    expect(await faultOf(client().register('test.Message', '{'))).toEqual([
      'refused',
      expect.stringContaining('422, 42201'),
    ])
  })

  it('signs in, and says which variables to look at when that is not taken', async () => {
    await server.close()
    server = await registryServer({ credentials: 'user:pass:ñ' })
    await client({ auth: { username: 'user', password: 'pass:ñ' } }).ping()
    const [fault, message] = await faultOf(client({ auth: { username: 'user', password: 'hidden' } }).ping())
    expect([fault, message]).toEqual(['forbidden', expect.stringContaining('SCHEMA_REGISTRY_PASSWORD')])
    expect(message).not.toContain('hidden')
  })

  it.each([429, 500, 503])('tries again when the registry answers %i, three times at most', async (status) => {
    server.fail(2, status)
    await client().ping()
    expect(server.requests).toHaveLength(3)
    server.fail(3, status)
    expect(await faultOf(client().ping())).toEqual(['unreachable', expect.stringContaining(`answers ${status}`)])
    expect(server.requests).toHaveLength(6)
  })

  it('waits no longer than it is told to', async () => {
    server.hang(true)
    const started = performance.now()
    expect(await faultOf(client({ timeoutMs: 100 }).ping())).toEqual([
      'unreachable',
      expect.stringContaining('not within 100 ms'),
    ])
    expect(performance.now() - started).toBeLessThan(1_500)
  })

  it('says that nobody is there, without naming the address', async () => {
    const { url } = server
    await server.close()
    const [fault, message] = await faultOf(createRegistryClient({ url, timeoutMs: 500 }).ping())
    expect([fault, message]).toEqual([
      'unreachable',
      'the schema registry (SCHEMA_REGISTRY_URL) does not answer: ECONNREFUSED',
    ])
    server = await registryServer()
  })

  it('notices that the address is of something else', async () => {
    server.fail(1, 200, '<html>')
    expect(await faultOf(client().schemaOf(1))).toEqual([
      'refused',
      expect.stringContaining('is SCHEMA_REGISTRY_URL right?'),
    ])
    server.fail(1, 404, '<html>')
    expect((await faultOf(client().lookUp('s', first)))[0]).toBe('refused')
    server.fail(1, 200, 'x'.repeat(1_100_000))
    expect(await faultOf(client().schemaOf(1))).toEqual(['refused', expect.stringContaining('more than')])
  })

  it('takes no schema of another kind, and none that refers to others', async () => {
    server.put(5, { schema: '{}', schemaType: 'JSON' })
    server.put(6, { schema: first, references: [{ name: 'a', subject: 'b', version: 1 }] })
    expect((await faultOf(client().schemaOf(5)))[0]).toBe('absent')
    expect((await faultOf(client().schemaOf(6)))[0]).toBe('absent')
  })

  it('keeps the path of the address and the whole of a subject', async () => {
    server.fail(1, 200, '{"id":3}')
    expect(await client({ url: `${server.url}/apis/ccompat/v7/` }).lookUp('a/b c', first)).toBe(3)
    expect(server.requests).toEqual(['POST /apis/ccompat/v7/subjects/a%2Fb%20c'])
  })
})
