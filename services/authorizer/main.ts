// The authorizer: takes purchases, withdrawals, their undoings and the account commands to their outcome.

import { TOPIC } from '../runtime/topics.ts'
import { runWorker } from '../runtime/worker-process.ts'

await runWorker({ name: 'authorizer', topic: TOPIC.purchaseRequests })
