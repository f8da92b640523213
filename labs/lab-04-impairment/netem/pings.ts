/**
 * Pings through a tunnel at a steady pace. Runs at the client's end of the link: pings.ts CLIENT.TOML COUNT INTERVAL_MS. Prints one
 * JSON object.
 */
import { MasqueClient } from '../../../src/client/client.ts'
import { loadClientConfig } from '../../../src/client/config.ts'
import { IpAddress } from '../../../src/ip/address.ts'
import { type PingRecord, pingTrain } from '../../../src/probes/ping-train.ts'

export interface Pings {
  /** In order of sending. */
  records: Pick<PingRecord, 'sequence' | 'sentMs' | 'rttMs'>[]
  /** Why the session was lost; undefined when it was not. */
  lost?: string
}

const TIMEOUT_MS = 2000

const [configFile = '', countText, intervalText] = process.argv.slice(2)
const client = new MasqueClient(loadClientConfig(configFile))
try {
  await client.connect()
  let lost: string | undefined
  client.on('down', error => {
    lost = error.message
  })
  const { records } = await pingTrain(client.host, IpAddress.parse('10.90.0.1'), {
    count: Number(countText),
    intervalMs: Number(intervalText),
    timeoutMs: TIMEOUT_MS,
  })
  const pings: Pings = {
    records: records.map(({ sequence, sentMs, rttMs }) => ({ sequence, sentMs, rttMs })),
    ...(lost === undefined ? {} : { lost }),
  }
  console.log(JSON.stringify(pings))
} finally {
  await client.close()
}
