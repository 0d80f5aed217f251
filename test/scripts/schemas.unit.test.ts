import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { schemasProgram } from '../../scripts/schemas.ts'
import { schemaPlace, textOf, type SchemaPlace } from '../adapters/avro/folders.ts'
import { registryServer } from '../adapters/registry/registry-server.ts'

let place: SchemaPlace
beforeEach(() => {
  place = schemaPlace()
  place.put('message', textOf([{ name: 'id', type: 'string' }]))
})
afterEach(() => {
  place.remove()
  process.exitCode = 0
  vi.unstubAllEnvs()
})

/** What the command says, and its exit code. */
async function run(...args: string[]): Promise<readonly [string, number]> {
  const lines: string[] = []
  process.exitCode = 0
  await schemasProgram(place.url, (line) => lines.push(line)).parseAsync(args, { from: 'user' })
  return [lines.join('\n'), Number(process.exitCode)]
}

describe('npm run schemas', () => {
  it('releases once, and says so', async () => {
    expect(await run('check')).toEqual([
      '1 schemas agree with 0 released versions\nnot released yet: message (npm run schemas -- release)',
      0,
    ])
    expect((await run('check', '--released'))[1]).toBe(1)
    expect(await run('release')).toEqual([expect.stringMatching(/^test\.Message version 1 [0-9a-f]{16}\ncommit/), 0])
    expect(await run('release')).toEqual(['nothing to release: every schema is as its last version', 0])
    expect(await run('check', '--released')).toEqual(['1 schemas agree with 1 released versions', 0])
    expect((await run('list'))[0]).toMatch(/^message 1 [0-9a-f]{16} \(present\)$/)
  })

  it('refuses what old readers could not read, and writes nothing', async () => {
    await run('release')
    place.put('message', textOf([{ name: 'name', type: 'string' }]))
    expect(await run('check')).toEqual([expect.stringContaining('test.Message.name is new and has no default'), 1])
    expect(await run('release')).toEqual([expect.stringMatching(/nothing was released$/), 1])
    expect((await run('list'))[0]).toMatch(/^message 1 [0-9a-f]{16}\nmessage unreleased [0-9a-f]{16} \(present\)$/)
  })

  it('registers every version, oldest first, and says what is missing for it', async () => {
    await run('release')
    place.put(
      'message',
      textOf([
        { name: 'id', type: 'string' },
        { name: 'n', type: ['null', 'int'], default: null },
      ]),
    )
    vi.stubEnv('SCHEMA_REGISTRY_URL', '')
    expect(await run('register')).toEqual(['SCHEMA_REGISTRY_URL: is required', 2])
    const server = await registryServer()
    vi.stubEnv('SCHEMA_REGISTRY_URL', server.url)
    expect(await run('register')).toEqual([
      expect.stringMatching(/^test\.Message \w+ id 1\ntest\.Message \w+ id 2$/),
      0,
    ])
    expect(await run('register')).toEqual([expect.stringMatching(/id 1\n.*id 2$/), 0])
    expect(server.subjects()).toEqual({ 'test.Message': [1, 2] })
    await server.close()
    expect(await run('register')).toEqual([expect.stringContaining('does not answer: ECONNREFUSED'), 2])
  })

  it('says which file is no schema', async () => {
    place.put('message', '{"type":"record"}')
    expect(await run('check')).toEqual([expect.stringMatching(/^schemas\/message\.avsc: not an Avro schema/), 2])
  })
})
