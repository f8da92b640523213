/**
 * Pings through a tunnel at a steady pace, whether or not the ones before were answered. Runs at the client's end of a link:
 * tunnel-pings.ts CLIENT.TOML PLAN, a PingPlan as JSON. Prints one JSON object, Pings.
 */
import { MasqueClient } from '../../../src/client/client.ts'
import { loadClientConfig } from '../../../src/client/config.ts'
import { IpAddress } from '../../../src/ip/address.ts'
import { type PingRecord, type PingTrainOptions, pingTrain } from '../../../src/probes/ping-train.ts'

export type PingPlan = Required<Pick<PingTrainOptions, 'count' | 'intervalMs' | 'timeoutMs'>>

export interface Pings {
  /** ms. */
  handshakeMs: number
  sessionMs: number
  /** In order of sending. */
  records: Pick<PingRecord, 'sequence' | 'sentMs' | 'rttMs'>[]
  /** Why the session was lost; undefined when it was not. */
  lost?: string
}

/** Small: so that congestion control has no reason to hold anything back. */
const DATA_BYTES = 16

const [configFile = '', plan = ''] = process.argv.slice(2)
const client = new MasqueClient(loadClientConfig(configFile))
try {
  const { handshakeMs, sessionMs } = await client.connect()
  let lost: string | undefined
  client.on('down', error => {
    lost = error.message
  })
  const { records } = await pingTrain(client.host, IpAddress.parse('10.90.0.1'), {
    ...(JSON.parse(plan) as PingPlan),
    size: DATA_BYTES,
  })
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
