// The AsyncAPI document: what the official parser says of it, and whether it is what the service does.

import { Parser } from '@asyncapi/parser'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { channelTexts, CHANNELS, MESSAGES } from '../../scripts/asyncapi-channels.ts'
import { ASYNCAPI_FILE } from '../../scripts/asyncapi.ts'
import { ownDictionary } from '../../services/adapters/avro/dictionary.ts'
import { parseSchema } from '../../services/adapters/avro/schema.ts'
import { singleObjectFingerprint } from '../../services/adapters/avro/single-object.ts'
import { createAvroWire } from '../../services/adapters/avro/wire.ts'
import type { AuthorizationEvent } from '../../services/core/subject/event.ts'
import type { Reply } from '../../services/core/transaction/reply.ts'
import type { Encoded } from '../../services/ports/wire.ts'
import { TOPICS } from '../../services/runtime/topics.ts'
import { commands } from '../protocol/commands.ts'
import { World } from '../protocol/world.ts'

const text = readFileSync(join(import.meta.dirname, '..', '..', ASYNCAPI_FILE), 'utf8')
const wire = createAvroWire()
const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
const PARSER_MS = 60_000

interface Headers {
  readonly required: readonly string[]
  readonly properties: Readonly<Record<string, { readonly const?: string }>>
}
interface Document {
  readonly channels: Readonly<
    Record<string, { readonly address: string | null; readonly bindings?: { readonly kafka: object } }>
  >
  readonly operations: Readonly<
    Record<string, { readonly action: string; readonly reply?: object; readonly bindings: object }>
  >
  readonly components: {
    readonly messages: Readonly<Record<string, { readonly name: string; readonly headers: Headers }>>
    readonly schemas: Readonly<Record<string, { readonly schema: object }>>
  }
}
const document = JSON.parse(text) as Document

/** What the parser reports, but for the advice to name the newest version of AsyncAPI, which few tools read yet. */
async function faultsOf(source: string): Promise<readonly string[]> {
  const parser = new Parser()
  parser.registerSchemaParser({
    getMimeTypes: () => ['application/vnd.apache.avro+json;version=1.9.0'],
    // Of AsyncAPI 3 the parser asks for no validation of a foreign schema, but takes what its parsing throws for a fault.
    validate: () => [],
    parse: ({ data }) => {
      parseSchema(JSON.stringify(data))
      return data as never
    },
  })
  const { diagnostics } = await parser.parse(source)
  return diagnostics
    .filter(({ code }) => code !== 'asyncapi-latest-version')
    .map(({ code, message, path }) => `${code} ${path.join('.')}: ${message}`)
}

describe('the AsyncAPI document', () => {
  it('has nothing that the official parser finds fault with', { timeout: PARSER_MS }, async () => {
    expect(await faultsOf(text)).toEqual([])
  })

  it('is looked at by the parser down to its Avro schemas and references', { timeout: PARSER_MS }, async () => {
    expect(await faultsOf(text.replace('"type": "long"', '"type": "text"'))).not.toEqual([])
    expect(
      await faultsOf(text.replace('"#/components/messages/financialReply"', '"#/components/messages/lost"')),
    ).not.toEqual([])
  })

  it('has each topic with its partitions, retention and key, and each schema as it is', () => {
    for (const { name, partitions, retentionMs, compacted } of TOPICS) {
      const channel = Object.values(document.channels).find(({ address }) => address === name)
      expect(channel?.bindings?.kafka).toMatchObject({
        topic: name,
        partitions,
        topicConfiguration: { 'retention.ms': retentionMs, 'cleanup.policy': [compacted ? 'compact' : 'delete'] },
      })
    }
    const fingerprints = Object.values(document.components.schemas).map(
      ({ schema }) => parseSchema(JSON.stringify(schema)).fingerprint,
    )
    expect(fingerprints.toSorted()).toEqual(
      ownDictionary()
        .written.map(({ fingerprint }) => fingerprint)
        .toSorted(),
    )
  })

  it('answers requests at the partition that they name, and groups the services that share work', () => {
    const { ingressSendsPurchaseRequests: sent, authorizerReceivesPurchaseRequests: received } = document.operations
    expect(sent).toMatchObject({
      action: 'send',
      reply: {
        address: { location: '$message.payload#/replyPartition' },
        channel: { $ref: '#/channels/replyPartition' },
      },
    })
    expect(document.channels['replyPartition']?.address).toBeNull()
    expect(received?.bindings).toEqual({
      kafka: { groupId: { type: 'string', enum: ['authorizer'] }, bindingVersion: '0.5.0' },
    })
  })
})

/** One message of every type that a world of decisions gives, and of the others. */
async function samples(): Promise<readonly (readonly [string, Encoded])[]> {
  const world = new World(1)
  const body = commands.spending('p', { card: '6039591000000018', token: '1' })
  for (const command of [
    commands.generation('g', {}),
    body,
    commands.spending('p', { card: '6039591000000018', token: '2' }),
  ])
    await world.run(command)
  const reply: Reply = {
    scope: 's',
    fingerprint: 'f',
    inquiryId: '',
    found: true,
    tokenShown: true,
    epoch: 1,
    runId: 'r',
  }
  const checkpoint = {
    topic: 't',
    sequence: 1,
    previousHash: '',
    signedAt: 0,
    keyId: 'k',
    ranges: [],
    marks: Buffer.alloc(0),
    signature: Buffer.alloc(0),
  }
  return [
    ...world.events.map((event) => [event.type, wire.encodeEvent(event)] as const),
    ['financial.request', wire.encodeRequest({ body, replyPartition: 0, traceparent: TRACE })],
    ['financial.reply', wire.encodeReply(reply, TRACE)],
    ['record.dead-lettered', wire.encodeDeadLetter({ topic: 't', partition: 0, offset: 0n, reason: 'r' })],
    ['checkpoint.signed', wire.encodeCheckpoint(checkpoint)],
  ]
}

describe('what the document says of headers and schemas', () => {
  const headersOf = (type: string) =>
    Object.values(document.components.messages).find(({ name }) => name === type)?.headers as Headers

  function check(type: string, headers: Readonly<Record<string, string>>): void {
    const { required, properties } = headersOf(type)
    expect(Object.keys(headers)).toEqual(expect.arrayContaining([...required]))
    for (const [name, value] of Object.entries(headers)) {
      expect(properties).toHaveProperty([name])
      expect(value).toBe(properties[name]?.const ?? value)
    }
  }

  it('is what the wire writes', async () => {
    const seen = new Set<string>()
    for (const [type, { value, headers }] of await samples()) {
      seen.add(type)
      check(type, headers)
      const reader = ownDictionary().reader(singleObjectFingerprint(value) ?? '')
      expect(reader?.message).toBe(MESSAGES[type as keyof typeof MESSAGES].schema)
    }
    expect(seen.size).toBeGreaterThanOrEqual(6)
  })

  it.each(CHANNELS['authorization.events']?.messages ?? [])('is what the wire writes for %s', (type) => {
    const event = {
      type,
      slot: 's',
      version: 1,
      drawn: { now: 0 },
      id: 'i',
      now: 0,
      epoch: 1,
      runId: 'r',
      traceparent: TRACE,
    }
    check(type, wire.eventHeaders(event as unknown as AuthorizationEvent))
  })
})

describe('a topic that the document does not tell of', () => {
  it('stops it, and says where to tell', () => {
    expect(() => channelTexts([...TOPICS, { name: 'webhook.dead.letters' }])).toThrow(
      /asyncapi-channels\.ts does not tell of the topic webhook\.dead\.letters: add to CHANNELS what its key is/,
    )
    expect(() => channelTexts(TOPICS.slice(1))).toThrow('tells of token.requests, which is no topic')
  })
})
