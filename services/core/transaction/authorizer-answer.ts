// What another authorizer says of a card transaction, as a decision sees it. How it is asked is an adapter's business.

/** Why it declined: declined, no funds, expired card, stolen card, suspected fraud. */
export const AUTHORIZER_DECLINES = ['05', '51', '54', '43', '59'] as const
export type AuthorizerDecline = (typeof AUTHORIZER_DECLINES)[number]

/** Why another authorizer is not asked at all: there is none, too much is open there, the card's number is gone. */
export const NOT_ASKED = ['no-authorizer', 'too-many-open', 'card-unreadable'] as const
export type NotAsked = (typeof NOT_ASKED)[number]

export type AuthorizerAnswer =
  | {
      readonly kind: 'approved'
      /** Six digits, where it gives one. */
      readonly authorizationNumber?: string
    }
  | { readonly kind: 'declined'; readonly code: AuthorizerDecline }
  /** It surely did nothing, or what it did is surely undone. */
  | { readonly kind: 'not-done' }
