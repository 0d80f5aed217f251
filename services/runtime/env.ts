// Environment variables as a documented, checked record. Nothing is read at import, and no message quotes a value.

import { readFileSync, statSync } from 'node:fs'
import { z } from 'zod'

/** One variable: what it means, its default as text, and how its text becomes a value. */
export interface Variable<T> {
  readonly description: string
  /** Text that stands for an absent variable. Without one, and not optional, an absent variable stops the start. */
  readonly fallback?: string
  readonly optional: boolean
  /** May also be read from the file that `<NAME>_FILE` names. */
  readonly secret: boolean
  readonly schema: z.ZodType<T, string>
}

// Each variable has a type of its own; `unknown` would not let them be told apart again.
export type Variables = Readonly<Record<string, Variable<unknown>>>
export type Values<V extends Variables> = { readonly [K in keyof V]: V[K] extends Variable<infer T> ? T : never }
export type Environment = Readonly<Record<string, string | undefined>>

/** What is wrong with a configuration: each line names a variable or a place in a file, and the rule. Never a value. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(problems.join('\n'))
    this.problems = problems
  }
}

/** Bytes of a file that a variable names: keys, certificates and apps are far smaller. */
const MAX_FILE_BYTES = 1_048_576

interface About {
  readonly description: string
  readonly secret?: boolean
}

/** A variable that must be set, or has a default. */
export function variable<T>(schema: z.ZodType<T, string>, about: About & { readonly fallback?: string }): Variable<T> {
  return { schema, optional: false, secret: about.secret ?? false, ...about }
}

/** A variable that may be absent: undefined then. */
export function optionalVariable<T>(schema: z.ZodType<T, string>, about: About): Variable<T | undefined> {
  return { schema, optional: true, secret: about.secret ?? false, ...about }
}

/**
 * The values of all variables. Blank counts as absent. @throws ConfigError with all that is wrong.
 */
export function readEnv<V extends Variables>(variables: V, env: Environment): Values<V> {
  const problems: string[] = []
  const values: Record<string, unknown> = {}
  for (const [name, spec] of Object.entries(variables)) {
    try {
      values[name] = readVariable(name, spec, env)
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
      problems.push(...error.problems)
    }
  }
  if (problems.length > 0) throw new ConfigError(problems)
  return values as Values<V>
}

function readVariable(name: string, spec: Variable<unknown>, env: Environment): unknown {
  const text = given(env[name]) ?? spec.fallback
  const file = spec.secret ? given(env[`${name}_FILE`]) : undefined
  if (file !== undefined && given(env[name]) !== undefined) {
    throw new ConfigError([`${name}: is set, and ${name}_FILE too`])
  }
  const source = file === undefined ? text : (given(readTextFile(file, `${name}_FILE`)) ?? spec.fallback)
  if (source === undefined) {
    if (spec.optional) return undefined
    throw new ConfigError([`${name}: is required`])
  }
  const parsed = spec.schema.safeParse(source)
  if (parsed.success) return parsed.data
  throw new ConfigError(problemsOf(name, parsed.error))
}

function given(text: string | undefined): string | undefined {
  const trimmed = text?.trim()
  return trimmed === '' ? undefined : trimmed
}

/** The text of a file. @throws ConfigError that names the variable, not the path. */
export function readTextFile(path: string, name: string): string {
  try {
    const tooLarge = statSync(path).size > MAX_FILE_BYTES
    if (tooLarge) throw new ConfigError([`${name}: the file is larger than ${MAX_FILE_BYTES} bytes`])
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (error instanceof ConfigError) throw error
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown'
    throw new ConfigError([`${name}: the file cannot be read (${code})`])
  }
}

/** zod's issues as lines: the place and the rule. Issues that would quote the input are told by their code alone. */
export function problemsOf(name: string, error: z.ZodError): readonly string[] {
  return error.issues.map((issue) => {
    const place = issue.path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`)).join('')
    return `${name}${place}: ${ruleOf(issue)}`
  })
}

function ruleOf(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'custom':
      return issue.message
    case 'invalid_type':
      return `must be of type ${issue.expected}`
    case 'invalid_value':
      return `must be one of ${issue.values.map(String).join(', ')}`
    case 'too_small':
      return `must be at least ${String(issue.minimum)}`
    case 'too_big':
      return `must be at most ${String(issue.maximum)}`
    case 'unrecognized_keys':
      return `has unknown fields: ${issue.keys.map((key) => key.slice(0, 40)).join(', ')}`
    case 'invalid_format':
      return `has not the form of ${issue.pattern ?? issue.format}`
    default:
      return `is not valid (${issue.code})`
  }
}
