// What each response code says to a caller, in Spanish. One total record: a code without a text does not compile.

import type { ResponseCode } from '../../core/transaction/codes.ts'

/** One text a code. `55` has one for every reason, so that it tells nobody which (contract, "No oracle"). */
export const RESPONSE_MESSAGES: Readonly<Record<ResponseCode, string>> = {
  '00': 'Transacción aprobada.',
  '03': 'Adquirente desconocido o no autorizado.',
  '05': 'Transacción declinada.',
  '12': 'Transacción no válida.',
  '13': 'Monto no válido para esta transacción.',
  '14': 'Tarjeta no válida.',
  '25': 'No se encontró la transacción original.',
  '39': 'La tarjeta no tiene cuenta de crédito.',
  '41': 'Tarjeta reportada como perdida.',
  '43': 'Tarjeta reportada como robada.',
  '51': 'Fondos insuficientes.',
  '52': 'La tarjeta no tiene cuenta corriente.',
  '53': 'La tarjeta no tiene cuenta de ahorros.',
  '54': 'Tarjeta vencida.',
  '55': 'Token de pago no válido.',
  '57': 'Transacción no permitida para esta tarjeta.',
  '59': 'Transacción declinada por sospecha de fraude.',
  '61': 'El monto supera el límite permitido.',
  '62': 'Tarjeta bloqueada o inactiva.',
  '65': 'Se superó la cantidad permitida de operaciones.',
  '68': 'La transacción llegó fuera de tiempo y no se procesó.',
  '75': 'Se superó el número de intentos permitidos. Intente más tarde.',
  '78': 'La tarjeta no tiene el bolsillo indicado.',
  '91': 'El autorizador no responde.',
  '94': 'El consecutivo ya se usó con otro contenido.',
  '96': 'Error del sistema.',
}
