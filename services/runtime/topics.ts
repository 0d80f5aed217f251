// The topics: names, partitions, retention, who writes and who reads. Created by scripts, never by a client.

export interface TopicSpec {
  readonly name: string
  readonly partitions: number
  /** Milliseconds; -1 keeps for ever. */
  readonly retentionMs: number
  readonly purpose: string
  /** Keeps the newest record of each key, whatever its age. */
  readonly compacted?: boolean
}

const DAY_MS = 86_400_000

export const TOPIC = {
  tokenRequests: 'token.requests',
  purchaseRequests: 'purchase.requests',
  replies: 'replies',
  events: 'authorization.events',
  epochs: 'epochs',
  deadLetters: 'dead.letters',
  checkpoints: 'audit.checkpoints',
} as const

export const TOPICS: readonly TopicSpec[] = [
  {
    name: TOPIC.tokenRequests,
    partitions: 4,
    retentionMs: DAY_MS,
    purpose: 'ingress to issuer: generations and what concerns them',
  },
  {
    name: TOPIC.purchaseRequests,
    partitions: 4,
    retentionMs: DAY_MS,
    purpose: 'ingress to authorizer: purchases, withdrawals, accounts',
  },
  {
    name: TOPIC.replies,
    partitions: 16,
    retentionMs: DAY_MS / 24,
    purpose: 'workers to ingress: one partition an ingress instance',
  },
  { name: TOPIC.events, partitions: 4, retentionMs: -1, purpose: 'every decision, for ever: the truth' },
  {
    name: TOPIC.epochs,
    partitions: 1,
    retentionMs: -1,
    compacted: true,
    purpose: 'epochs of the store: which records of the other topics count',
  },
  {
    name: TOPIC.deadLetters,
    partitions: 1,
    retentionMs: 30 * DAY_MS,
    purpose: 'records that are no message, with the reason',
  },
  { name: TOPIC.checkpoints, partitions: 1, retentionMs: -1, purpose: "the notary's signed statements on the events" },
]
