// Why a call is refused without a decision, in words that belong to no dialect. Each dialect has its own form and text
// for every one of them. A fault carries nothing of the caller's.

/** `internal`: nobody expected it, and what was handed to the log may yet be decided. */
export type Fault =
  'bad-request' | 'not-json' | 'not-found' | 'too-large' | 'not-json-type' | 'too-many' | 'unavailable' | 'internal'

/** A fault thrown where no reply can be sent. */
export class FaultError extends Error {
  override readonly name = 'FaultError'
  readonly fault: Fault

  constructor(fault: Fault) {
    super(fault)
    this.fault = fault
  }
}

/** What an error means. By status, since only Fastify and Node set one: bodies and paths that they refuse. */
export function faultOf(error: unknown): Fault {
  if (error instanceof FaultError) return error.fault
  const { statusCode, code } = error as { statusCode?: unknown; code?: unknown }
  switch (statusCode) {
    case 400:
      return String(code).startsWith('FST_ERR_CTP') ? 'not-json' : 'bad-request'
    case 404:
    case 414:
      return 'not-found'
    case 413:
      return 'too-large'
    case 415:
      return 'not-json-type'
    default:
      return 'internal'
  }
}
