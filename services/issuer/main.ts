// The issuer: takes token generations, and what concerns them, to their outcome.

import { TOPIC } from '../runtime/topics.ts'
import { runWorker } from '../runtime/worker-process.ts'

await runWorker({ name: 'issuer', topic: TOPIC.tokenRequests })
