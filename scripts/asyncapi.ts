// The AsyncAPI document, made from the topics, the schemas and what `asyncapi-channels.ts` tells of them.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { readSchemaFolder } from '../services/adapters/avro/schema-folder.ts'
import { EPOCH_HEADER } from '../services/core/subject/epochs.ts'
import { TOPIC, TOPICS, type TopicSpec } from '../services/runtime/topics.ts'
import { CHANNELS, channelTexts, MESSAGES, type ChannelText, type MessageText } from './asyncapi-channels.ts'

/** Where the document stands, from the project's folder. */
export const ASYNCAPI_FILE = 'schemas/asyncapi.json'

const ASYNCAPI_VERSION = '3.0.0'
const AVRO = 'application/vnd.apache.avro+json;version=1.9.0'
const CONTENT_TYPE = 'application/avro'
const BINDING = { bindingVersion: '0.5.0' } as const
const REPLY_CHANNEL = 'replyPartition'

/** The whole text. @throws Error when a topic is not told of */
export function asyncApiText(): string {
  return `${JSON.stringify(asyncApiDocument(), null, 2)}\n`
}

function asyncApiDocument(): object {
  channelTexts()
  return {
    asyncapi: ASYNCAPI_VERSION,
    id: 'urn:payment-token-service',
    info: info(),
    defaultContentType: CONTENT_TYPE,
    servers: servers(),
    channels: {
      ...Object.fromEntries(TOPICS.map((topic) => [nameOf(topic.name), channel(topic)])),
      [REPLY_CHANNEL]: replyChannel(),
    },
    operations: Object.fromEntries(Object.entries(CHANNELS).flatMap(([topic, text]) => operations(topic, text))),
    components: {
      securitySchemes: {
        scramSha512: { type: 'scramSha512', description: 'KAFKA_SASL_MECHANISM=scram-sha-512' },
        scramSha256: { type: 'scramSha256', description: 'KAFKA_SASL_MECHANISM=scram-sha-256' },
        plain: { type: 'plain', description: 'KAFKA_SASL_MECHANISM=plain' },
      },
      messages: Object.fromEntries(Object.entries(MESSAGES).map(([type, text]) => [nameOf(type), message(type, text)])),
      schemas: Object.fromEntries(
        readSchemaFolder().map(({ name, present }) => [
          nameOf(name),
          { schemaFormat: AVRO, schema: JSON.parse(present.text) as object },
        ]),
      ),
    },
  }
}

function info(): object {
  const read = readFileSync(join(import.meta.dirname, '..', 'package.json'), 'utf8')
  const { version, description } = JSON.parse(read) as { readonly version: string; readonly description: string }
  return {
    title: 'Payment-token service',
    version,
    description: [
      description,
      '',
      "Values are Avro in single-object encoding: the bytes C3 01, the CRC-64-AVRO fingerprint of the writer's schema, the datum. With `WIRE_FORMAT=confluent` they begin with a zero and the four bytes of the schema's id in a registry instead, under the record's full name as subject.",
      'Headers are CloudEvents 1.0 in binary mode. Records are delivered at least once: `ce_id` tells duplicates.',
    ].join('\n'),
    license: { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' },
    tags: [{ name: 'payments' }, { name: 'kafka' }, { name: 'avro' }],
  }
}

function servers(): object {
  const variables = { brokers: { default: 'localhost:9092', description: 'One of the hosts of `KAFKA_BROKERS`.' } }
  const reference = (name: string) => ({ $ref: `#/components/securitySchemes/${name}` })
  return {
    kafka: {
      host: '{brokers}',
      protocol: 'kafka',
      description: 'Kafka without TLS.',
      variables,
      bindings: { kafka: BINDING },
    },
    kafkaSecure: {
      host: '{brokers}',
      protocol: 'kafka-secure',
      description: 'Kafka with TLS: `KAFKA_SSL=true`.',
      variables,
      security: [reference('scramSha512'), reference('scramSha256'), reference('plain')],
      bindings: { kafka: BINDING },
    },
  }
}

function channel({ name, partitions, retentionMs, purpose, compacted = false }: TopicSpec): object {
  const { key, messages } = CHANNELS[name] as ChannelText
  return {
    address: name,
    title: name,
    description: `${purpose}. The key of a record is ${key}.`,
    messages: Object.fromEntries(
      messages.map((type) => [nameOf(type), { $ref: `#/components/messages/${nameOf(type)}` }]),
    ),
    bindings: {
      kafka: {
        topic: name,
        partitions,
        topicConfiguration: { 'cleanup.policy': [compacted ? 'compact' : 'delete'], 'retention.ms': retentionMs },
        ...BINDING,
      },
    },
  }
}

/** An address that a message names must not be fixed in its channel, says AsyncAPI: so the partition has one of its own. */
function replyChannel(): object {
  return {
    address: null,
    title: 'The partition of an ingress',
    description: `One partition of \`${TOPIC.replies}\`: the one that the request names, where its sender waits.`,
    messages: { [nameOf('financial.reply')]: { $ref: `#/components/messages/${nameOf('financial.reply')}` } },
  }
}

function operations(topic: string, { messages, sends, receives, answered, key }: ChannelText): [string, object][] {
  const of = (name: string) => messages.map((type) => ({ $ref: `#/channels/${name}/messages/${nameOf(type)}` }))
  const common = { channel: { $ref: `#/channels/${nameOf(topic)}` }, messages: of(nameOf(topic)) }
  const reply = answered
    ? {
        reply: {
          address: {
            location: '$message.payload#/replyPartition',
            description: `The number of a partition of \`${TOPIC.replies}\`.`,
          },
          channel: { $ref: `#/channels/${REPLY_CHANNEL}` },
          messages: [{ $ref: `#/channels/${REPLY_CHANNEL}/messages/${nameOf('financial.reply')}` }],
        },
      }
    : {}
  const one = (service: string, action: 'send' | 'receive', group?: string): [string, object] => [
    `${nameOf(service)}${action === 'send' ? 'Sends' : 'Receives'}${capital(nameOf(topic))}`,
    {
      action,
      title: `${service} ${action}s on ${topic}`,
      summary: action === 'send' ? `By ${service}, under ${key}.` : `By ${service}.`,
      ...common,
      ...reply,
      tags: [{ name: service }],
      bindings: { kafka: { ...(group ? { groupId: groupId(group, service) } : {}), ...BINDING } },
    },
  ]
  return [
    ...sends.map((service) => one(service, 'send')),
    ...Object.entries(receives).map(([service, { group }]) => one(service, 'receive', group)),
  ]
}

function groupId(group: string, service: string): object {
  return group === service ? { type: 'string', enum: [group] } : { type: 'string', description: group }
}

function message(type: string, { schema, summary, id, outside, headers = {} }: MessageText): object {
  const present = readSchemaFolder().find(({ name }) => name === schema)
  if (!present)
    throw new Error(`scripts/asyncapi-channels.ts: ${type} has the schema ${schema}, which is not in schemas/`)
  const text = (description: string) => ({ type: 'string', description })
  return {
    name: type,
    title: capital(type.replaceAll(/[.-]/g, ' ')),
    summary,
    contentType: CONTENT_TYPE,
    headers: {
      type: 'object',
      required: [
        'ce_specversion',
        'ce_id',
        'ce_source',
        'ce_type',
        ...(outside ? ['ce_time', 'content-type'] : []),
        ...Object.keys(headers),
      ],
      properties: {
        ce_specversion: { type: 'string', const: '1.0' },
        ce_id: text(capital(id)),
        ce_source: { type: 'string', const: '/payment-token-service' },
        ce_type: { type: 'string', const: type },
        ...(outside
          ? {
              ce_time: { type: 'string', format: 'date-time' },
              'content-type': { type: 'string', const: CONTENT_TYPE },
            }
          : {}),
        traceparent: text('W3C Trace Context, where the caller sent it.'),
        [EPOCH_HEADER]: text('Epoch of the store under which it was published.'),
        ...Object.fromEntries(Object.entries(headers).map(([name, meaning]) => [name, text(capital(meaning))])),
      },
    },
    payload: { $ref: `#/components/schemas/${nameOf(schema)}` },
    correlationId: {
      location: '$message.header#/ce_id',
      description: `${capital(id)}.`,
    },
    bindings: { kafka: { key: { type: 'string' }, ...BINDING } },
  }
}

/** `authorization.events` and `decision-event` as names of their parts: authorizationEvents, decisionEvent. */
function nameOf(name: string): string {
  return name.replaceAll(/[.-]([a-z])/g, (_, letter: string) => letter.toUpperCase())
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
