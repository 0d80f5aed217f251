// Configuration of how records stand on the topics: in single-object encoding, or in Confluent's wire format with a
// schema registry.

import { z } from 'zod'
import { ConfigError, optionalVariable, variable, type Values } from './env.ts'
import { oneOf, text, wholeNumber, yesOrNo } from './env-values.ts'

const registryUrl: z.ZodType<string, string> = z.string().refine(
  (value) => {
    const url = URL.canParse(value) ? new URL(value) : null
    return (
      url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '' && url.search === ''
    )
  },
  { message: 'must be a URL of the form http[s]://host[:port][/path], without user name and password' },
)

export const wireVariables = {
  WIRE_FORMAT: variable(oneOf(['single-object', 'confluent']), {
    fallback: 'single-object',
    description:
      'How values are written: with the fingerprint of their Avro schema, or with its id in a schema registry. Both are read where SCHEMA_REGISTRY_URL is set.',
  }),
  SCHEMA_REGISTRY_URL: optionalVariable(registryUrl, {
    description:
      'A schema registry with the interface of Confluent. A private authority of its certificate goes into `NODE_EXTRA_CA_CERTS`.',
  }),
  SCHEMA_REGISTRY_USERNAME: optionalVariable(text(256), { description: 'User name, or API key, at the registry.' }),
  SCHEMA_REGISTRY_PASSWORD: optionalVariable(text(1_024), {
    secret: true,
    description: 'Password, or API secret, at the registry.',
  }),
  SCHEMA_REGISTRY_REGISTER: variable(yesOrNo, {
    fallback: 'true',
    description:
      'Whether a process may register schemas that are not there; if not, `npm run schemas -- register` does.',
  }),
  SCHEMA_REGISTRY_TIMEOUT_MS: variable(wholeNumber(100, 60_000), {
    fallback: '5000',
    description: 'How long one request to the registry may take, in milliseconds; three are tried.',
  }),
} as const

/** A registry and what it is used for. */
export interface RegistryConfig {
  readonly url: string
  readonly auth?: { readonly username: string; readonly password: string }
  readonly timeoutMs: number
  /** Whether schemas that are not there may be registered. */
  readonly register: boolean
  /** Whether records are written in Confluent's wire format; they are read in any case. */
  readonly write: boolean
}

/** @throws ConfigError when the format needs a registry and none is named, or half of a sign-in is given. */
export function registryOf(values: Values<typeof wireVariables>): RegistryConfig | undefined {
  const { SCHEMA_REGISTRY_USERNAME: username, SCHEMA_REGISTRY_PASSWORD: password, SCHEMA_REGISTRY_URL: url } = values
  const write = values.WIRE_FORMAT === 'confluent'
  if ((username === undefined) !== (password === undefined)) {
    throw new ConfigError(['SCHEMA_REGISTRY_USERNAME: is needed together with SCHEMA_REGISTRY_PASSWORD'])
  }
  if (url === undefined) {
    if (write) throw new ConfigError(['SCHEMA_REGISTRY_URL: is required when WIRE_FORMAT is confluent'])
    return undefined
  }
  return {
    url,
    timeoutMs: values.SCHEMA_REGISTRY_TIMEOUT_MS,
    register: values.SCHEMA_REGISTRY_REGISTER,
    write,
    ...(username === undefined || password === undefined ? {} : { auth: { username, password } }),
  }
}
