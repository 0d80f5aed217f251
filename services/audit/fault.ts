// What can be wrong with a log, and where.

export const FAULT_KINDS = ['changed', 'missing', 'added', 'moved', 'forked', 'wrong signature'] as const
export type FaultKind = (typeof FAULT_KINDS)[number]

export interface Fault {
  readonly kind: FaultKind
  readonly topic: string
  readonly partition: number
  /** Of the first record that is not as it must be; where records are missing, the first that is not there. */
  readonly offset: bigint
  /** For people: what was found there. Names slots, which are hashes or scopes, and no content. */
  readonly detail: string
}

export function faultLine({ kind, topic, partition, offset, detail }: Fault): string {
  return `${kind.toUpperCase()} at ${topic} ${partition}/${offset}: ${detail}`
}
