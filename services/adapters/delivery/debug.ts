// A channel that delivers to nobody and keeps nothing: for trying things out, where the answer itself shows the token.

import type { DeliveryChannel } from '../../ports/delivery.ts'

export function createDebugDelivery(): DeliveryChannel {
  return { key: 'debug', name: 'Depuración (no se entrega)', deliver: async () => true, close: () => undefined }
}
