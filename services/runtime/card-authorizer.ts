// The authorizer of cards that the configuration names. Only wiring.

import { createDemoAuthorizer } from '../adapters/card-authorizer/demo.ts'
import { createHttpAuthorizer } from '../adapters/card-authorizer/http.ts'
import type { CardAuthorizer } from '../ports/card-authorizer.ts'
import type { AuthorizerConfig } from './config-authorizer.ts'
import type { Logger } from './logging.ts'

export interface OpenAuthorizer {
  /** Absent: there is none, and what needs one is declined. */
  readonly authorizer?: CardAuthorizer
  close(): void
}

export function openAuthorizer(config: AuthorizerConfig, logger: Pick<Logger, 'warn'>): OpenAuthorizer {
  switch (config.kind) {
    case 'none':
      return { close: () => undefined }
    case 'demo':
      return { authorizer: createDemoAuthorizer(config.declines), close: () => undefined }
    case 'http': {
      const onFault = (operation: string, reason: string) =>
        logger.warn({ operation, reason }, 'no usable answer of the authorizer of cards')
      // Those that settle have connections besides those that ask.
      const authorizer = createHttpAuthorizer({ ...config, maxSockets: 2 * config.maxOpen, onFault })
      return { authorizer, close: () => authorizer.close() }
    }
  }
}
