import { expect } from 'chai'
import type { MasqueClient } from '../../src/client/client.ts'
import type { PingResult } from '../../src/hosts/userspace/pinger.ts'

/** On a busy machine an answer may take a while; on loopback it does not get lost. */
const PING_TIMEOUT_MS = 5000

/** Pings through a tunnel of ours; `size` is the ICMP payload. */
export function ping(client: MasqueClient, target: string, size: number): Promise<PingResult> {
  return client.ping(target, { size, timeoutMs: PING_TIMEOUT_MS })
}

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

// quic-go keeps at most 32 HTTP datagrams of a stream for a reader who is busy, and drops what comes on top.
const IN_FLIGHT = 16

/** Pings `count` times, always with several requests under way; resolves with how many were answered. */
export async function pingMany(client: MasqueClient, target: string, size: number, count: number): Promise<number> {
  let left = count
  let answered = 0
  const worker = async () => {
    while (left-- > 0) {
      await ping(client, target, size)
      answered++
    }
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker))
  return answered
}
