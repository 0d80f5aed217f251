// The test lanes: a file's suffix is its lane, a lane is a vitest project. Only `int` and `e2e` start real servers: `int`
// one set for the run, `e2e` a set for each file, since it kills them.
import { availableParallelism } from 'node:os'
import { defineConfig, defineProject } from 'vitest/config'

const SERVERS = './test/servers/global-setup.ts'

interface Lane {
  readonly testTimeoutMs: number
  readonly servers: 'none' | 'shared' | 'own'
}

const LANES: Readonly<Record<string, Lane>> = {
  unit: { testTimeoutMs: 10_000, servers: 'none' },
  contract: { testTimeoutMs: 10_000, servers: 'none' },
  sim: { testTimeoutMs: 60_000, servers: 'none' },
  proof: { testTimeoutMs: 60_000, servers: 'none' },
  int: { testTimeoutMs: 60_000, servers: 'shared' },
  e2e: { testTimeoutMs: 120_000, servers: 'own' },
}

/** Many of the tests without servers wait most of their time. */
const MIN_WORKERS = 3
/** Lanes of one group run together; a group begins when the one before has ended. */
const GROUPS: Readonly<Record<Lane['servers'], number>> = { none: 0, shared: 1, own: 2 }

export default defineConfig({
  test: {
    projects: Object.entries(LANES).map(([name, lane]) =>
      defineProject({
        test: {
          name,
          include: [`test/**/*.${name}.test.ts`],
          testTimeout: lane.testTimeoutMs,
          hookTimeout: 120_000,
          ...(lane.servers === 'none'
            ? // To load all modules anew for each file would take a quarter of the time.
              { maxWorkers: Math.max(MIN_WORKERS, availableParallelism() - 1), isolate: false }
            : // Files that stop and freeze servers measure waits; beside each other on two cores they would disturb them.
              { maxWorkers: 1 }),
          ...(lane.servers === 'shared' ? { globalSetup: [SERVERS] } : {}),
          sequence: { groupOrder: GROUPS[lane.servers] },
        },
      }),
    ),
  },
})
