// What the text of a variable may be: numbers in bounds, addresses, choices. Messages state the rule only.

import { isIP } from 'node:net'
import { z } from 'zod'
import { minorOfPesos, type AmountMinor } from '../core/money/amount.ts'

/** A whole number between two bounds, both included. */
export function wholeNumber(min: number, max: number): z.ZodType<number, string> {
  return z.string().transform((text, context) => {
    const value = /^[0-9]{1,15}$/.test(text) ? Number(text) : Number.NaN
    if (value >= min && value <= max) return value
    context.addIssue({ code: 'custom', message: `must be a whole number from ${min} to ${max}` })
    return z.NEVER
  })
}

export const port = wholeNumber(0, 65_535)

export const yesOrNo: z.ZodType<boolean, string> = z.enum(['true', 'false']).transform((text) => text === 'true')

export function oneOf<const T extends string>(choices: readonly T[]): z.ZodType<T, string> {
  return z.string().transform((text, context) => {
    const found = choices.find((choice) => choice === text)
    if (found !== undefined) return found
    context.addIssue({ code: 'custom', message: `must be one of ${choices.join(', ')}` })
    return z.NEVER
  })
}

/** Any text of 1 to `max` characters. */
export function text(max: number): z.ZodType<string, string> {
  return z.string().refine((value) => value.length >= 1 && value.length <= max, {
    message: `must have 1 to ${max} characters`,
  })
}

/** An address to listen at. */
export const host: z.ZodType<string, string> = z
  .string()
  .refine((value) => /^[A-Za-z0-9.:_-]{1,253}$/.test(value), { message: 'must be a host name or an IP address' })

const HOST_AND_PORT = /^([A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]):([0-9]{1,5})$/
const MAX_HOSTS = 32

/** `host:port`, several divided by commas. */
export const hostList: z.ZodType<readonly string[], string> = z
  .string()
  .transform((value) =>
    value
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== ''),
  )
  .refine((hosts) => hosts.length >= 1 && hosts.length <= MAX_HOSTS && hosts.every(isHostAndPort), {
    message: `must be 1 to ${MAX_HOSTS} of host:port, divided by commas`,
  })

function isHostAndPort(value: string): boolean {
  const found = HOST_AND_PORT.exec(value)
  return found !== null && Number(found[2]) >= 1 && Number(found[2]) <= 65_535
}

/** `redis://` or `rediss://`. */
export const redisUrl: z.ZodType<string, string> = z.string().refine(
  (value) => {
    const url = URL.canParse(value) ? new URL(value) : null
    return url !== null && (url.protocol === 'redis:' || url.protocol === 'rediss:') && url.hostname !== ''
  },
  { message: 'must be a URL of the form redis://[user:password@]host[:port] or rediss://…' },
)

/** `http://` or `https://` with nothing but a host, a port and a path; without the slash at its end. */
export const publicUrl: z.ZodType<string, string> = z
  .string()
  .refine(
    (value) => /^https?:\/\/[A-Za-z0-9.[\]:-]{1,253}(\/[A-Za-z0-9._~/-]{0,200})?$/.test(value) && URL.canParse(value),
    {
      message: 'must be a URL of the form https://host[:port][/path]',
    },
  )
  .transform((value) => value.replace(/\/+$/, ''))

/** Pesos with at most two decimals, above zero; as minor units. */
export const pesos: z.ZodType<AmountMinor, string> = z.string().transform((value, context) => {
  const minor = /^[0-9]{1,13}(\.[0-9]{1,2})?$/.test(value) ? minorOfPesos(Number(value)) : null
  if (minor !== null) return minor
  context.addIssue({ code: 'custom', message: 'must be an amount of pesos above zero, with at most two decimals' })
  return z.NEVER
})

/** JSON of a given shape. */
export function json<T>(shape: z.ZodType<T>): z.ZodType<T, string> {
  return z
    .string()
    .transform((value, context): unknown => {
      try {
        return JSON.parse(value)
      } catch {
        context.addIssue({ code: 'custom', message: 'must be JSON' })
        return z.NEVER
      }
    })
    .pipe(shape as z.ZodType<T, unknown>) as z.ZodType<T, string>
}

const MAX_NETWORKS = 64

/** `address/bits`, several divided by commas. */
export const networkList: z.ZodType<readonly string[], string> = z
  .string()
  .transform((value) => value.split(',').map((part) => part.trim()))
  .refine((parts) => parts.length <= MAX_NETWORKS && parts.every(isNetwork), {
    message: `must be up to ${MAX_NETWORKS} networks of the form address/bits, divided by commas`,
  })

function isNetwork(value: string): boolean {
  const [address = '', bits = '', ...more] = value.split('/')
  const version = isIP(address)
  return version !== 0 && more.length === 0 && /^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128)
}
