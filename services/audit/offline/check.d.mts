// Types of check.mjs, which has none so that it can be handed over as it is.

export interface CheckedRecord {
  readonly place: string
  /** What is not as it must be; null when the record is proved. */
  readonly problem: string | null
  readonly signedAt: string
  /** The decoded event, of a proved record only. */
  readonly event: unknown
  /** Of the schema file that it was decoded by, as the proof brings it. */
  readonly schemaSha256: string | null
}

/** @throws Error when the proof has not the form of one. */
export function checkProof(
  proof: unknown,
  keys: readonly { readonly id: string; readonly key: string }[],
): { readonly proved: boolean; readonly records: readonly CheckedRecord[] }
