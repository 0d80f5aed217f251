// Log lines: allowed fields only, errors without foreign messages, card numbers masked, always one line of JSON.

import { describe, expect, it, vi } from 'vitest'
import { StoreError } from '../../services/ports/store.ts'
import { createLogger, describeError, type LoggerOptions } from '../../services/runtime/logging.ts'

function logger(level: LoggerOptions['level'] = 'debug') {
  const lines: string[] = []
  const log = createLogger({ service: 'test', level, write: (line) => void lines.push(line) })
  const last = () => JSON.parse(lines.at(-1) ?? 'null') as Record<string, unknown>
  return { log, lines, last }
}

describe('a log line', () => {
  it('is JSON with time, level, service and message', () => {
    const { log, lines, last } = logger()
    log.info({ route: '/financial', status: 200, ms: 1.25 }, 'response')
    expect(lines).toHaveLength(1)
    expect(lines[0]).toMatch(/^\{.*\}\n$/)
    expect(last()).toMatchObject({
      level: 'info',
      service: 'test',
      message: 'response',
      route: '/financial',
      status: 200,
      ms: 1.25,
    })
    expect(last()['time']).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  })

  it('has the time of its own millisecond, also behind the end of a second and when the clock is put back', () => {
    const { log, last } = logger()
    const times = ['2026-02-28T23:59:59.007Z', '2026-02-28T23:59:59.998Z', '2026-03-01T00:00:00.000Z']
    for (const time of [...times, times[1], '1999-12-31T23:59:59.999Z']) {
      const clock = vi.spyOn(Date, 'now').mockReturnValue(new Date(time as string).getTime())
      log.info({}, 'x')
      clock.mockRestore()
      expect(last()['time']).toBe(time)
    }
  })

  it('leaves out fields that are not allowed, and what is in objects', () => {
    const { log, lines, last } = logger()
    log.warn({ body: 'canary', cardNumber: 'canary', token: 'canary', reason: { deep: 'canary' }, status: 1 }, 'x')
    expect(lines.join()).not.toContain('canary')
    expect(last()).toMatchObject({ reason: 'object', status: 1 })
  })

  it('masks card numbers in texts, in lists and in numbers, and is still JSON', () => {
    const { log, lines, last } = logger()
    const pan = 6039591000000018
    const fields = { reason: `of ${pan}`, requestId: '6039 5910 0000 0018', at: [`at ${pan}`], count: pan }
    log.error({ ...fields, offset: BigInt(pan) }, `for ${pan}`)
    expect(last()).toMatchObject({
      reason: 'of 603959******0018',
      requestId: '6039 59** **** 0018',
      at: ['at 603959******0018'],
      count: '603959******0018',
      offset: '603959******0018',
      message: 'for 603959******0018',
    })
    expect(lines.join()).not.toContain('000000')
  })

  it('stays one line, whatever it is given', () => {
    const { log, lines } = logger()
    log.info({ reason: 'a\nb\r\u2028"}' }, 'c\nd')
    expect(lines[0]?.trimEnd()).not.toMatch(/[\n\r]/)
  })

  it('is bounded', () => {
    const { log, lines } = logger()
    log.info({ reason: 'x'.repeat(100_000), at: Array.from({ length: 1_000 }, () => 'y'.repeat(10_000)) }, 'm')
    expect(lines[0]?.length).toBeLessThan(10_000)
  })

  it('below the level is not written, and none when silent', () => {
    const { log, lines } = logger('warn')
    log.info({}, 'x')
    log.warn({}, 'y')
    expect(lines).toHaveLength(1)
    const quiet = logger('silent')
    quiet.log.fatal({}, 'z')
    expect(quiet.lines).toEqual([])
  })
})

describe('an error in a log line', () => {
  it('of our own tells its message, masked, and frames', () => {
    const { log, last } = logger()
    log.error({ error: new StoreError('load: the store answered OOM 6039591000000018') }, 'failed')
    const reason = 'load: the store answered OOM 603959******0018'
    expect(last()).toMatchObject({ error: 'StoreError', reason, message: 'failed' })
    expect((last()['at'] as string[])[0]).toMatch(/^at /)
  })

  it('of others tells name and code, never message, cause or what hangs on it', () => {
    const { log, lines, last } = logger()
    const error = Object.assign(new TypeError('canary', { cause: new Error('canary') }), {
      code: 'ECONNRESET',
      args: ['canary'],
      command: { args: ['canary'] },
    })
    for (const field of ['error', 'err']) log.error({ [field]: error }, 'failed')
    expect(last()).toMatchObject({ error: 'TypeError', errorCode: 'ECONNRESET' })
    log.error({ error: Object.assign(new Error('canary'), { name: 'a canary', code: 'canary' }) }, 'failed')
    log.error({ error: { message: 'canary' } }, 'failed')
    log.error({ error: 'a canary that is no name' }, 'failed')
    expect(lines.join()).not.toContain('canary')
  })

  it('whose message looks like a stack does not tell it', () => {
    const error = new Error('first\n    at canary (file:1:1)')
    expect(describeError(error)['error']).toBe('Error')
    expect(JSON.stringify(describeError(error))).not.toContain('canary')
  })

  it('may be a name only', () => {
    expect(describeError('KafkaJSConnectionError')).toEqual({ error: 'KafkaJSConnectionError' })
    expect(describeError(undefined)).toEqual({ error: 'undefined' })
  })
})
