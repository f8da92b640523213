/**
 * Pings through a tunnel at a steady pace, whether or not the ones before were answered. Runs at the client's end of a link:
 * tunnel-pings.ts CLIENT.TOML PLAN, a PingPlan as JSON. Prints one JSON object, Pings.
 */
import { MasqueClient } from '../../../src/client/client.ts'
import { loadClientConfig } from '../../../src/client/config.ts'
import { IpAddress } from '../../../src/ip/address.ts'
import { type PingRecord, type PingTrainOptions, pingTrain } from '../../../src/probes/ping-train.ts'

export interface PingPlan extends Required<Pick<PingTrainOptions, 'count' | 'intervalMs' | 'timeoutMs'>> {
  /** In each echo request. Default 16: so small that congestion control has no reason to hold anything back. */
  dataBytes?: number
}

export interface Pings {
  /** ms. */
  handshakeMs: number
  sessionMs: number
  /** In order of sending. */
  records: Pick<PingRecord, 'sequence' | 'sentMs' | 'rttMs'>[]
  /** Why the session was lost; undefined when it was not. */
  lost?: string
}

const [configFile = '', plan = ''] = process.argv.slice(2)
const client = new MasqueClient(loadClientConfig(configFile))
try {
  const { handshakeMs, sessionMs } = await client.connect()
  let lost: string | undefined
  client.on('down', error => {
    lost = error.message
  })
  const { dataBytes, ...train } = JSON.parse(plan) as PingPlan
  const { records } = await pingTrain(client.host, IpAddress.parse('10.90.0.1'), { ...train, size: dataBytes ?? 16 })
  const pings: Pings = {
    handshakeMs,
    sessionMs,
    records: records.map(({ sequence, sentMs, rttMs }) => ({ sequence, sentMs, rttMs })),
    lost,
  }
  console.log(JSON.stringify(pings))
} finally {
  await client.close()
}
