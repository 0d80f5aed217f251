// Calls that wait for a reply: a bounded map from what a reply answers to those who wait for it. Knows no HTTP, no log.

import type { Command, Inquiry } from '../../core/transaction/command.ts'
import type { Reply } from '../../core/transaction/reply.ts'
import { scopeKey } from '../../core/transaction/scope.ts'
import type { TimerWheel, WheelTimer } from './timer-wheel.ts'

/** How a wait ended. 'unanswered': no reply in time, or none any more, since the instance stops. 'refused': as told. */
export type Waited = Reply | 'unanswered' | 'refused'

export interface Wait {
  readonly over: Promise<Waited>
  /** Ends the wait: nothing was asked, and a reply finds nobody. */
  refuse(): void
}

export interface Waiters {
  /** Starts to wait. null: too many calls wait, of all or for this reply. */
  wait(key: string, timeoutMs: number): Wait | null
  /** Hands a reply to all who wait for it. False: nobody does. */
  answer(reply: Reply): boolean
  /** Keeps `empty` waiting for a call between its waits too. @returns what ends that; more than once does nothing. */
  hold(): () => void
  /** Ends every wait unanswered. */
  giveUp(): void
  /** Calls that wait now. */
  readonly open: number
  /** Resolves once no call waits or is held. */
  empty(): Promise<void>
}

export interface WaiterBounds {
  readonly maxOpenCalls: number
  readonly maxCallsPerReply: number
}

/** What a request's reply is found by: scope and fingerprint, or an inquiry's own id. */
export function waitKey(body: Command | Inquiry): string {
  return body.kind === 'INQUIRY' ? inquiryKey(body.inquiryId) : decisionKey(scopeKey(body.scope), body.fingerprint)
}

/** Joined, so that the text is of one piece: one of pieces is compared a character at a time. */
const decisionKey = (scope: string, fingerprint: string) => [scope, fingerprint].join('\u0000')
const inquiryKey = (inquiryId: string) => `\u0000${inquiryId}`

interface Waiter {
  readonly timer: WheelTimer
  /** null once the wait is over: the map's outgrown tables are collected late, and must hold on to nothing. */
  resolve: ((waited: Waited) => void) | null
}

/** `onOpen` hears the number of waiting calls whenever it changes. */
export function createWaiters(bounds: WaiterBounds, wheel: TimerWheel, onOpen: (open: number) => void): Waiters {
  const byKey = new Map<string, Waiter[]>()
  const whenEmpty: (() => void)[] = []
  let open = 0

  /** Calls that are held, whether they wait or not. */
  let held = 0

  const tellIfEmpty = () => {
    if (open + held === 0) for (const resolve of whenEmpty.splice(0)) resolve()
  }
  const changed = (by: number) => {
    open += by
    onOpen(open)
    tellIfEmpty()
  }
  const end = (waiter: Waiter, waited: Waited) => {
    const { resolve } = waiter
    if (resolve === null) return
    waiter.resolve = null
    waiter.timer.cancel()
    changed(-1)
    resolve(waited)
  }
  /** Ends one wait and leaves the others for its reply. */
  const leave = (key: string, waiter: Waiter, waited: Waited) => {
    const others = byKey.get(key)?.filter((other) => other !== waiter) ?? []
    if (others.length === 0) byKey.delete(key)
    else byKey.set(key, others)
    end(waiter, waited)
  }

  return {
    get open() {
      return open
    },
    wait: (key, timeoutMs) => {
      const waiting = byKey.get(key)
      if (open >= bounds.maxOpenCalls || (waiting?.length ?? 0) >= bounds.maxCallsPerReply) return null
      const { promise, resolve } = Promise.withResolvers<Waited>()
      const timer = wheel.set(timeoutMs, () => leave(key, waiter, 'unanswered'))
      const waiter: Waiter = { timer, resolve }
      if (waiting) waiting.push(waiter)
      else byKey.set(key, [waiter])
      changed(1)
      return { over: promise, refuse: () => leave(key, waiter, 'refused') }
    },
    answer: (reply) => {
      const key = reply.inquiryId === '' ? decisionKey(reply.scope, reply.fingerprint) : inquiryKey(reply.inquiryId)
      const waiting = byKey.get(key)
      if (!waiting) return false
      byKey.delete(key)
      for (const waiter of waiting) end(waiter, reply)
      return true
    },
    hold: () => {
      held += 1
      return once(() => {
        held -= 1
        tellIfEmpty()
      })
    },
    giveUp: () => {
      const all = [...byKey.values()]
      byKey.clear()
      for (const waiting of all) for (const waiter of waiting) end(waiter, 'unanswered')
    },
    empty: () => (open + held === 0 ? Promise.resolve() : new Promise((resolve) => whenEmpty.push(resolve))),
  }
}

function once(act: () => void): () => void {
  let done = false
  return () => {
    if (!done) act()
    done = true
  }
}
