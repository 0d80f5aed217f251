// What a shell draws for a decision. Cryptographically secure in production, seeded in the simulation.

export interface Entropy {
  /** Six digits, uniform. */
  authorizationNumber(): string
  /** A random 128-bit token id, base64url. */
  tokenId(): string
}
