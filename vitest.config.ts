// The test lanes: a file's suffix is its lane, a lane is a vitest project. Only `int` and `e2e` start real servers: `int`
// one set for the run, `e2e` a set for each file, since it kills them.
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
  int: { testTimeoutMs: 60_000, servers: 'shared' },
  e2e: { testTimeoutMs: 120_000, servers: 'own' },
}

export default defineConfig({
  test: {
    projects: Object.entries(LANES).map(([name, lane], order) =>
      defineProject({
        test: {
          name,
          include: [`test/**/*.${name}.test.ts`],
          testTimeout: lane.testTimeoutMs,
          hookTimeout: 120_000,
          // Files that stop and freeze servers measure waits; beside each other on two cores they would disturb them.
          ...(lane.servers === 'none' ? {} : { maxWorkers: 1 }),
          // Rates are measured with the young generation that services have (scripts/run.mjs).
          ...(lane.servers === 'shared' ? { globalSetup: [SERVERS], execArgv: ['--max-semi-space-size=32'] } : {}),
          sequence: { groupOrder: order },
        },
      }),
    ),
  },
})
