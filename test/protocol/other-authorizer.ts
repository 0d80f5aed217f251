// A model of the other authorizer and of the way to it: it keeps its promises (a key is answered once, what comes after
// its reversal is not done), the way keeps none. It knows what money is taken, and notices what may never be asked.

import type { DecisionEvent, RefusalEvent } from '../../services/core/subject/event.ts'
import type { AuthorizerDecline } from '../../services/core/transaction/authorizer-answer.ts'
import type {
  Answered,
  AuthorizationRequest,
  CardAuthorizer,
  RefundRequest,
} from '../../services/ports/card-authorizer.ts'
import type { RemoteCall } from '../../services/protocol/operations.ts'

/** What the way does to a call. 'late': it gets there after its answer was given up. */
export const FATES = ['well', 'answer-lost', 'lost', 'late', 'not-sent'] as const
export type Fate = (typeof FATES)[number]

/** Mistakes of an asker, made here for it. */
export type AskingMistake =
  | 'asks-again-instead-of-inquiring'
  | 'takes-a-reversal-for-granted'
  | 'takes-silence-for-a-decline'
  | 'takes-silence-for-an-approval'
  | 'reverses-before-it-says-so'
  | 'takes-a-refund-that-was-not-sent-for-undone'

interface Authorization {
  readonly answer: Answered
  readonly amountMinor: number
  readonly refunds: Map<string, number>
  reversed: boolean
}

const UNKNOWN: Answered = { kind: 'unknown' }

export class OtherAuthorizer {
  readonly trace: string[] = []
  readonly #fate: () => Fate
  readonly #declined: (cardNumber: string) => AuthorizerDecline | undefined
  readonly #mistake: AskingMistake | undefined
  readonly #known = new Map<string, Authorization>()
  readonly #requests = new Map<string, AuthorizationRequest>()
  readonly #authorized = new Set<string>()
  readonly #refundAnswers = new Map<string, Answered>()
  #late: (() => void)[] = []

  constructor(
    fate: () => Fate,
    options: { declined?: (cardNumber: string) => AuthorizerDecline | undefined; mistake?: AskingMistake } = {},
  ) {
    this.#fate = fate
    this.#declined = options.declined ?? (() => undefined)
    this.#mistake = options.mistake
  }

  /** What is taken under a key and not given back. */
  taken(key: string): number {
    const found = this.#known.get(key)
    if (!found || found.reversed || found.answer.kind !== 'approved') return 0
    return found.amountMinor - [...found.refunds.values()].reduce((sum, minor) => sum + minor, 0)
  }

  keys(): readonly string[] {
    return [...this.#known.keys()]
  }

  get late(): number {
    return this.#late.length
  }

  /** One of the late ones gets there. */
  arrive(at = 0): void {
    const [one] = this.#late.splice(at, 1)
    one?.()
  }

  /** @param events on the log so far. @returns what the asker is told in the end. */
  ask(call: RemoteCall, events: readonly (DecisionEvent | RefusalEvent)[]): Answered {
    if (call.call === 'authorize') this.#checkFirst(call.request, events)
    const asked = this.#mistaken(call)
    const fate = this.#fate()
    this.trace.push(`${call.call} ${'key' in call ? call.key : call.request.key} ${fate}`)
    if (fate === 'not-sent') return asked.call === 'inquire' || asked.call === 'reverse' ? UNKNOWN : this.#unsent(asked)
    if (fate === 'late') this.#late.push(() => void this.#do(asked))
    const answer = fate === 'well' || fate === 'answer-lost' ? this.#do(asked) : UNKNOWN
    return this.#told(call, fate === 'well' ? answer : UNKNOWN)
  }

  #checkFirst({ key }: AuthorizationRequest, events: readonly (DecisionEvent | RefusalEvent)[]): void {
    if (this.#authorized.has(key)) throw new Error(`${key} was asked for twice`)
    this.#authorized.add(key)
    const onLog = events.some(
      (event) =>
        event.type === 'transaction-pending' &&
        event.facts.some((fact) => fact.kind === 'pending-recorded' && fact.scope === key),
    )
    if (!onLog) throw new Error(`${key} was asked for before its pending event was on the log`)
  }

  #do(call: RemoteCall): Answered {
    switch (call.call) {
      case 'authorize':
        return this.#authorize(call.request)
      case 'inquire': {
        const found = this.#known.get(call.key)
        if (!found) return UNKNOWN
        return found.reversed ? { kind: 'not-done' } : found.answer
      }
      case 'reverse': {
        const found = this.#known.get(call.key) ?? {
          answer: UNKNOWN,
          amountMinor: 0,
          refunds: new Map(),
          reversed: true,
        }
        this.#known.set(call.key, { ...found, reversed: true })
        return { kind: 'not-done' }
      }
      case 'refund':
        return this.#refund(call.request)
    }
  }

  #authorize({ key, cardNumber, amountMinor }: AuthorizationRequest): Answered {
    const known = this.#known.get(key)
    if (known) return known.reversed ? { kind: 'not-done' } : known.answer
    const code = this.#declined(cardNumber)
    const answer: Answered = code ? { kind: 'declined', code } : { kind: 'approved', authorizationNumber: '777777' }
    this.#known.set(key, { answer, amountMinor, refunds: new Map(), reversed: false })
    return answer
  }

  #refund({ key, original, amountMinor }: RefundRequest): Answered {
    const repeated = this.#refundAnswers.get(key)
    if (repeated) return repeated
    const left = this.taken(original)
    if (left < amountMinor) throw new Error(`${key} wants ${amountMinor} back of ${left}`)
    this.#known.get(original)?.refunds.set(key, amountMinor)
    const answer: Answered = { kind: 'approved', authorizationNumber: '888888' }
    this.#refundAnswers.set(key, answer)
    return answer
  }

  #unsent(call: RemoteCall): Answered {
    if (call.call === 'refund' && this.#mistake === 'takes-a-refund-that-was-not-sent-for-undone')
      return { kind: 'declined', code: '05' }
    return { kind: 'not-done' }
  }

  #mistaken(call: RemoteCall): RemoteCall {
    if (call.call === 'authorize') this.#requests.set(call.request.key, call.request)
    if (call.call !== 'inquire' || this.#mistake !== 'asks-again-instead-of-inquiring') return call
    const request = this.#requests.get(call.key)
    if (request) this.#checkFirst(request, [])
    return call
  }

  #told({ call, ...rest }: RemoteCall, answer: Answered): Answered {
    switch (this.#mistake) {
      case 'takes-a-reversal-for-granted':
        return call === 'reverse' ? { kind: 'not-done' } : answer
      case 'takes-silence-for-a-decline':
        return call === 'authorize' && answer === UNKNOWN ? { kind: 'declined', code: '05' } : answer
      case 'takes-silence-for-an-approval':
        return call === 'authorize' && answer === UNKNOWN ? { kind: 'approved' } : answer
      case 'reverses-before-it-says-so':
        if (call !== 'inquire' || answer.kind !== 'unknown' || !('key' in rest)) return answer
        return this.#do({ call: 'reverse', key: rest.key })
      default:
        return answer
    }
  }
}

/** The port as workers have it, on one way to ask. */
export function authorizerThat(asked: (call: RemoteCall) => Promise<Answered>): CardAuthorizer {
  return {
    authorize: (request) => asked({ call: 'authorize', request }),
    inquire: (key) => asked({ call: 'inquire', key }),
    reverse: async (key) => (await asked({ call: 'reverse', key })).kind === 'not-done',
    refund: (request) => asked({ call: 'refund', request }),
  }
}
