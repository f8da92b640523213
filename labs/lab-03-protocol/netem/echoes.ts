/**
 * Sends UDP datagrams of random content through a tunnel to an echo service (port 7), and compares what comes back with what
 * was sent. Runs at the client's end of the link: echoes.ts CLIENT.TOML COUNT. Prints one JSON object.
 */
import { createHash, randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { MasqueClient } from '../../../src/client/client.ts'
import { loadClientConfig } from '../../../src/client/config.ts'
import { IpAddress } from '../../../src/ip/address.ts'

export interface Echoes {
  assigned: string[]
  routes: number
  sent: number
  /** Different datagrams that came back as they were sent. */
  whole: number
  /** Came back once more. */
  repeated: number
  /** Came back after one that was sent later. */
  overtaken: number
  /** Came back as something that was never sent. */
  strange: number
  /** Packets from the tunnel that were no valid IP or UDP, or not for us. */
  invalid: number
}

const INTERVAL_MS = 5
/** Until the last echo is given up: a stream on a lossy link takes its time. */
const PATIENCE_MS = 60_000
const ECHO_PORT = 7
const PORT = 40_000
const TARGET = IpAddress.parse('10.90.0.1')

const [configFile, countText] = process.argv.slice(2)
const count = Number(countText)
const client = new MasqueClient(loadClientConfig(configFile))
try {
  const info = await client.connect()
  const echoes: Echoes = {
    assigned: info.assigned.map(String),
    routes: info.routes.length,
    sent: 0,
    whole: 0,
    repeated: 0,
    overtaken: 0,
    strange: 0,
    invalid: 0,
  }
  const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
  /** By their content: which one it was, and whether it has come back. */
  const sent = new Map<string, { index: number; back: boolean }>()
  let latest = -1
  client.host.udp.bind(PORT, ({ payload }) => {
    const known = sent.get(digest(payload))
    if (known === undefined) echoes.strange++
    else if (known.back) echoes.repeated++
    else {
      known.back = true
      echoes.whole++
      if (known.index < latest) echoes.overtaken++
      latest = Math.max(latest, known.index)
    }
  })
  for (let index = 0; index < count; index++) {
    const payload = randomBytes(32 + (index % 8) * 128)
    sent.set(digest(payload), { index, back: false })
    const to = { sourcePort: PORT, destination: TARGET, destinationPort: ECHO_PORT }
    if (client.host.udp.send(to, payload)) echoes.sent++
    await sleep(INTERVAL_MS)
  }
  // What is lost as a datagram never comes: then it is enough that nothing has come for a while.
  const patienceMs = client.config.tunnel.encapsulation === 'datagram' ? 2000 : PATIENCE_MS
  for (let waited = 0; waited < patienceMs && echoes.whole < echoes.sent; waited += 50) await sleep(50)
  // For duplicates of the last ones.
  await sleep(200)
  const { dropped } = client.host.counters
  echoes.invalid = dropped.malformed + dropped.checksum + dropped['not-ours'] + dropped['bad-source']
  console.log(JSON.stringify(echoes))
} finally {
  await client.close()
}
process.exit()
