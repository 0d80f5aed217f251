// What the notary counts.

import { Counter, Gauge, type Registry } from 'prom-client'

export interface NotaryMetrics {
  checkpoint(sequence: number, records: number, signedAt: number): void
  superseded(): void
  pending(records: number): void
  foreign(): void
  strange(kind: string): void
  failed(): void
  contradiction(): void
}

/** Registers the metrics of a notary. @throws Error when the registry holds them already. */
export function createNotaryMetrics(registry: Registry): NotaryMetrics {
  const registers = [registry]
  const counter = (name: string, help: string, labelNames: readonly string[] = []) =>
    new Counter({ name, help, labelNames: [...labelNames], registers })
  const gauge = (name: string, help: string) => new Gauge({ name, help, registers })
  const checkpoints = counter('notary_checkpoints_total', 'Checkpoints that stand, of this notary or another')
  const covered = counter('notary_covered_records_total', 'Records that they cover')
  const superseded = counter('notary_superseded_total', 'Checkpoints that came after another one of their sequence')
  const foreign = counter('notary_foreign_records_total', 'Records of the events that are none')
  const strange = counter('notary_strange_checkpoints_total', 'Records of the checkpoints that were passed over', [
    'reason',
  ])
  const failures = counter('notary_publish_failures_total', 'Publications that failed')
  const contradictions = counter('notary_contradictions_total', 'Signed checkpoints that do not agree with the log')
  const waiting = gauge('notary_pending_records', 'Records read and not covered yet')
  const sequence = gauge('notary_checkpoint_sequence', 'Sequence of the newest checkpoint that stands')
  const signed = gauge('notary_checkpoint_timestamp_seconds', 'When it was signed, Unix seconds')
  return {
    checkpoint(number, records, signedAt) {
      checkpoints.inc()
      covered.inc(records)
      sequence.set(number)
      signed.set(signedAt / 1_000)
    },
    superseded: () => superseded.inc(),
    pending: (records) => waiting.set(records),
    foreign: () => foreign.inc(),
    strange: (reason) => strange.inc({ reason }),
    failed: () => failures.inc(),
    contradiction: () => contradictions.inc(),
  }
}
