/**
 * The probes of measure.ts for a kernel's own sockets, where there is no userspace host: the same packets, at the same times.
 *
 *     wireguard-probe.ts echo ADDRESS            answers on port 7, counts on port 5001, until it is ended
 *     wireguard-probe.ts probe ADDRESS SECONDS   prints one JSON object
 *
 * An echo request is 56 bytes in UDP: with its headers as long as a ping. A packet of the flow is 1000 bytes with its headers.
 */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'

const [ECHO, SINK] = [7, 5001]
const PING_EVERY_MS = 50
const PACKETS_PER_SECOND = 25
const HEADERS = 28
const SETTLE_MS = 3000

export interface WireguardFigures {
  /** In order of sending; null: no answer. */
  pings: { sentMs: number; rttMs: number | null }[]
  flow: { sent: number; received: number; bytes: number }
}

async function bound(port: number, address?: string) {
  const socket = createSocket('udp4')
  socket.bind(port, address)
  await once(socket, 'listening')
  return socket
}

async function echo(address: string): Promise<void> {
  const answers = await bound(ECHO, address)
  answers.on('message', (message, from) => answers.send(message, from.port, from.address))
  const sink = await bound(SINK, address)
  const seen = new Set<number>()
  sink.on('message', (message, from) => {
    // A short message asks for the count.
    if (message.length < 8) sink.send(String(seen.size), from.port, from.address)
    else seen.add(message.readUInt32BE(0))
  })
  console.log('ready')
}

async function probe(address: string, seconds: number): Promise<void> {
  const socket = await bound(0)
  const pings: WireguardFigures['pings'] = []
  const start = performance.now()
  socket.on('message', message => {
    const ping = pings[message.readUInt32BE(0)]
    if (ping) ping.rttMs ??= performance.now() - start - ping.sentMs
  })
  const flow = await bound(0)
  let sent = 0
  const payload = 1000 - HEADERS
  const everyMs = 1000 / PACKETS_PER_SECOND
  while (performance.now() - start < seconds * 1000) {
    const nowMs = performance.now() - start
    while (pings.length * PING_EVERY_MS <= nowMs) {
      const message = Buffer.alloc(56)
      message.writeUInt32BE(pings.length)
      pings.push({ sentMs: performance.now() - start, rttMs: null })
      socket.send(message, ECHO, address)
    }
    while (sent * everyMs <= nowMs) {
      const message = Buffer.alloc(payload)
      message.writeUInt32BE(sent++)
      flow.send(message, SINK, address)
    }
    const next = Math.min(pings.length * PING_EVERY_MS, sent * everyMs)
    await sleep(Math.max(0, next - (performance.now() - start)))
  }
  await sleep(SETTLE_MS)
  // The question and its answer go over the same link: again until there is one.
  let received: number | undefined
  flow.on('message', message => {
    received = Number(message.toString())
  })
  for (let tries = 0; received === undefined && tries < 20; tries++) {
    flow.send(Buffer.from('?'), SINK, address)
    await sleep(500)
  }
  const figures: WireguardFigures = { pings, flow: { sent, received: received ?? 0, bytes: payload } }
  console.log(JSON.stringify(figures))
  process.exit(0)
}

const [role, address = '', seconds = '15'] = process.argv.slice(2)
await (role === 'echo' ? echo(address) : probe(address, Number(seconds)))
