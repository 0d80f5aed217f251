// Environment variables: what counts as absent, files for secrets, and messages that name the rule and never a value.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  ConfigError,
  optionalVariable,
  readEnv,
  variable,
  type Environment,
  type Variables,
} from '../../services/runtime/env.ts'
import {
  host,
  hostList,
  json,
  oneOf,
  pesos,
  port,
  redisUrl,
  text,
  wholeNumber,
  yesOrNo,
} from '../../services/runtime/env-values.ts'
import { keyRingShape } from '../../services/runtime/config-keys.ts'

let folder: string
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'env-'))))
afterAll(() => rmSync(folder, { recursive: true }))

function file(name: string, content: string): string {
  writeFileSync(join(folder, name), content)
  return join(folder, name)
}

function problems(variables: Variables, env: Environment): readonly string[] {
  try {
    readEnv(variables, env)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

const about = { description: 'x' }
const SECRET = { SECRET: variable(text(100), { ...about, secret: true }) }

describe('a variable', () => {
  it('is absent when unset, empty or blank: its default then, or undefined', () => {
    const variables = { A: variable(port, { ...about, fallback: '80' }), B: optionalVariable(port, about) }
    for (const absent of [undefined, '', '  ', '\n']) {
      expect(readEnv(variables, { A: absent, B: absent })).toEqual({ A: 80 })
    }
    expect(readEnv(variables, { A: ' 81 ', B: '82\n' })).toEqual({ A: 81, B: 82 })
  })

  it('that is needed and absent stops the start, with all others that are wrong', () => {
    const variables = { A: variable(port, about), B: variable(port, about), C: variable(port, about) }
    const told = problems(variables, { B: 'canary', C: '1' })
    expect(told).toEqual(['A: is required', 'B: must be a whole number from 0 to 65535'])
  })

  it('that is secret is read from the file that its _FILE names, without the line end', () => {
    expect(readEnv(SECRET, { SECRET_FILE: file('secret', 'canary\n') })).toEqual({ SECRET: 'canary' })
  })

  it('that is not secret has no file', () => {
    expect(problems({ A: variable(text(100), about) }, { A_FILE: file('plain', 'x') })).toEqual(['A: is required'])
  })

  it('must not be set twice, and its file must be readable, filled and of bounded size', () => {
    const twice = { SECRET: 'a', SECRET_FILE: file('b', 'b') }
    expect(problems(SECRET, twice)).toEqual(['SECRET: is set, and SECRET_FILE too'])
    const missing = join(folder, 'canary')
    expect(problems(SECRET, { SECRET_FILE: missing })).toEqual(['SECRET_FILE: the file cannot be read (ENOENT)'])
    expect(problems(SECRET, { SECRET_FILE: folder })).toEqual(['SECRET_FILE: the file cannot be read (EISDIR)'])
    expect(problems(SECRET, { SECRET_FILE: file('blank', ' \n') })).toEqual(['SECRET: is required'])
    const huge = file('huge', 'x'.repeat(1_048_577))
    expect(problems(SECRET, { SECRET_FILE: huge })).toEqual(['SECRET_FILE: the file is larger than 1048576 bytes'])
  })
})

describe('what a variable may hold', () => {
  const accepted: readonly (readonly [string, Variables[string], string, unknown])[] = [
    ['a whole number', variable(wholeNumber(1, 10), about), '10', 10],
    ['yes', variable(yesOrNo, about), 'true', true],
    ['no', variable(yesOrNo, about), 'false', false],
    ['a choice', variable(oneOf(['a', 'b']), about), 'b', 'b'],
    ['a host', variable(host, about), '::1', '::1'],
    ['hosts', variable(hostList, about), 'k:9092, 10.0.0.1:9093,[::1]:9094', ['k:9092', '10.0.0.1:9093', '[::1]:9094']],
    ['a Redis', variable(redisUrl, about), 'rediss://u:p@redis:6380/1', 'rediss://u:p@redis:6380/1'],
    ['pesos', variable(pesos, about), '10000.50', 1_000_050],
  ]
  for (const [what, spec, given, value] of accepted) {
    it(`${what}: '${given}'`, () => expect(readEnv({ V: spec }, { V: given })).toEqual({ V: value }))
  }

  const refused: readonly (readonly [string, Variables[string], readonly string[]])[] = [
    ['a whole number', variable(wholeNumber(1, 10), about), ['0', '11', '1.5', '1e1', '-1', '0x5', 'canary', '5 5']],
    ['a truth value', variable(yesOrNo, about), ['1', 'yes', 'TRUE', 'canary']],
    ['a choice', variable(oneOf(['a', 'b']), about), ['c', 'A', 'canary']],
    ['a host', variable(host, about), ['canary/x', 'a b']],
    ['hosts', variable(hostList, about), ['canary', 'h:0', 'h:65536', 'h:1,canary', 'http://h:1', ',']],
    ['a Redis', variable(redisUrl, about), ['canary', 'http://u:canary@h', 'redis://', 'h:6379']],
    ['pesos', variable(pesos, about), ['0', '-1', '1.234', '1e3', 'canary']],
    ['a text', variable(text(5), about), ['canary']],
    [
      'a ring',
      variable(json(keyRingShape), about),
      [
        'canary',
        '{}',
        '{"identity":{"id":"canary-canary","key":"k"},"token":[],"seal":[]}',
        '{"identity":{"id":"i","key":7},"token":[{"id":"t","key":"canary"}],"seal":[{"id":"s","key":"canary"}]}',
      ],
    ],
  ]
  for (const [what, spec, texts] of refused) {
    it(`refuses what is no ${what.replace(/^an? /, '')}, and does not repeat it`, () => {
      for (const given of texts) {
        const told = problems({ V: spec }, { V: given })
        expect(told.length).toBeGreaterThan(0)
        for (const line of told) expect(line).toMatch(/^V[^ ]*: /)
        expect(told.join()).not.toContain('canary')
      }
    })
  }
})
