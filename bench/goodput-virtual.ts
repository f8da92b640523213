/**
 * `bench goodput --virtual`: the same transfers in virtual time, both ends in one process, so that what comes out depends neither on the machine nor on what else
 * runs on it. Each with itself: the engine in TypeScript in the network of its tests, quic-go by Go's testing/synctest. Both links do the same to a
 * packet; which packets they lose differs, as each draws random numbers of its own.
 */

import { readFileSync } from 'node:fs'
import { loadavg } from 'node:os'
import { prepareGo, runGo } from '../interop/harness/go-programs.ts'
import { Unavailable } from '../interop/harness/skip.ts'
import type { TestCertificates } from '../src/cert/make-certificates.ts'
import { TypescriptEngine } from '../src/quic/typescript/engine.ts'
import { seeded, seededBytes, VirtualNetwork } from '../test/quic/typescript/virtual-network.ts'
import { CONTENDERS, type Contender, type GoodputOptions, type GoodputResult, rowOf, title } from './goodput.ts'
import {
  bytesInRoundTrip,
  type GoodputPath,
  MBIT,
  PACKET_SIZE,
  PATHS,
  settingsFor,
  WARM_UP_MS,
} from './goodput-settings.ts'
import { withCubic } from './quic-go-streams.ts'

/** Streams are written to in pieces; there is always another one. */
const BLOCK = new Uint8Array(64 << 10)
const LIMIT_MS = 60_000
const QUIETLY = { QUIC_GO_DISABLE_RECEIVE_BUFFER_WARNING: 'true' }

type Measure = (path: GoodputPath, seeds: readonly number[], ms: number) => number[] | Promise<number[]>

export async function benchVirtualGoodput(options: GoodputOptions): Promise<GoodputResult> {
  const { certificates, seconds, rounds, only = CONTENDERS, onProgress } = options
  const skipped: string[] = []
  const contenders: Partial<Record<Contender, Measure>> = {}
  const tryGo = async (name: Contender, more: () => Promise<string[]>): Promise<void> => {
    if (!only.includes(name)) return
    try {
      const args = await more()
      contenders[name] = (...order) => measureGo(args, ...order)
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error
      skipped.push(`${name}: left out, ${error.message}`)
    }
  }
  await tryGo('quic-go', async () => {
    await prepareGo()
    return []
  })
  await tryGo('quic-go-cubic', withCubic)
  if (only.includes('typescript')) contenders.typescript = (...order) => measureOurs(certificates, ...order)
  const rows = []
  for (const path of PATHS) {
    // Where nothing is lost by chance, all runs are the same.
    const seeds = Array.from({ length: path.loss === 0 ? 1 : rounds }, (_, i) => i + 1)
    const mbps: Partial<Record<Contender, number[]>> = {}
    for (const [name, measure] of Object.entries(contenders) as [Contender, Measure][]) {
      const values = await measure(path, seeds, seconds * 1000)
      mbps[name] = values
      onProgress(`${title(path)}, ${name}: ${values.map(each => each.toFixed(2)).join(', ')} Mbit/s`)
    }
    rows.push(rowOf(path, mbps))
  }
  const load = loadavg()[0]
  return { receiver: 'virtual', mbit: MBIT, seconds, load: { least: load, most: load }, rows, skipped }
}

async function measureGo(args: string[], path: GoodputPath, seeds: readonly number[], ms: number): Promise<number[]> {
  const { loss, rttMs } = path
  const orders = seeds.map(seed => ({
    loss,
    rttMs,
    mbit: MBIT,
    packetSize: PACKET_SIZE,
    warmUpMs: WARM_UP_MS,
    ms,
    seed,
  }))
  const test = ['test', ...args, '-count=1', '-timeout=30m', '-run=TestGoodput', '-v', './internal/virtual']
  const printed = await runGo(test, { ...QUIETLY, GOODPUT_ORDERS: JSON.stringify(orders) })
  const lines = printed.split('\n').filter(line => line.startsWith('{'))
  return lines.map(line => ((JSON.parse(line) as { bytes: number }).bytes * 8) / 1000 / ms)
}

function measureOurs(
  certificates: TestCertificates,
  path: GoodputPath,
  seeds: readonly number[],
  ms: number,
): number[] {
  return seeds.map(seed => (transfer(certificates, path, seed, ms) * 8) / 1000 / ms)
}

/** How many bytes arrive in the time that is measured. */
function transfer(certificates: TestCertificates, path: GoodputPath, seed: number, ms: number): number {
  const settings = settingsFor('typescript')
  const random = (i: number) => seededBytes(seeded(3 * seed + i))
  const network = new VirtualNetwork({
    seed,
    client: new TypescriptEngine(
      { role: 'client', settings, tls: { ca: readFileSync(certificates.ca) }, peerCertificate: 'required' },
      random(1),
    ),
    server: new TypescriptEngine(
      {
        role: 'server',
        settings,
        tls: { certificateChain: readFileSync(certificates.server), key: readFileSync(certificates.serverKey) },
        peerCertificate: 'none',
      },
      random(2),
    ),
    conditions: { delayMs: path.rttMs / 2, loss: path.loss, rate: MBIT * 125, queue: bytesInRoundTrip(path) },
  })
  const { client } = network
  if (!network.run(() => client.established && network.server?.established === true, LIMIT_MS))
    throw new Error('no handshake in virtual time')
  let bytes = 0
  client.onStreamData = (_streamId, data) => {
    bytes += data.length
  }
  pour(network)
  client.write(0, new Uint8Array(1), false)
  network.turn('client')
  network.run(() => false, WARM_UP_MS)
  const before = bytes
  network.run(() => false, ms)
  return bytes - before
}

/** The server sends without an end, once it is asked. */
function pour(network: VirtualNetwork): void {
  const server = network.server as NonNullable<VirtualNetwork['server']>
  const turn = server.turn.bind(server)
  server.turn = (...order) => {
    // As much as its engine takes, each time that there is something to do.
    if (server.received.has(0)) while (server.connection.streamSend(0, BLOCK, false) === BLOCK.length) {}
    turn(...order)
  }
}
