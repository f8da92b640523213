/**
 * Pings through a tunnel at a steady pace, whether or not the ones before were answered. Runs at the client's end of the link:
 * pings.ts CLIENT.TOML COUNT. Prints one JSON object.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { MasqueClient } from '../../../src/client/client.ts'
import { loadClientConfig } from '../../../src/client/config.ts'

export interface Pings {
  /** ms. */
  handshakeMs: number
  sessionMs: number
  mtu: number
  sent: number
  /** Round trips of those that were answered, in ms. */
  rttMs: number[]
}

/** Few and small: so that congestion control has no reason to hold anything back. */
const INTERVAL_MS = 10
const DATA_BYTES = 16
const PATIENCE_MS = 10_000
const TARGET = '10.90.0.1'

const [configFile, countText] = process.argv.slice(2)
const client = new MasqueClient(loadClientConfig(configFile))
try {
  const { handshakeMs, sessionMs, mtu } = await client.connect()
  const rttMs: number[] = []
  const answers: Promise<void>[] = []
  const start = performance.now()
  for (let i = 0; i < Number(countText); i++) {
    await sleep(Math.max(0, start + i * INTERVAL_MS - performance.now()))
    const ping = client.ping(TARGET, { size: DATA_BYTES, timeoutMs: PATIENCE_MS })
    answers.push(
      ping.then(
        answer => void rttMs.push(answer.rttMs),
        () => {},
      ),
    )
  }
  await Promise.all(answers)
  const pings: Pings = { handshakeMs, sessionMs, mtu, sent: answers.length, rttMs }
  console.log(JSON.stringify(pings))
} finally {
  await client.close()
}
