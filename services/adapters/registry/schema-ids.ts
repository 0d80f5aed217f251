// Which id a registry has for a schema of ours, and which schema it has under an id. Bounded both ways.

import type { Dictionary } from '../avro/dictionary.ts'
import { SchemaError } from '../avro/schema.ts'
import { RegistryError, type RegistryClient } from './client.ts'

export interface SchemaIdsOptions {
  readonly client: RegistryClient
  readonly dictionary: Dictionary
  /** Whether schemas that are not there may be registered. */
  readonly register: boolean
  /** Milliseconds that only go forward. */
  readonly now?: () => number
}

/** Ids that were met; each of our schemas has one, or a few where it was registered twice. */
const MAX_IDS = 1_000
/** Ids of no schema of ours are asked for again after this: somebody may register it meanwhile. */
const FOREIGN_MS = 60_000

interface Met {
  /** Null: no schema of ours. */
  readonly fingerprint: string | null
  readonly until: number
}

export class SchemaIds {
  readonly #options: SchemaIdsOptions
  readonly #now: () => number
  /** By fingerprint: as many as the dictionary has. */
  readonly #ids = new Map<string, number>()
  /** By id, the oldest first. */
  readonly #met = new Map<number, Met>()
  readonly #underway = new Map<string | number, Promise<unknown>>()

  constructor(options: SchemaIdsOptions) {
    this.#options = options
    this.#now = options.now ?? (() => performance.now())
  }

  /** The id to write a schema of ours under, once `ensure` has found it. */
  idOf(fingerprint: string): number | undefined {
    return this.#ids.get(fingerprint)
  }

  /**
   * Look the schema up under its record's name, and register it if it is not there and that is allowed.
   * @throws RegistryError that says what to do
   */
  ensure(fingerprint: string): Promise<number> {
    const known = this.#ids.get(fingerprint)
    return known === undefined ? this.#once(fingerprint, () => this.#find(fingerprint)) : Promise.resolve(known)
  }

  /** The fingerprint of the schema of an id; null when it is none of ours; undefined when `learn` has to ask. */
  fingerprintOf(id: number): string | null | undefined {
    const met = this.#met.get(id)
    return met && met.until > this.#now() ? met.fingerprint : undefined
  }

  /** Ask the registry for an id. Afterwards `fingerprintOf` knows. @throws RegistryError when it does not answer */
  learn(id: number): Promise<void> {
    return this.#once(id, () => this.#ask(id))
  }

  async #find(fingerprint: string): Promise<number> {
    const { client, dictionary, register } = this.#options
    const schema = dictionary.reader(fingerprint)?.schema
    if (!schema) throw new RegistryError('refused', `no schema with the fingerprint ${fingerprint} is known here`)
    const { fullName, text } = schema
    const minified = JSON.stringify(JSON.parse(text))
    try {
      const id = await client.lookUp(fullName, minified).catch((error: unknown) => {
        if (!(error instanceof RegistryError) || error.fault !== 'absent') throw error
        if (register) return client.register(fullName, minified)
        throw new RegistryError(
          'absent',
          'it is not registered: run npm run schemas -- register, or set SCHEMA_REGISTRY_REGISTER to true',
        )
      })
      this.#ids.set(fingerprint, id)
      this.#meet(id, fingerprint, Infinity)
      return id
    } catch (error) {
      if (!(error instanceof RegistryError)) throw error
      throw new RegistryError(error.fault, `subject ${fullName}: ${error.message}`)
    }
  }

  async #ask(id: number): Promise<void> {
    const { client, dictionary } = this.#options
    try {
      const { schema } = dictionary.learn(await client.schemaOf(id))
      this.#meet(id, schema.fingerprint, Infinity)
    } catch (error) {
      const foreign = error instanceof SchemaError || (error instanceof RegistryError && error.fault === 'absent')
      if (!foreign) throw error
      this.#meet(id, null, this.#now() + FOREIGN_MS)
    }
  }

  #meet(id: number, fingerprint: string | null, until: number): void {
    this.#met.delete(id)
    this.#met.set(id, { fingerprint, until })
    if (this.#met.size <= MAX_IDS) return
    for (const oldest of this.#met.keys()) {
      this.#met.delete(oldest)
      return
    }
  }

  /** What several wait for is asked once. */
  async #once<T>(name: string | number, work: () => Promise<T>): Promise<T> {
    const underway = this.#underway.get(name) as Promise<T> | undefined
    if (underway) return underway
    const started = work().finally(() => this.#underway.delete(name))
    this.#underway.set(name, started)
    return started
  }
}
