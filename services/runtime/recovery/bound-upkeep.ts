// A store's upkeep bound to one connection. A catch-up that began on one data set must write no note on another.

import { StoreError } from '../../ports/store.ts'
import type { RecoverableStore, StoreUpkeep } from '../../ports/store-upkeep.ts'

/** Every call throws StoreError once the generation is another: checked before anything is sent. */
export function boundUpkeep(store: Pick<RecoverableStore, 'generation' | 'upkeep'>, generation: number): StoreUpkeep {
  const { upkeep } = store
  const still = (): StoreUpkeep => {
    if (store.generation !== generation) throw new StoreError('the connection to the store changed')
    return upkeep
  }
  return {
    enter: (term) => still().enter(term),
    renew: (why) => upkeep.renew(why),
    notes: async () => still().notes(),
    seize: async (owner, ttlMs) => still().seize(owner, ttlMs),
    release: async (owner) => still().release(owner),
    suspend: async (owner) => still().suspend(owner),
    peek: async (reads) => still().peek(reads),
    restore: async (claims, slots) => still().restore(claims, slots),
    advance: async (holder, progress) => still().advance(holder, progress),
    admit: async (owner, term) => still().admit(owner, term),
    clear: async (owner, ttlMs, kinds) => still().clear(owner, ttlMs, kinds),
    held: () => still().held(),
  }
}
