// What the AsyncAPI document says of topics and messages beyond what the source has: keys, who writes, who reads. The
// records must be total: a topic or an event that is not told of here stops the documents.
import type { AuthorizationEvent } from '../services/core/subject/event.ts'
import { TOPIC, TOPICS } from '../services/runtime/topics.ts'

/** A message: its CloudEvents type, the schema of its value, and when it is sent. */
export interface MessageText {
  readonly schema: string
  readonly summary: string
  /** What `ce_id` is made of. */
  readonly id: string
  /** Whether it has the attributes for consumers outside, time and content type. */
  readonly outside: boolean
  readonly headers?: Readonly<Record<string, string>>
}

type MessageType =
  AuthorizationEvent['type'] | 'financial.request' | 'financial.reply' | 'record.dead-lettered' | 'checkpoint.signed'

const SLOT_ID = 'slot and version: `slot#version`; equal duplicates have the same'
const SCOPE_ID = 'scope and fingerprint, or the id of an inquiry; a request and its reply have the same'
const decision = { schema: 'decision-event', id: SLOT_ID, outside: true } as const

/** By CloudEvents type. */
export const MESSAGES: Readonly<Record<MessageType, MessageText>> = {
  'financial.request': {
    schema: 'financial-request',
    summary: 'A transaction, an account command or an inquiry, protected as it may stand in the log.',
    id: SCOPE_ID,
    outside: false,
  },
  'financial.reply': {
    schema: 'financial-reply',
    summary: 'The recorded outcome of a request. A generated token is not in it, only the id that it is derived from.',
    id: SCOPE_ID,
    outside: false,
    headers: { 'token-shown': '`1` when the generated token may still be shown, else `0`' },
  },
  'transaction-decided': { ...decision, summary: 'A transaction has its outcome, approved or declined.' },
  'token-judged': { ...decision, summary: 'A token bound to a terminal was judged, before the account is asked.' },
  'transaction-pending': { ...decision, summary: 'Another authorizer is about to be asked. A state, no outcome.' },
  'order-held': { ...decision, summary: "A merchant's order is taken by a charge." },
  'order-freed': { ...decision, summary: "A merchant's order is free again, since its charge was not approved." },
  'transaction-refused': {
    schema: 'refusal-event',
    summary: 'Other content under a transaction consecutive that is in use: 94.',
    id: 'hash of scope and refused fingerprint',
    outside: true,
  },
  'rules-published': {
    schema: 'rules-event',
    summary: 'The rules that decisions refer to by id.',
    id: 'hash of the rules',
    outside: true,
  },
  'epoch-raised': {
    schema: 'epoch-event',
    summary: 'The store begins a new epoch: what stands behind it with an older one is void.',
    id: 'epoch and run: `epoch.runId`',
    outside: true,
  },
  'record.dead-lettered': {
    schema: 'dead-letter',
    summary: 'A record that is no message, with its place, its bytes and the reason.',
    id: '`topic-partition-offset` of the record',
    outside: false,
  },
  'checkpoint.signed': {
    schema: 'checkpoint',
    summary: 'What the notary signed: Merkle roots of ranges of the events.',
    id: '`topic#sequence`',
    outside: true,
  },
}

export interface ChannelText {
  /** What the key of a record is. */
  readonly key: string
  readonly messages: readonly MessageType[]
  /** Services; `operator` stands for the command lines. */
  readonly sends: readonly string[]
  /** Services, with the consumer group where they share the work in one; without, each instance reads all or its part. */
  readonly receives: Readonly<Record<string, { readonly group?: string }>>
  /** Its messages are answered on `replies`. */
  readonly answered?: true
}

const EVENTS: readonly MessageType[] = [
  'transaction-decided',
  'token-judged',
  'transaction-pending',
  'order-held',
  'order-freed',
  'transaction-refused',
  'rules-published',
  'epoch-raised',
]
const SUBJECT_KEY =
  'what the edge knows of the subject: hash of the document, the card, the token or the terminal; of an undoing or an inquiry, the scope that it asks for'

/** By the name of the topic. */
export const CHANNELS: Readonly<Record<string, ChannelText>> = {
  [TOPIC.tokenRequests]: {
    key: SUBJECT_KEY,
    messages: ['financial.request'],
    sends: ['ingress', 'operator'],
    receives: { issuer: { group: 'issuer' } },
    answered: true,
  },
  [TOPIC.purchaseRequests]: {
    key: SUBJECT_KEY,
    messages: ['financial.request'],
    // The authorizer puts back what another authorizer does not answer.
    sends: ['ingress', 'operator', 'authorizer'],
    receives: { authorizer: { group: 'authorizer' } },
    answered: true,
  },
  [TOPIC.replies]: {
    key: 'the scope: `acquirer:transactionCode:consecutive`; the partition is the one that the request names',
    messages: ['financial.reply', 'epoch-raised'],
    sends: ['issuer', 'authorizer'],
    receives: { ingress: {}, operator: {} },
  },
  [TOPIC.events]: {
    key: 'the slot, so that the events of one slot are in the order of their versions',
    messages: EVENTS,
    sends: ['issuer', 'authorizer'],
    receives: { consumer: { group: 'one of its own' }, notary: {}, audit: {} },
  },
  [TOPIC.epochs]: {
    key: 'unique, so that none is compacted away',
    messages: ['epoch-raised'],
    sends: ['issuer', 'authorizer'],
    receives: { ingress: {}, operator: {}, consumer: {}, audit: {} },
  },
  [TOPIC.deadLetters]: {
    key: '`topic-partition-offset` of the record',
    messages: ['record.dead-lettered'],
    sends: ['issuer', 'authorizer', 'consumer'],
    receives: { operator: {} },
  },
  [TOPIC.checkpoints]: {
    key: 'the topic that is covered',
    messages: ['checkpoint.signed'],
    sends: ['notary'],
    receives: { audit: {}, notary: {} },
  },
}

/** @throws Error when a topic is not told of, or one that is told of is not there, with what to do */
export function channelTexts(
  topics: readonly { readonly name: string }[] = TOPICS,
  channels: Readonly<Record<string, ChannelText>> = CHANNELS,
): void {
  const names = topics.map(({ name }) => name)
  const untold = names.filter((name) => channels[name] === undefined)
  const gone = Object.keys(channels).filter((name) => !names.includes(name))
  if (untold.length > 0) {
    throw new Error(
      `scripts/asyncapi-channels.ts does not tell of the topic ${untold.join(', ')}: add to CHANNELS what its key is, its messages, who sends and who receives them; and to MESSAGES those that are new`,
    )
  }
  if (gone.length > 0)
    throw new Error(`scripts/asyncapi-channels.ts tells of ${gone.join(', ')}, which is no topic: take it out`)
}
