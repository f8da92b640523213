import { expect } from 'chai'

/** Waits for something that follows from what has happened, but not at once. */
export async function until(condition: () => boolean, timeoutMs = 5000): Promise<void> {
  const end = performance.now() + timeoutMs
  while (!condition()) {
    if (performance.now() > end) expect.fail(`still not so after ${timeoutMs} ms: ${condition}`)
    await new Promise(resolve => setTimeout(resolve, 10))
  }
}

/** What `promise` is rejected with; fails when it is not. */
// biome-ignore lint/suspicious/noExplicitAny: the tests check the fields they use
export function failureOf(promise: Promise<unknown>): Promise<any> {
  return promise.then(
    value => expect.fail(`this should have failed, but gave ${JSON.stringify(value)}`),
    error => error,
  )
}
