// Waits with an end.

/** Resolves or rejects as `work` does, or rejects with what `late` makes after `ms`. `work` itself goes on. */
export async function within<T>(ms: number, work: Promise<T>, late: () => Error): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const end = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late()), ms)
  })
  try {
    return await Promise.race([work, end])
  } finally {
    clearTimeout(timer)
  }
}

/** Resolves when `work` has ended, well or not, or after `ms`. */
export async function settled(ms: number, work: Promise<unknown>): Promise<void> {
  await within(ms, work, () => new Error('too late')).catch(() => {})
}
