// The page behind `X-PRO-Response-Help`: what an event means and what to do, for the people who run a client. Spanish, and
// with nothing in it but what stands here.

import type { FastifyReply, FastifyRequest } from 'fastify'
import { EVENT_IDS, EVENTS, type EventId } from './events.ts'

/** What to do about it. One total record: an event without a remedy does not compile. */
const REMEDIES: Readonly<Record<EventId, string>> = {
  '15841':
    'Falló el servicio, no la solicitud. Si enviaba un token, puede que se haya generado; repita la operación con un ' +
    '<code>Nonce</code> nuevo y, si continúa, infórmelo con el valor de la cabecera <code>X-Request-Id</code>.',
  '15842':
    'No se aceptó nada, o lo que se generó quedó anulado. Repita la operación después de los segundos que indica la ' +
    'cabecera <code>Retry-After</code>.',
  '15843': 'Revise el método y la ruta de la solicitud: las operaciones están bajo <code>/api/app</code>.',
  '15844': 'La solicitud no es HTTP bien formado: revise la ruta y la cabecera <code>Host</code>.',
  '15846': 'Use en <code>Token</code> el valor <code>jti</code> del último inicio de sesión de la misma aplicación.',
  '15847':
    'Una aplicación tiene una sola sesión: un inicio de sesión nuevo termina el anterior. Inicie sesión de nuevo con ' +
    '<code>POST /api/app/auth/signin</code>.',
  '15848': 'La sesión llegó a la fecha <code>exp</code> del inicio de sesión. Inicie sesión de nuevo.',
  '15850': '<code>Epoch</code> es un número de segundos desde 1970-01-01T00:00:00Z, mayor o igual que cero.',
  '15851':
    'Corrija el reloj de la aplicación: <code>Epoch</code> admite hasta 12 horas de diferencia con el servidor. ' +
    'Después de una interrupción solo se admiten solicitudes firmadas después de ella: firme de nuevo y repita.',
  '15852':
    'Un dato de la solicitud falta o no tiene la forma requerida: el mensaje lo nombra. <code>Nonce</code> es ' +
    'distinto en cada solicitud, de 1 a 64 caracteres de <code>[A-Za-z0-9._-]</code>. El cuerpo es un objeto JSON en ' +
    'UTF-8, de tipo <code>application/json</code> y de máximo 65536 bytes.',
  '15859':
    'El sistema que procesa la operación falló o no respondió a tiempo, y no se sabe si la operación se hizo. Una ' +
    'validación repetida puede responder que el token no existe, porque ya se usó.',
  '15863':
    'Un usuario tiene a lo sumo cinco tokens vigentes. Espere los segundos de la cabecera <code>Retry-After</code>, o ' +
    'anule uno con <code>DELETE /api/app/tokens/{token}</code>.',
  '20002': 'Envíe las cabeceras <code>X-PRO-Auth-App</code> y <code>X-PRO-Auth-Payload</code>, ambas con valor.',
  '20005':
    'Revise el identificador de la aplicación. Con HTTP Basic, revise también el secreto y que la aplicación lo tenga ' +
    'permitido.',
  '20006': 'La aplicación está desactivada. Póngase en contacto con el administrador.',
  '20007':
    '<code>X-PRO-Auth-Payload</code> es un JWT firmado con HS256 y el secreto de la aplicación; <code>Token</code> es ' +
    'el valor <code>jti</code> del inicio de sesión.',
  '99001': '<code>X-PRO-Api-Version</code> es de 2 a 4 números separados por puntos, como <code>1.0</code>.',
  '99005': 'La versión admitida es <code>1.0</code>.',
  '355006':
    'El token no existe, no es válido, ya se usó o ya expiró, o se envió con datos distintos a los de su generación. ' +
    'Por seguridad la respuesta es la misma en todos los casos.',
  '1000478': 'La configuración de la aplicación no permite esta operación. Póngase en contacto con el administrador.',
}

/** Nothing is loaded from anywhere, and no script runs. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"

/** Sends the page of an event, or a page that says that there is none. */
export async function sendHelp(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const { eventId } = request.params as { readonly eventId: string }
  const known = EVENT_IDS.find((id) => id === eventId)
  return reply
    .code(known === undefined ? 404 : 200)
    .header('content-type', 'text/html; charset=utf-8')
    .header('content-security-policy', POLICY)
    .send(known === undefined ? page('Evento desconocido', '<p>No hay un evento con este número.</p>') : pageOf(known))
}

function pageOf(eventId: EventId): string {
  const texts = Object.values(EVENTS).filter((event) => event.eventId === eventId)
  const items = texts.map(({ status, message }) => `<li>HTTP ${status}: ${escaped(message)}</li>`).join('\n')
  return page(`Evento ${eventId}`, `<ul>\n${items}\n</ul>\n<h2>Qué hacer</h2>\n<p>${REMEDIES[eventId]}</p>`)
}

function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="es">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${title}</title>
<style>body { font: 1rem/1.5 sans-serif; max-width: 40rem; margin: 2rem auto; padding: 0 1rem }</style>
</head>
<body>
<h1>${title}</h1>
${body}
</body>
</html>
`
}

function escaped(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;')
}
