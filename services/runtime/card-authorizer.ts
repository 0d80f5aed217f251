// The authorizer of cards that the configuration names. Only wiring.

import { createDemoAuthorizer } from '../adapters/card-authorizer/demo.ts'
import type { CardAuthorizer } from '../ports/card-authorizer.ts'
import type { AuthorizerConfig } from './config-authorizer.ts'

export interface OpenAuthorizer {
  /** Absent: there is none, and what needs one is declined. */
  readonly authorizer?: CardAuthorizer
  close(): void
}

/** @throws RangeError for an address that may not be called. */
export function openAuthorizer(config: AuthorizerConfig): OpenAuthorizer {
  switch (config.kind) {
    case 'none':
      return { close: () => undefined }
    case 'demo':
      return { authorizer: createDemoAuthorizer(config.declines), close: () => undefined }
  }
}
