/**
 * Records a run for `read-recovery`: a connection of the engine in TypeScript over the link emulator, in real time, and the sender's qlog of it.
 *
 *     npx tsx labs/lab-05-congestion/record-run.ts [FILE]       default: labs/lab-05-congestion/exercises/run.sqlog
 *
 *   0 s     an upload of 90 kB: slow start, losses, recovery
 *   2 s     two small packets in each 150 ms: what is lost of them has little behind it
 *   3.5 s   for 0.8 s nothing passes
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeTestCertificates } from '../../src/cert/make-certificates.ts'
import { LinkEmulator } from '../../src/link/emulator/emulator.ts'
import { CLEAN, type Impairment, type Profile } from '../../src/link/profile/profile.ts'
import { eventRecord, headerRecord } from '../../src/qlog/records.ts'
import { TransportWatcher } from '../../src/qlog/transport-watcher.ts'
import { QuicEndpoint } from '../../src/quic/endpoint.ts'
import { DEFAULT_QUIC_SETTINGS, type QuicConnection, type QuicHandler, type QuicSettings } from '../../src/quic/quic.ts'

const UPLOAD_BYTES = 90_000
const PAIRS_FROM_MS = 2000
const PAIR_EVERY_MS = 150
const OUTAGE = { atMs: 3500, durationMs: 800 }
const END_MS = 5500

const SETTINGS: QuicSettings = {
  ...DEFAULT_QUIC_SETTINGS,
  engine: 'typescript',
  congestionControl: 'reno',
  maxUdpPayload: 1200,
  keepAliveMs: 0,
}

function profile(): Profile {
  const impairment: Impairment = {
    ...CLEAN,
    delayMs: 25,
    loss: { model: 'random', rate: 0.06, correlation: 0 },
    rate: { bitsPerSecond: 2e6, limit: { packets: 40 }, burstBytes: 4096 },
  }
  return {
    name: 'a recorded run',
    title: 'a recorded run',
    about: '',
    source: 'labs/lab-05-congestion',
    up: impairment,
    down: { ...CLEAN, delayMs: 25 },
    timeline: [{ kind: 'outage', direction: 'both', ...OUTAGE }],
  }
}

/** The sender's qlog. */
export async function recordRun(seed: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'masque-run-'))
  try {
    const files = await makeTestCertificates(folder)
    const server = await QuicEndpoint.listen({
      host: '127.0.0.1',
      port: 0,
      settings: SETTINGS,
      tls: { certificateChain: readFileSync(files.server), key: readFileSync(files.serverKey) },
      clientCertificate: 'none',
      retry: 'never',
      maxConnections: 1,
      maxConnectionsPerAddress: 1,
      onConnection: () => handler(),
    })
    const link = await LinkEmulator.start({ profile: profile(), seed, to: server.local })
    try {
      const client = await QuicEndpoint.connect({
        remote: link.address,
        serverName: 'localhost',
        settings: SETTINGS,
        tls: { ca: readFileSync(files.ca) },
      })
      return await runOver(client)
    } finally {
      await link.close()
      await server.close()
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function runOver(client: QuicConnection): Promise<string> {
  const records = [
    headerRecord({
      application: 'masque-lab, lab 5',
      vantagePoint: 'client',
      groupId: client.id,
      referenceTime: Date.now(),
    }),
  ]
  const startedAt = performance.now()
  client.observe?.(
    new TransportWatcher('client', (kind, name, now, data) => {
      // When timers are set changes with each packet: that they have rung is enough.
      if (kind !== 'timers') records.push(Buffer.from(eventRecord(now - startedAt, name, data())))
    }),
  )
  await new Promise<void>((resolve, reject) => {
    client.handler = handler(resolve, reason => reject(new Error(`the connection has ended: ${reason}`)))
  })
  client.streamSend(0, new Uint8Array(UPLOAD_BYTES), true)
  await untilMs(startedAt + PAIRS_FROM_MS)
  for (let at = PAIRS_FROM_MS; at < END_MS; at += PAIR_EVERY_MS) {
    for (let i = 0; i < 2; i++) {
      client.sendDatagram(new Uint8Array(700))
      client.transmit()
    }
    await untilMs(startedAt + at + PAIR_EVERY_MS)
  }
  client.handler = handler()
  client.close(0, '')
  return Buffer.concat(records).toString()
}

function handler(onEstablished = () => {}, onClosed: (reason: string) => void = () => {}): QuicHandler {
  return {
    onEstablished,
    onStreamData() {},
    onStreamReset() {},
    onStopSending() {},
    onStreamDrained() {},
    onDatagram() {},
    onMaxDatagramLength() {},
    onClosed: ({ reason, source }) => onClosed(reason === '' ? source : reason),
  }
}

function untilMs(at: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, Math.max(0, at - performance.now())))
}

if (process.argv[1] === import.meta.filename) {
  const file = process.argv[2] ?? join(import.meta.dirname, 'exercises', 'run.sqlog')
  writeFileSync(file, await recordRun(String(Math.random())))
  console.log(`${file}: recorded. The questions of read-recovery are about this run now.`)
}
