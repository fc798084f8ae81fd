/** How callers wait, on either side of a picture: with the platform's own timers, as an answer does. */

/**
 * Waits for `call` as long as `ms`, then aborts its signal with `late()`; what it has called may well go on. Rejects as
 * the call does.
 */
export async function within(
  ms: number,
  call: (signal: AbortSignal) => Promise<void>,
  late: () => Error,
): Promise<void> {
  const leaving = new AbortController();
  const timer = setTimeout(() => leaving.abort(late()), ms);
  try {
    await call(leaving.signal);
  } finally {
    clearTimeout(timer);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
