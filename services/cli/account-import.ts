// Turns account rows into commands through the log, and counts what became of them. Safe to repeat: a consecutive is
// made from its content, and an account that exists is not opened again.

import { setTimeout as sleep } from 'node:timers/promises'
import type { AccountOpening, CardRegistration } from '../core/transaction/command.ts'
import { maskCardNumber, maskDocument } from '../core/card/mask.ts'
import type { Submitted } from '../ingress/submit.ts'
import type { Clock } from '../ports/clock.ts'
import type { KeyRing } from '../ports/keys.ts'
import type { AccountRow } from './account-rows.ts'

/** Who the commands are from, in events and scopes. */
export const OPERATOR = 'operator'
/** Commands under way at one time. */
const CONCURRENCY = 128
/** Tries of one command whose answer does not come or that was not taken. Repeating is harmless. */
const TRIES = 5
const RETRY_MS = 500

export type Ask = (command: CardRegistration | AccountOpening) => Promise<Submitted>

export interface NumberedRow {
  readonly line: number
  readonly row: AccountRow
}

export interface ImportReport {
  registered: number
  opened: number
  /** Accounts that were there already, untouched. */
  existing: number
  readonly refused: { readonly line: number; readonly reason: string }[]
}

export interface ImportDeps {
  readonly ask: Ask
  readonly keys: KeyRing
  readonly clock: Clock
  /** Called after each row. */
  readonly onProgress?: (report: ImportReport, rows: number) => void
}

/** Sends every row, a bounded number at a time. @throws nothing: what fails is in the report. */
export async function importAccounts(
  rows: AsyncIterable<NumberedRow> | Iterable<NumberedRow>,
  deps: ImportDeps,
): Promise<ImportReport> {
  const report: ImportReport = { registered: 0, opened: 0, existing: 0, refused: [] }
  const underway = new Set<Promise<void>>()
  let count = 0
  for await (const numbered of rows) {
    const one: Promise<void> = importRow(numbered, report, deps).then(() => {
      underway.delete(one)
      deps.onProgress?.(report, ++count)
    })
    underway.add(one)
    if (underway.size >= CONCURRENCY) await Promise.race(underway)
  }
  await Promise.all(underway)
  return report
}

async function importRow({ line, row }: NumberedRow, report: ImportReport, deps: ImportDeps): Promise<void> {
  const registration = await ask(registrationOf(row, deps), deps)
  if (registration !== '00') return void report.refused.push({ line, reason: `card: ${registration}` })
  report.registered++
  const opening = openingOf(row, deps)
  if (!opening) return
  const answer = await ask(opening, deps)
  if (answer === '00') report.opened++
  else if (answer === '12') report.existing++
  else report.refused.push({ line, reason: `account: ${answer}` })
}

/** The response code, or in words why there is none. */
async function ask(command: CardRegistration | AccountOpening, deps: ImportDeps): Promise<string> {
  for (let attempt = 1; ; attempt++) {
    const answer = await deps.ask(command)
    if (typeof answer === 'object') return answer.responseCode ?? 'no decision'
    if (attempt === TRIES)
      return answer === 'refused' ? 'the log does not take requests' : 'no answer in time: import again'
    await sleep(RETRY_MS)
  }
}

function registrationOf(row: AccountRow, { keys, clock }: ImportDeps): CardRegistration {
  const card = { hash: keys.hash('card', row.cardNumber), mask: maskCardNumber(row.cardNumber) }
  const document = documentOf(row, keys)
  const content = [card.hash, document.hash, row.state, row.expiresAt, [...row.restrictions].sort()]
  const { fingerprint, consecutive } = identify(keys, 'CARD_REGISTRATION', content)
  return {
    kind: 'CARD_REGISTRATION',
    scope: { acquirerId: OPERATOR, transactionCode: 'CARD_REGISTRATION', consecutive },
    fingerprint,
    clientId: OPERATOR,
    appKey: OPERATOR,
    requestedAt: clock.now(),
    card,
    document,
    state: row.state,
    expiresAt: row.expiresAt,
    restrictions: row.restrictions,
  }
}

function openingOf(row: AccountRow, { keys, clock }: ImportDeps): AccountOpening | null {
  if (!row.account) return null
  const document = documentOf(row, keys)
  const { type: accountType, amountMinor } = row.account
  const { fingerprint, consecutive } = identify(keys, 'ACCOUNT_OPENING', [document.hash, accountType, amountMinor])
  return {
    kind: 'ACCOUNT_OPENING',
    scope: { acquirerId: OPERATOR, transactionCode: 'ACCOUNT_OPENING', consecutive },
    fingerprint,
    clientId: OPERATOR,
    appKey: OPERATOR,
    requestedAt: clock.now(),
    document,
    accountType,
    amountMinor,
  }
}

function documentOf({ document: { type, number } }: AccountRow, keys: KeyRing) {
  return { hash: keys.hash('document', `${type}:${number}`), mask: maskDocument({ type, number }) }
}

function identify(keys: KeyRing, kind: string, content: readonly unknown[]) {
  const fingerprint = keys.hash('fingerprint', JSON.stringify([kind, ...content]))
  return { fingerprint, consecutive: `import-${fingerprint}` }
}
