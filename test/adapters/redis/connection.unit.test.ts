// What an error of Redis may say outside its adapter.

import { describe, expect, it } from 'vitest'
import { errorCode } from '../../../services/adapters/redis/connection.ts'

describe('the code of an error', () => {
  it('is the first word of a reply, never what it quotes', () => {
    expect(errorCode(new Error("ERR unknown command 'x', with args beginning with: 'canary'"))).toBe('ERR')
    expect(errorCode(new Error('WRONGTYPE Operation against a key'))).toBe('WRONGTYPE')
    expect(errorCode(new Error('canary is not a code'))).toBe('CLOSED')
    expect(errorCode('canary')).toBe('UNKNOWN')
  })

  it('is that of the socket when there is one', () => {
    expect(errorCode(Object.assign(new Error('connect ECONNREFUSED 10.0.0.1'), { code: 'ECONNREFUSED' }))).toBe(
      'ECONNREFUSED',
    )
    expect(errorCode(Object.assign(new Error('x'), { code: 'canary 1' }))).toBe('CLOSED')
  })
})
