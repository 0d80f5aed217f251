// What the lanes with real servers get, wherever those run.

export interface Servers {
  /** host:port, comma-separated. */
  readonly kafkaBrokers: string
  readonly redisUrl: string
  stop(): Promise<void>
}
