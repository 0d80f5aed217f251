import { describe, expect, it } from 'vitest'
import { guardedLookup, networks, urlProblem } from '../../../services/adapters/http/address-guard.ts'

const resolved = (name: string, rules = {}, url = `https://${name}/`) =>
  new Promise<string | null>((resolve) => {
    guardedLookup(new URL(url), rules)(name, {}, (error, address) => resolve(error ? error.name : (address as string)))
  })

describe('the addresses that may be called', () => {
  it('are https and public, or name this machine in so many words', () => {
    expect(urlProblem('https://example.com/hook', {})).toBeNull()
    expect(urlProblem('https://93.184.216.34/hook', {})).toBeNull()
    expect(urlProblem('http://localhost:8080/hook', {})).toBeNull()
    expect(urlProblem('http://127.0.0.1:8080/hook', {})).toBeNull()
    expect(urlProblem('http://[::1]:8080/hook', {})).toBeNull()
    expect(urlProblem('http://example.com/hook', {})).toContain('https')
    expect(urlProblem('http://example.com/hook', { allowHttp: true })).toBeNull()
    for (const text of ['ftp://example.com', 'example.com', '', 'https://user:pass@example.com', 'https://a.b/#c'])
      expect({ text, problem: urlProblem(text, {}) }).not.toMatchObject({ problem: null })
  })

  it('are no private ones, however they are written, unless the network is allowed', () => {
    const hidden = ['10.1.2.3', '169.254.169.254', '192.168.0.1', '[fd00::1]', '[::ffff:10.1.2.3]', '0x0a010203']
    for (const host of [...hidden, '[64:ff9b::a01:203]', '[fe80::1]', '0.0.0.0', '[::]', '[2002:a01:203::]'])
      expect({ host, problem: urlProblem(`https://${host}/`, {}) }).toMatchObject({
        problem: expect.stringContaining('private'),
      })
    expect(urlProblem('https://10.1.2.3/', { allowedNetworks: ['10.1.0.0/16'] })).toBeNull()
    expect(urlProblem('https://10.2.2.3/', { allowedNetworks: ['10.1.0.0/16'] })).toContain('private')
  })

  it('are checked again where a name is resolved: a name that leads here is refused', async () => {
    expect(await resolved('localhost', {}, 'http://localhost/')).toMatch(/^(127\.0\.0\.1|::1)$/)
    expect(await resolved('localhost', {}, 'https://example.com/')).toBe('AddressRefusedError')
    const rules = { allowedNetworks: ['127.0.0.0/8', '::1/128'] }
    expect(await resolved('localhost', rules, 'https://example.com/')).toMatch(/^(127\.0\.0\.1|::1)$/)
  })

  it('may be given as networks only in the form address/bits', () => {
    for (const text of ['10.0.0.0', '10.0.0.0/33', 'x/8', '', '10.0.0.0/eight'])
      expect(() => networks([text])).toThrow(RangeError)
  })
})
