// The consumer kit: all that a service which reacts to authorizations needs, and all that stays as it is. Whatever is not
// named here may change.

export { createAvroWire } from '../adapters/avro/wire.ts'
export { openLog } from '../runtime/open-log.ts'
export type { Log } from '../ports/log.ts'
export type { Wire } from '../ports/wire.ts'
export type { Backoff } from '../runtime/backoff.ts'
export { followEvents } from './follow-events.ts'
export type { EventBatch, FollowEventsOptions, FollowingEvents } from './follow-events.ts'
export { startConsumer } from './group-consumer.ts'
export type { Consumer, ConsumerObserver, ConsumerOptions } from './group-consumer.ts'
export { HandlerError, StopConsumingError } from './handler.ts'
export type { EventHandler, HandlerContext } from './handler.ts'
export { PUBLIC_EVENT_TYPES } from './public-event.ts'
export type { PublicEvent, PublicEventType } from './public-event.ts'
export { parseStart, START_FORMS, startOffsets } from './start.ts'
export type { Start } from './start.ts'
