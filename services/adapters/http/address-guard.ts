// Which addresses an outgoing call may reach. Checked where the socket is connected, on the address itself: a name that
// resolves to something else a moment later gains nothing. Opens no connection.

import { lookup as lookupAddress, type LookupAddress, type LookupOptions } from 'node:dns'
import { BlockList, isIP, type LookupFunction } from 'node:net'

export interface AddressRules {
  /** Networks that are allowed although they are not public: `10.1.0.0/16`, `fd00::/8`. */
  readonly allowedNetworks?: readonly string[]
  /** Plain HTTP to hosts other than this machine. */
  readonly allowHttp?: boolean
}

/** What is not reached over the internet (IANA special-purpose address registries, RFC 6890), and ways to hide it. */
const NOT_PUBLIC: readonly string[] = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/3',
  '::/128',
  '::1/128',
  '64:ff9b::/96',
  '64:ff9b:1::/48',
  '100::/64',
  '2001::/23',
  '2001:db8::/32',
  '2002::/16',
  'fc00::/7',
  'fe80::/10',
  'ff00::/8',
]
const notPublic = networks(NOT_PUBLIC)
const loopback = networks(['127.0.0.0/8', '::1/128'])

/** The address is none that may be called. The message names neither address nor host. */
export class AddressRefusedError extends Error {
  override readonly name = 'AddressRefusedError'
}

/** Whether a URL's host names this machine in so many words: `localhost`, `127.0.0.1`, `[::1]`. */
export function namesLoopback(url: URL): boolean {
  const host = bareHost(url)
  return host === 'localhost' || isIn(loopback, host)
}

/**
 * What is wrong with a URL as a place to post to, or null. Names are resolved only when they are called.
 * A URL that names this machine itself may be called, and with http.
 */
export function urlProblem(text: string, rules: AddressRules): string | null {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url === null || !/^https?:$/.test(url.protocol)) return 'must be an https:// URL'
  if (url.username !== '' || url.password !== '') return 'must not hold a user name or password'
  if (url.hash !== '') return 'must not have a fragment'
  if (namesLoopback(url)) return null
  if (url.protocol === 'http:' && !rules.allowHttp) return 'must be https, unless it names this machine'
  const host = bareHost(url)
  if (isIP(host) !== 0 && !mayReach(host, rules)) return 'must not be a private address, unless it is allowed'
  return null
}

/** A `lookup` for sockets to this URL that hands out only addresses which may be reached. */
export function guardedLookup(url: URL, rules: AddressRules): LookupFunction {
  const allowed = networks(rules.allowedNetworks ?? [])
  const local = namesLoopback(url)
  const passes = (address: string) => isIn(allowed, address) || isIn(local ? loopback : PUBLIC, address)
  return (hostname, options, callback) => {
    lookupAddress(hostname, { ...(options as LookupOptions), all: true }, (error, found) => {
      if (error) return callback(error, '', 0)
      const reachable = found.filter(({ address }) => passes(address))
      const first = reachable[0]
      if (!first) return callback(new AddressRefusedError('the address may not be called'), '', 0)
      if (options.all) return (callback as AllCallback)(null, reachable)
      return callback(null, first.address, first.family)
    })
  }
}

type AllCallback = (error: Error | null, addresses: readonly LookupAddress[]) => void

/** @throws RangeError for text that is no network in the form `address/bits`. */
export function networks(texts: readonly string[]): BlockList {
  const list = new BlockList()
  for (const text of texts) {
    const [address = '', bits = ''] = text.split('/')
    const version = isIP(address)
    const valid = /^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128)
    if (version === 0 || !valid) throw new RangeError('a network has the form address/bits')
    list.addSubnet(address, Number(bits), version === 4 ? 'ipv4' : 'ipv6')
  }
  return list
}

interface Addresses {
  check(address: string, family: 'ipv4' | 'ipv6'): boolean
}

const PUBLIC: Addresses = { check: (address, family) => !notPublic.check(address, family) }

function mayReach(address: string, rules: AddressRules): boolean {
  return isIn(PUBLIC, address) || isIn(networks(rules.allowedNetworks ?? []), address)
}

function isIn(list: Addresses, address: string): boolean {
  const version = isIP(address)
  return version !== 0 && list.check(address, version === 4 ? 'ipv4' : 'ipv6')
}

/** Without the brackets of an IPv6 address. */
function bareHost(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '')
}
