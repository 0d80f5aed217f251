// Which partition a key belongs to: murmur2, as Kafka's own default partitioner computes it, so that every log agrees
// with it and with each other. Knows no topic.

const SEED = 0x9747b28c
const M = 0x5bd1e995
const R = 24

/**
 * The partition of a key among `count`: the positive murmur2 of its UTF-8 bytes modulo `count`.
 * Source: org.apache.kafka.common.utils.Utils.murmur2 and BuiltInPartitioner.partitionForKey, Kafka 4.1.
 */
export function partitionOf(key: string, count: number): number {
  return (murmur2(Buffer.from(key)) & 0x7fffffff) % count
}

function murmur2(data: Uint8Array): number {
  const { length } = data
  const whole = length & ~3
  let hash = SEED ^ length
  for (let i = 0; i < whole; i += 4) {
    let k = byte(data, i) | (byte(data, i + 1) << 8) | (byte(data, i + 2) << 16) | (byte(data, i + 3) << 24)
    k = Math.imul(k, M)
    k = Math.imul(k ^ (k >>> R), M)
    hash = Math.imul(hash, M) ^ k
  }
  if (whole < length) {
    for (let i = length - 1; i >= whole; i--) hash ^= byte(data, i) << (8 * (i - whole))
    hash = Math.imul(hash, M)
  }
  hash = Math.imul(hash ^ (hash >>> 13), M)
  return hash ^ (hash >>> 15)
}

function byte(data: Uint8Array, index: number): number {
  return data[index] ?? 0
}
