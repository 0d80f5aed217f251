import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ConfigError } from '../../services/runtime/env.ts'
import { parseSubscriptions } from '../../services/webhooks/subscriptions.ts'
import { SECRET } from './receiver.ts'

const GOOD = { name: 'erp', url: 'https://example.com/hook', secrets: [SECRET] }

const parse = (subscriptions: readonly object[], env = {}) => parseSubscriptions({ subscriptions }, {}, env)

function problemsOf(...subscriptions: readonly object[]): readonly string[] {
  try {
    parse(subscriptions)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

describe('the subscriptions file', () => {
  it('says who is told of what, with approvals and declines from now on as the default', () => {
    const [erp] = parse([{ ...GOOD, acquirerIds: ['A1'], clientIds: ['demo'] }])
    expect(erp).toMatchObject({ name: 'erp', start: 'end', secrets: [SECRET] })
    expect([...(erp?.types ?? [])]).toEqual(['transaction.approved', 'transaction.declined'])
    expect([...(erp?.acquirers ?? [])]).toEqual(['A1'])
    expect(parse([{ ...GOOD, disabled: true }])).toEqual([])
  })

  it('may leave secrets in a file or a variable, one a line, the newest first', () => {
    const older = `whsec_${Buffer.alloc(24, 1).toString('base64')}`
    const folder = mkdtempSync(join(tmpdir(), 'webhooks-'))
    const path = join(folder, 'secrets')
    writeFileSync(path, `${SECRET}\n${older}\n`)
    const { secrets: _, ...bare } = GOOD
    expect(parse([{ ...bare, secretsFile: path }])[0]?.secrets).toEqual([SECRET, older])
    expect(parse([{ ...bare, secretsVariable: 'ERP_SECRET' }], { ERP_SECRET: SECRET })[0]?.secrets).toEqual([SECRET])
    rmSync(folder, { recursive: true })
    expect(problemsOf({ ...bare, secretsFile: path })[0]).toContain('cannot be read')
    expect(problemsOf({ ...bare, secretsVariable: 'ERP_SECRET' })[0]).toMatch(/^ERP_SECRET: must be 1 to 5 of whsec_/)
    expect(problemsOf(bare)[0]).toContain('exactly one of secrets, secretsFile, secretsVariable')
  })

  it('is refused with all that is wrong, and no value of it is told', () => {
    const problems = problemsOf(
      { ...GOOD, url: 'http://hidden.example/path', start: 'yesterday' },
      { ...GOOD, secrets: ['whsec_hidden'] },
      { ...GOOD, name: 'other', url: 'https://10.0.0.1/hidden' },
    )
    expect(problems.map((problem) => problem.split(':')[0])).toEqual([
      'WEBHOOKS_FILE.subscriptions[0].url',
      'WEBHOOKS_FILE.subscriptions[0].start',
      'WEBHOOKS_FILE.subscriptions[1].name',
      'WEBHOOKS_FILE.subscriptions[1].secrets',
      'WEBHOOKS_FILE.subscriptions[2].url',
    ])
    expect(problems.join()).not.toContain('hidden')
    expect(problemsOf({ ...GOOD, types: ['everything'] })[0]).toContain('must be one of transaction.approved')
    expect(problemsOf({ ...GOOD, adresse: 1 })[0]).toContain('unknown fields: adresse')
    expect(problemsOf()[0]).toContain('at least 1')
  })
})
