// Every error of the Aspen dialect: status, event number and Spanish text (contract, section 2). Official clients match on
// number and text. A text never holds what a caller sent, but for `quoted` names that are harmless.

export interface AspenEvent {
  readonly status: number
  /** Digits. */
  readonly eventId: EventId
  readonly message: string
}

/** Those of the contract, and from 15842 to 15844 three that it leaves open. */
export const EVENT_IDS = [
  '15841',
  '15842',
  '15843',
  '15844',
  '15846',
  '15847',
  '15848',
  '15850',
  '15851',
  '15852',
  '15859',
  '15863',
  '20002',
  '20005',
  '20006',
  '20007',
  '99001',
  '99005',
  '355006',
  '1000478',
] as const
export type EventId = (typeof EVENT_IDS)[number]

const event = (status: number, eventId: EventId, message: string): AspenEvent => ({ status, eventId, message })

export const EVENTS = {
  missingApp: event(400, '20002', "Se requiere la cabecera personalizada 'X-PRO-Auth-App'."),
  missingPayload: event(400, '20002', "Se requiere la cabecera personalizada 'X-PRO-Auth-Payload'."),
  unknownKey: event(400, '20005', "Identificador de ApiKey no válido para la cabecera personalizada 'X-PRO-Auth-App'."),
  wrongBasic: event(401, '20005', 'Las credenciales no son válidas o la aplicación no admite HTTP Basic.'),
  disabledKey: event(403, '20006', 'ApiKey está desactivado. Póngase en contacto con el administrador.'),
  invalidPayload: event(400, '20007', "El contenido de la cabecera personalizada 'X-PRO-Auth-Payload' no es válido."),
  noPermission: event(403, '1000478', 'ApiKey no tiene permisos para realizar la operación.'),
  noNonce: event(400, '15852', "'Nonce' no puede ser nulo ni vacío."),
  badNonce: event(400, '15852', "'Nonce' debe coincidir con el patrón ^[A-Za-z0-9._-]{1,64}$"),
  usedNonce: event(400, '15852', 'Nonce ya procesado para su aplicación.'),
  noEpoch: event(400, '15852', "'Epoch' no puede ser nulo ni vacío."),
  badEpoch: event(400, '15850', 'Formato de Epoch no es valido. Debe ser un número.'),
  epochOutOfRange: event(416, '15851', 'Epoch está fuera de rango admitido.'),
  noToken: event(400, '15852', "'Token' no puede ser nulo ni vacío."),
  tokenOfOtherApp: event(401, '15846', 'El token de autenticación no corresponde a la aplicación.'),
  noSession: event(401, '15847', 'No hay una sesión vigente para el token de autenticación. Inicie sesión de nuevo.'),
  sessionExpired: event(401, '15848', 'El token de autenticación ya expiró. Inicie sesión de nuevo.'),
  badVersion: event(400, '99001', "El valor no es un formato válido para el encabezado 'X-PRO-Api-Version'."),
  otherVersion: event(
    400,
    '99005',
    "El valor no es un valor admitido para el encabezado personalizado 'X-PRO-Api-Version'.",
  ),
  notJson: event(400, '15852', 'El cuerpo de la solicitud debe ser un objeto JSON válido en UTF-8.'),
  tooLarge: event(413, '15852', 'El cuerpo de la solicitud supera los 65536 bytes.'),
  notJsonType: event(415, '15852', 'El cuerpo de la solicitud debe ser de tipo application/json.'),
  tokenNotFound: event(404, '355006', 'No se encontró un token con los valores proporcionados.'),
  tooManyTokens: event(429, '15863', 'El usuario ya tiene el máximo de tokens vigentes. Intente más tarde.'),
  badRequest: event(400, '15844', 'La solicitud HTTP no es válida.'),
  noRoute: event(404, '15843', 'La ruta solicitada no existe.'),
  internal: event(500, '15841', 'Se produjo un error interno. No se conoce el resultado de la operación.'),
  upstreamFailed: event(502, '15859', 'El sistema que procesa la operación falló.'),
  unavailable: event(503, '15842', 'El servicio no puede atender la solicitud ahora. No se aceptó nada.'),
  notDelivered: event(503, '15842', 'El token no se pudo entregar y quedó anulado.'),
  timedOut: event(504, '15859', 'El sistema que procesa la operación no respondió a tiempo.'),
} as const satisfies Readonly<Record<string, AspenEvent>>

/** The 400 of a field: what is wrong with it. */
export function fieldEvent(message: string): AspenEvent {
  return event(400, '15852', message)
}

const HARMLESS_NAME = /^[A-Za-z0-9 ._*@-]{1,32}$/
/** As many digits as a security code has: the shortest of what no response may hold. */
const MANY_DIGITS = /[0-9]{3}/

/** A name as sent, in quotes, when it may be repeated: short, plain, and no number of anything. Else `El valor`. */
export function quoted(name: string): string {
  return HARMLESS_NAME.test(name) && !MANY_DIGITS.test(name) ? `'${name}'` : 'El valor'
}
