// The start of every process: read the configuration or say what is wrong with it, then run.

import { executionAsyncResource } from 'node:async_hooks'
import { setFlagsFromString } from 'node:v8'
import type { CommonConfig } from './config-groups.ts'
import { ConfigError, type Environment } from './env.ts'
import { createLogger, type Logger } from './logging.ts'

/** Over and above what is under way at a signal: for groups to be left and logs to flush. Milliseconds. */
export const SHUTDOWN_SLACK_MS = 1_500

/**
 * Three habits of V8 that cost a busy process more than it needs. NODE_OPTIONS takes none of the flags.
 *
 * V8 sees that what rounds allocate is alive in most collections that come within a round, and takes it for long-lived:
 * it is made among the old from then on, where it stays until a full collection, with all young ones it refers to.
 * A worker promoted a sixth of what it allocated, and stopped for twice as long each time.
 *
 * And it keeps the heap of a process that seldom stops as small as it can: a worker of 30 MB made a full collection every
 * two seconds. It may grow to four times what the last one left, which is V8's own bound where memory is plenty.
 *
 * And it compiles well only what was called 3,000 times, and 500 times since anything new was seen there: what runs once
 * a round, over a hundred transactions, comes to that after minutes.
 */
const V8_FLAGS = [
  '--no-allocation-site-pretenuring',
  '--heap-growing-percent=300',
  '--invocation-count-for-turbofan=200',
  '--minimum-invocations-after-ic-update=50',
]

/** What `process.nextTick` made of a call. */
const keptTicks: object[] = []

/**
 * Node makes an object of each call of `process.nextTick`, of which the edge has half a dozen a request. V8 forgets the
 * shape of these objects when a full collection finds none of them, and from then on makes each by a slow way: 650 ns
 * instead of 130, a twentieth of what the edge does. One that is always there keeps the shape.
 */
function keepShapeOfTicks(): void {
  process.nextTick(() => keptTicks.push(executionAsyncResource()))
}

/** Exit code 1 with the names of bad variables, or with a log line when `run` fails; else until a signal. */
export async function runProcess<C extends CommonConfig>(
  service: string,
  read: (env: Environment) => C,
  run: (config: C, logger: Logger) => Promise<void>,
): Promise<void> {
  for (const flag of V8_FLAGS) setFlagsFromString(flag)
  keepShapeOfTicks()
  let config: C
  try {
    config = read(process.env)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    process.stderr.write(`${service} cannot start:\n${error.message}\n`)
    process.exitCode = 1
    return
  }
  const logger = createLogger({ service, level: config.logLevel })
  try {
    await run(config, logger)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE')
      process.stderr.write(`${service} cannot start: its port is taken, set PORT to a free one\n`)
    if (error instanceof Error && (error.name === 'RegistryError' || error.name === 'SchemaError'))
      process.stderr.write(`${service} cannot start: ${error.message}\n`)
    logger.fatal({ error }, 'did not start')
    process.exit(1)
  }
}
