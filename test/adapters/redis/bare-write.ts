// Bare pipelined writes to Redis of given entries: what a rebuild is measured against.
import { Redis } from 'ioredis'

const PIPELINE = 500

/** Entries a second, all under keys of their own, which are deleted afterwards. */
export async function bareWriteRate(url: string, entries: readonly (readonly [string, string])[]): Promise<number> {
  const redis = new Redis(url)
  await redis.ping()
  const begun = performance.now()
  for (let at = 0; at < entries.length; at += PIPELINE) {
    const pipeline = redis.pipeline()
    for (const [key, value] of entries.slice(at, at + PIPELINE)) pipeline.set(`bare:${key}`, value, 'EX', 3_600)
    await pipeline.exec()
  }
  const rate = entries.length / ((performance.now() - begun) / 1_000)
  for (let at = 0; at < entries.length; at += PIPELINE) {
    await redis.unlink(...entries.slice(at, at + PIPELINE).map(([key]) => `bare:${key}`))
  }
  redis.disconnect()
  return rate
}
