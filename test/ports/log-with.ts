import type { Log } from '../../services/ports/log.ts'

/** A log, with some of its operations done otherwise. */
export function logWith(log: Log, other: Partial<Log>): Log {
  return {
    publish: (records) => log.publish(records),
    follow: (options) => log.follow(options),
    consume: (...args) => log.consume(...args),
    read: (...args) => log.read(...args),
    extent: (...args) => log.extent(...args),
    end: (...args) => log.end(...args),
    offsetAt: (...args) => log.offsetAt(...args),
    partitions: (topic) => log.partitions(topic),
    ping: () => log.ping(),
    close: () => log.close(),
    ...other,
  }
}
