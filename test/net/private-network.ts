/**
 * Runs inside a network namespace without a route anywhere, but for two interfaces that are joined: fe80::1 on `here`, fe80::2 on `there`. Prints what happens there as
 * one JSON object; `private-network.test.ts` starts it and judges.
 */

import { LinkEmulator } from '../../src/link/emulator/emulator.ts'
import { CLEAN } from '../../src/link/profile/profile.ts'
import { bindUdp, LOOPBACK } from '../../src/net/udp.ts'
import { QuicEndpoint } from '../../src/quic/endpoint.ts'
import { DEFAULT_QUIC_SETTINGS } from '../../src/quic/quic.ts'
import { clientTls } from '../support/certificates.ts'
import { closeAll, connect, listen } from '../support/quic-peer.ts'

const NOWHERE = { host: '192.0.2.1', port: 4433 }

const uncaught: string[] = []
process.on('uncaughtException', error => uncaught.push(String(error)))
process.on('unhandledRejection', error => uncaught.push(String(error)))

async function connectNowhere(): Promise<string> {
  return QuicEndpoint.connect({
    remote: NOWHERE,
    serverName: 'localhost',
    tls: await clientTls(),
    settings: DEFAULT_QUIC_SETTINGS,
  }).then(
    () => 'connected',
    error => String(error.code),
  )
}

async function linkToNowhere() {
  const profile = { name: '', title: '', about: '', source: '', up: CLEAN, down: CLEAN, timeline: [] }
  const link = await LinkEmulator.start({ profile, seed: '1', to: NOWHERE })
  const client = await bindUdp(LOOPBACK)
  for (let i = 1; i <= 3; i++) {
    client.send('x', link.address.port, link.address.host)
    while (link.counters().outside.unsent < i) await new Promise(setImmediate)
  }
  client.close()
  const { outside } = link.counters()
  await link.close()
  return {
    unsent: outside.unsent,
    because: outside.unsentBecause,
    unclaimed: outside.unclaimed,
    faults: outside.faults,
  }
}

async function linkLocal() {
  const server = await listen({ host: '::' })
  const remote = { host: 'fe80::2%here', port: server.endpoint.local.port }
  const client = await connect(server, { remote })
  await client.recorder.until(() => client.recorder.established)
  client.connection.sendDatagram(Uint8Array.of(7))
  const { connection, recorder } = server.accepted[0]
  await recorder.until(() => recorder.datagrams.length === 1)
  const result = { from: connection.remote.host, path: connection.paths()[0].remote.host, errors: server.errors.length }
  client.connection.close(0x100, '')
  await closeAll()
  return result
}

const judge = async (): Promise<object> => ({
  connect: await connectNowhere(),
  link: await linkToNowhere(),
  linkLocal: await linkLocal(),
  uncaught,
})
process.stdout.write(JSON.stringify(await judge().catch(error => ({ failed: String(error?.stack) }))))
process.exit()
