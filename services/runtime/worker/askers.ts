// Who of this worker is asking another authorizer, so that a repetition of the same request waits for that answer. An
// inquiry beside the question would find nothing yet, and undo what is being done. It asks nobody and decides nothing.

import type { Job } from './job.ts'

/** Bounded by the jobs in flight: each asks or follows once. */
export class Askers {
  readonly #askers = new Map<string, Job>()
  readonly #followers = new Map<Job, { readonly scope: string; readonly jobs: Job[] }>()

  /** Its unit says that it is about to ask. @param scope the scope key, under which it asks. */
  began(scope: string, job: Job): void {
    if (this.#askers.has(scope)) return
    this.#askers.set(scope, job)
    this.#followers.set(job, { scope, jobs: [] })
  }

  /** @returns whether the job has to wait: another one is asking, and gives it back when that has ended. */
  follows(scope: string, job: Job): boolean {
    const asker = this.#askers.get(scope)
    if (!asker || asker === job) return false
    this.#followers.get(asker)?.jobs.push(job)
    return true
  }

  /** It has replied, or begins again knowing nothing. @returns those that waited for it. */
  ended(job: Job): readonly Job[] {
    const ended = this.#followers.get(job)
    if (!ended) return []
    this.#followers.delete(job)
    this.#askers.delete(ended.scope)
    return ended.jobs
  }
}
