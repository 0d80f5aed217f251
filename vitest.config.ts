// The test lanes: a file's suffix is its lane, a lane is a vitest project. Only `int` and `e2e` start real servers.
import { defineConfig, defineProject } from 'vitest/config'

const SERVERS = './test/servers/global-setup.ts'

interface Lane {
  readonly testTimeoutMs: number
  readonly servers: boolean
}

const LANES: Readonly<Record<string, Lane>> = {
  unit: { testTimeoutMs: 10_000, servers: false },
  contract: { testTimeoutMs: 10_000, servers: false },
  sim: { testTimeoutMs: 60_000, servers: false },
  int: { testTimeoutMs: 60_000, servers: true },
  e2e: { testTimeoutMs: 120_000, servers: true },
}

export default defineConfig({
  test: {
    projects: Object.entries(LANES).map(([name, lane], order) => defineProject({
      test: {
        name,
        include: [`test/**/*.${name}.test.ts`],
        testTimeout: lane.testTimeoutMs,
        hookTimeout: 120_000,
        // Files that stop and freeze servers measure waits; beside each other on two cores they would disturb them.
        ...(lane.servers ? { globalSetup: [SERVERS], maxWorkers: 1 } : {}),
        sequence: { groupOrder: order },
      },
    })),
  },
})
