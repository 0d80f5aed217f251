// HTTP Basic: who gets in, and that nothing else does.

import { describe, expect, it } from 'vitest'
import { createBasicAuthentication } from '../../../services/ingress/auth/basic.ts'

const APPS = [
  { key: 'app', secret: 'a:secret:with-colons', enabled: true },
  { key: 'ñandú', secret: 'contraseña', enabled: true },
  { key: 'off', secret: 'off-secret', enabled: false },
]
const basic = (text: string) => Buffer.from(text).toString('base64')
const authentication = createBasicAuthentication(APPS)

describe('Basic credentials', () => {
  it("are an app's key and its secret, which may hold colons and letters beyond ASCII", () => {
    expect(authentication(`Basic ${basic('app:a:secret:with-colons')}`)).toBe(APPS[0])
    expect(authentication(`Basic ${basic('ñandú:contraseña')}`)).toBe(APPS[1])
  })

  it('may name their scheme in any case', () => {
    for (const scheme of ['basic', 'BASIC', 'bAsIc', 'Basic ']) {
      expect(authentication(`${scheme} ${basic('app:a:secret:with-colons')}`)).toBe(APPS[0])
    }
  })

  it('of nobody, or malformed, are refused', () => {
    const refused = [
      undefined,
      '',
      'Basic',
      'Basic ',
      'Bearer abc',
      `Basic ${basic('app')}`,
      `Basic ${basic('app:')}`,
      `Basic ${basic('app:wrong')}`,
      `Basic ${basic(':')}`,
      `Basic ${basic('nobody:a:secret:with-colons')}`,
      `Basic ${basic('APP:a:secret:with-colons')}`,
      `Basic ${basic('app:a:secret:with-colons ')}`,
      'Basic !!!!',
      `Basic ${Buffer.from([0x61, 0x3a, 0xff]).toString('base64')}`,
      `Basic${basic('app:a:secret:with-colons')}`,
      `Basic ${basic('app:a:secret:with-colons')} x`,
      `Basic ${basic('constructor:x')}`,
    ]
    for (const header of refused) expect([header, authentication(header)]).toEqual([header, null])
  })

  it('of a disabled app are refused', () => {
    expect(authentication(`Basic ${basic('off:off-secret')}`)).toBeNull()
  })

  it('cannot belong to two apps', () => {
    expect(() => createBasicAuthentication([APPS[0], APPS[0]] as typeof APPS)).toThrow('two apps have one key')
  })
})
