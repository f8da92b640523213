/** What is fuzzed of the QUIC engine in TypeScript and of its TLS: everything that reads bytes of a peer, as deep inside as a peer gets. */

import fc from 'fast-check'
import { readFrames } from '../../src/quic/typescript/frames/read-frames.ts'
import { APPLICATION, HANDSHAKE, INITIAL } from '../../src/quic/typescript/packet-number-space.ts'
import type { LongHeaderPacket } from '../../src/quic/typescript/packets/packet.ts'
import { readPacket } from '../../src/quic/typescript/packets/read-packet.ts'
import { encodeRetry } from '../../src/quic/typescript/packets/retry-packet.ts'
import { encodeVersionNegotiation } from '../../src/quic/typescript/packets/version-negotiation-packet.ts'
import { TransportError } from '../../src/quic/typescript/transport-error.ts'
import { decodeTransportParameters, encodeTransportParameters } from '../../src/quic/typescript/transport-parameters.ts'
import { WireWriter } from '../../src/quic/typescript/wire-writer.ts'
import { TlsAlert } from '../../src/tls/alert.ts'
import { handshakeMessage } from '../../src/tls/messages/handshake-message.ts'
import { parseCertificate } from '../../src/tls/x509/certificate.ts'
import { TrustStore } from '../../src/tls/x509/trust-store.ts'
import { verifyChain } from '../../src/tls/x509/verify-chain.ts'
import { typescriptEngines } from '../quic/typescript/engines.ts'
import { Forger } from '../quic/typescript/forger.ts'
import { anyFrame } from '../quic/typescript/frames/any-frame.ts'
import { Recorder } from '../quic/typescript/frames/recorder.ts'
import { CLIENT_ADDRESS, End, SERVER_ADDRESS } from '../quic/typescript/virtual-network.ts'
import { sealInitial } from '../support/initial.ts'
import { issue, issueRoot, issueServer } from '../tls/certificates.ts'
import { deliver, newContext, newMaterial, newPair, run } from '../tls/in-memory.ts'
import type { Target } from './fuzz.ts'

const isOurs = (url: string): boolean => /\/src\/(?:quic\/typescript|tls)\//.test(url)
const SEED = 1
const ROOM = new Uint8Array(65_535)

/** One byte that chooses among so many things, and the rest. */
function chosen(input: Uint8Array, among: number): [choice: number, rest: Uint8Array] {
  return [(input[0] ?? 0) % among, input.subarray(1)]
}

/** Pieces of an input, each behind a byte or two that say how long it is. */
function pieces(input: Uint8Array, lengthBytes: 1 | 2): Uint8Array[] {
  const found: Uint8Array[] = []
  for (let at = 0; at + lengthBytes <= input.length; ) {
    const length = lengthBytes === 1 ? input[at] : (input[at] << 8) | input[at + 1]
    at += lengthBytes
    found.push(input.subarray(at, at + length))
    at += length
  }
  return found
}

function joined(parts: readonly Uint8Array[], lengthBytes: 1 | 2): Uint8Array {
  const lengthOf = ({ length }: Uint8Array) => (lengthBytes === 1 ? [length] : [length >> 8, length & 255])
  return Uint8Array.from(parts.flatMap(part => [...lengthOf(part), ...part]))
}

/** What a peer does wrong ends as one of these; everything else is a fault of ours. */
function outcomeOf(step: () => string): string {
  try {
    return step()
  } catch (error) {
    if (error instanceof TransportError || error instanceof TlsAlert) return error.message
    throw error
  }
}

function sampleFrames(count: number): Uint8Array[] {
  return fc.sample(anyFrame, { numRuns: count, seed: SEED }).map(({ append }) => {
    const to = new WireWriter(new Uint8Array(1000))
    append(to)
    return to.bytes.slice(0, to.offset)
  })
}

function framesTarget(): Target {
  const spaces = [INITIAL, HANDSHAKE, APPLICATION] as const
  return {
    name: 'frames',
    seeds: sampleFrames(200).map(frame => Uint8Array.of(5, ...frame)),
    isOurs,
    run: input =>
      outcomeOf(() => {
        const [choice, payload] = chosen(input, 6)
        const recorder = new Recorder()
        readFrames(payload, spaces[choice >> 1], choice & 1 ? 'server' : 'client', recorder)
        return `${recorder.calls.length > 1 ? 'many' : 'one'}`
      }),
  }
}

/** Packets of a peer that has its keys: what is in them is the input, piece by piece; an empty one lets time pass. */
async function connectionTarget(): Promise<Target> {
  const engines = await typescriptEngines()
  const frames = sampleFrames(200).filter(({ length }) => length < 256)
  return {
    name: 'connection',
    seeds: Array.from({ length: 20 }, (_, i) => Uint8Array.of(i, ...joined(frames.slice(8 * i, 8 * i + 8), 1))),
    isOurs,
    run(input) {
      const [choice, rest] = chosen(input, 2)
      const forger = new Forger(engines(SEED), choice === 0 ? 'client' : 'server')
      for (const payload of pieces(rest, 1).slice(0, 30)) {
        if (payload.length === 0) forger.network.run(() => false, 300)
        else forger.send(to => [to.write(payload), to.zeros(3)])
      }
      // Nor does what it has queued lead to an error later; and time does not stand still.
      forger.network.run(() => false, 5000)
      const reason = forger.victim.connection.closeReason()
      if (reason === undefined) return 'open'
      if (reason.source === 'local' && !(reason.code >= 0x02 && reason.code <= 0x1ff))
        throw new Error(`ended with code ${reason.code}`)
      return `${reason.source} ${reason.code} ${reason.source === 'local' ? reason.reason : ''}`
    },
  }
}

function transportParametersTarget(): Target {
  const some = encodeTransportParameters(
    {
      ...decodeTransportParameters(new Uint8Array(0), 'client'),
      originalDestinationConnectionId: new Uint8Array(8),
      initialSourceConnectionId: new Uint8Array(8),
      statelessResetToken: new Uint8Array(16),
      maxIdleTimeout: 30_000,
      initialMaxData: 65_536,
      maxDatagramFrameSize: 65_535,
    },
    new Uint8Array(4),
  )
  const preferred = [0x0d, 49, ...new Uint8Array(24), 8, ...new Uint8Array(24).fill(7)]
  return {
    name: 'transport-parameters',
    seeds: [Uint8Array.of(1, ...some), Uint8Array.of(1, ...some, ...preferred), Uint8Array.of(0)],
    isOurs,
    run: input =>
      outcomeOf(() => {
        const [choice, rest] = chosen(input, 2)
        return Object.keys(decodeTransportParameters(rest, choice === 0 ? 'client' : 'server')).join(' ')
      }),
  }
}

/** Datagrams of anybody, before there are keys that only two know; what protects them is made as it has to be, where anybody could make it. */
async function datagramsTarget(): Promise<Target> {
  const engines = await typescriptEngines()
  const [atClient, atServer] = [
    { local: CLIENT_ADDRESS, remote: SERVER_ADDRESS },
    { local: SERVER_ADDRESS, remote: CLIENT_ADDRESS },
  ]
  const begun = () => {
    const { client, server } = engines(SEED)
    const end = new End(
      client.connect({ id: new Uint8Array(8).fill(1), path: atClient, serverName: 'localhost' }),
      () => new Uint8Array(8),
    )
    let first = new Uint8Array(0)
    end.turn(
      0,
      packet => {
        first = Uint8Array.from(packet)
      },
      ROOM,
    )
    const { dcid, scid } = readPacket(first, 0, 8) as LongHeaderPacket
    return { end, server, first, dcid, scid }
  }
  const { first, dcid, scid } = begun()
  const id = new Uint8Array(8).fill(2)
  const frames = joined(
    sampleFrames(60)
      .filter(({ length }) => length < 200)
      .slice(0, 8),
    2,
  )
  const datagrams = [
    first,
    encodeRetry(scid, id, Uint8Array.of(5), dcid),
    encodeVersionNegotiation(scid, dcid, [2, 3]),
    frames,
  ]
  return {
    name: 'datagrams',
    seeds: datagrams.flatMap(each =>
      Array.from({ length: 6 }, (_, kind) => Uint8Array.of(kind, ...joined([each, each], 2))),
    ),
    isOurs,
    run(input) {
      const [kind, rest] = chosen(input, 6)
      const { end, server } = begun()
      const given = pieces(rest, 2).slice(0, 8)
      if (kind % 2 === 0) {
        const datagram = (body: Uint8Array): Uint8Array => {
          if (kind === 2) return encodeRetry(scid, body.subarray(0, 8), body.subarray(8), dcid)
          return kind === 4 && body.length > 3 ? sealInitial('server', dcid, scid, id, body) : body
        }
        for (const each of given) end.connection.receive(datagram(each), atClient, 1)
        return afterwards(end)
      }
      let connection: End | undefined
      for (const each of given) {
        const datagram =
          kind === 1 || each.length < 4 ? each : sealInitial('client', dcid, kind === 3 ? dcid : id, scid, each)
        const header = server.parseHeader(datagram)
        if (header !== undefined && !server.speaks(header.version)) server.versionNegotiation(header)
        if (header === undefined || !header.isInitial) continue
        if (connection === undefined) {
          const accepted = server.accept({ id, path: atServer })
          if (accepted?.receive(datagram, atServer, 1)) connection = new End(accepted, () => new Uint8Array(8))
        } else connection.connection.receive(datagram, atServer, 1)
      }
      return connection === undefined ? 'nothing' : afterwards(connection)
    },
  }

  /** Until nothing is to be done any more, or for long enough. */
  function afterwards(end: End): string {
    for (let now = 1, turns = 0; turns < 200; turns++) {
      end.turn(now, () => {}, ROOM)
      const next = end.connection.deadline(now)
      if (next === undefined) break
      now = Math.max(now, next)
      end.connection.onDeadline(now)
    }
    const reason = end.connection.closeReason()
    return reason === undefined ? 'open' : `${reason.source} ${reason.code} ${reason.reason}`
  }
}

/** A handshake, in which one message is another one. */
async function tlsTarget(): Promise<Target> {
  const material = await newMaterial()
  const configurations = [{}, { clientCertificate: 'required' }, { groups: [0x17] }, {}] as const
  const contexts = configurations.map(each => newContext(material, each))
  const before = newPair(material, {}, contexts[3])
  run(before)
  const ticket = before.client.sink.tickets[0]
  const play = (configuration: number, change: (message: Uint8Array, index: number) => Uint8Array): string => {
    const resumption = configuration === 3 ? { ticket } : {}
    const pair = newPair(material, { ...material.client, ...resumption }, contexts[configuration])
    let index = 0
    pair.client.tls.start()
    while (pair.client.sink.outgoing.length + pair.server.sink.outgoing.length > 0) {
      deliver(pair.client, pair.server, message => change(message, index++))
      deliver(pair.server, pair.client, message => change(message, index++))
    }
    return `${pair.client.tls.complete} ${pair.server.tls.complete}`
  }
  const seeds: Uint8Array[] = []
  for (let configuration = 0; configuration < configurations.length; configuration++) {
    play(configuration, (message, index) => {
      seeds.push(Uint8Array.of(configuration, index, ...message.subarray(0, 1), ...message.subarray(4)))
      return message
    })
  }
  return {
    name: 'tls',
    seeds,
    isOurs,
    run: input =>
      outcomeOf(() => {
        const [configuration, rest] = chosen(input, configurations.length)
        const [at, body] = chosen(rest, 12)
        return play(configuration, (message, index) =>
          index === at ? handshakeMessage(body[0] ?? 0, body.subarray(1)) : message,
        )
      }),
  }
}

function x509Target(): Target {
  const root = issueRoot()
  const middle = issue({ name: 'middle', issuer: root, ca: true, keyUsage: 0x04, pathLength: 1 })
  const keys = ['P-256', 'Ed25519', 'RSA-2048'] as const
  const trust = new TrustStore([parseCertificate(root.der)])
  const chains = keys.flatMap(key => [
    [issueServer(root, { key }).der],
    [issueServer(middle, { key, names: ['proxy.example', '192.0.2.1'] }).der, middle.der, root.der],
  ])
  const unixMs = Date.now()
  return {
    name: 'x509',
    seeds: chains.map((chain, i) => Uint8Array.of(i, ...joined(chain, 2))),
    isOurs,
    run: input =>
      outcomeOf(() => {
        const [choice, rest] = chosen(input, 2)
        const purpose = choice === 0 ? ('server' as const) : ('client' as const)
        const serverName = choice === 0 ? { serverName: 'proxy.example' } : {}
        verifyChain({ chain: pieces(rest, 2), trust, purpose, unixMs, ...serverName })
        return 'believed'
      }),
  }
}

export const TARGETS: Record<string, () => Target | Promise<Target>> = {
  frames: framesTarget,
  'transport-parameters': transportParametersTarget,
  datagrams: datagramsTarget,
  connection: connectionTarget,
  tls: tlsTarget,
  x509: x509Target,
}
