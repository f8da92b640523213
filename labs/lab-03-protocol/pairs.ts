/**
 * What students wrote in task 10, against each other: two endpoints in two processes, each with a tunnel of its own to our proxy, and the
 * pings of one that the other answers. Where Go is installed, connect-ip-go is one more of them: as the proxy of a student's tunnel, whose
 * network answers and which pings back.
 *
 *     Ada's process            proxy            Bob's process
 *     ping, encapsulate  ---->  |  ---->  decapsulate, answer
 *     decapsulate        <----  |  <----  encapsulate
 */
import { setMaxListeners } from 'node:events'
import { join } from 'node:path'
import { makeTestCertificates } from '../../src/cert/make-certificates.ts'
import { IpAddress } from '../../src/ip/address.ts'
import { decodeIcmp, IcmpType } from '../../src/ip/icmp.ts'
import { describePacket, packetVersion } from '../../src/ip/packet.ts'
import { same } from '../kit/check/format.ts'
import { Seeded } from '../kit/check/seeded.ts'
import type { Meeting, MeetingOptions } from '../kit/grading/pairs.ts'
import { openStudentCode, type StudentCode, type StudentObject } from '../kit/student-code/student-code.ts'
import type { AddressEntry } from './checks/addresses.ts'
import { GO, GoProxy } from './connect-ip-go.ts'
import { AUTHORITY, type Network, PATH, startNetwork, Wire } from './network.ts'

/** The task whose solutions meet. */
export const task = 'live'

const FILE = 'endpoint.ts'
const CONTROL_STREAM = 2
const PEER_CONTROL_STREAM = 3
const PATIENCE_MS = 8000
const BUILD_TIMEOUT_MS = 180_000
/** Bytes of data in each ping. */
const PINGS = [56, 0, 999]

export async function open({ scratch, signal }: MeetingOptions): Promise<Meeting> {
  // Every tunnel listens for its end.
  setMaxListeners(0, signal)
  const random = new Seeded('pairs')
  const undo: (() => unknown)[] = []
  const network = await startNetwork({ scratch: async () => scratch, defer: one => undo.push(one) }, random)
  const go = await GoProxy.start({
    certificates: await makeTestCertificates(join(scratch, 'go-cert'), { clientNames: [] }),
    scratch,
    signal,
    buildTimeoutMs: BUILD_TIMEOUT_MS,
  }).catch((error: Error) => ({ reason: `${GO} was left out: ${error.message}` }))
  if (go instanceof GoProxy) undo.push(() => go.close())

  const endpoints = new Map<string, { endpoint: Endpoint; exercises: string }>()
  /** A tunnel that is up: the one there is, or a new one where that has ended. */
  const endpointOf = async (key: string, exercises: string, at: ProxyAddress): Promise<Endpoint> => {
    const known = endpoints.get(key)?.endpoint
    if (known && known.ended === undefined) return known
    await known?.close()
    const endpoint = await Endpoint.connect(exercises, at, random, signal)
    endpoints.set(key, { endpoint, exercises })
    return endpoint
  }
  const pings = async (from: Endpoint, to: Target): Promise<string | undefined> => {
    for (const [i, length] of PINGS.entries()) {
      const failure = await from.ping(to, { id: random.int(0, 0xffff), sequence: i + 1, data: random.bytes(length) })
      if (failure !== undefined) return failure
    }
    return undefined
  }

  return {
    others: go instanceof GoProxy ? [GO] : [],
    notes: go instanceof GoProxy ? [] : [go.reason],
    async exchange(from, to) {
      try {
        if (go instanceof GoProxy && from.exercises === undefined) {
          const answering = await endpointOf(`${to.name} at ${GO}`, to.exercises!, go)
          return await go.ping(answering.address, PINGS)
        }
        if (go instanceof GoProxy && to.exercises === undefined) {
          const asking = await endpointOf(`${from.name} at ${GO}`, from.exercises!, go)
          return await pings(asking, { name: GO, address: go.library })
        }
        const asking = await endpointOf(from.name, from.exercises!, network)
        // Against itself: in another process.
        const key = from.name === to.name ? `${to.name} again` : to.name
        const answering = await endpointOf(key, to.exercises!, network)
        return await pings(asking, { name: to.name, address: answering.address, endpoint: answering })
      } catch (error) {
        return error instanceof Error ? error.message : String(error)
      }
    },
    async close() {
      for (const { endpoint } of endpoints.values()) await endpoint.close()
      for (const one of undo.reverse()) await one()
    },
  }
}

type ProxyAddress = Pick<Network, 'host' | 'port' | 'certificates'>

interface Target {
  name: string
  address: IpAddress
  endpoint?: Endpoint
}

interface Echo {
  id: number
  sequence: number
  data: Uint8Array
}

type TunnelEvent =
  | { type: 'response'; status: string }
  | { type: 'addresses'; addresses: AddressEntry[] }
  | { type: 'routes' }

/** One end of a tunnel, of a student's making. It answers what comes for as long as it lives. */
class Endpoint {
  readonly #student: StudentCode
  readonly #wire: Wire
  readonly #object: StudentObject
  readonly #streamId: number
  #control = false
  #status: string | undefined
  #address: IpAddress | undefined
  /** Packets that were no pings. */
  readonly #replies: Uint8Array[] = []
  /** What became of the last ping that came. */
  #last: 'nothing came' | 'it was not answered' | 'it was answered' = 'nothing came'
  /** Why it has ended. */
  ended: string | undefined
  #serving: Promise<void> | undefined

  private constructor(student: StudentCode, wire: Wire, object: StudentObject, streamId: number) {
    this.#student = student
    this.#wire = wire
    this.#object = object
    this.#streamId = streamId
  }

  get address(): IpAddress {
    return this.#address!
  }

  /** Resolves when it has an address. Rejects with what the student's code or the proxy got wrong. */
  static async connect(exercises: string, at: ProxyAddress, random: Seeded, signal: AbortSignal): Promise<Endpoint> {
    const student = openStudentCode({ exercises, signal })
    let endpoint: Endpoint | undefined
    try {
      const wire = await Wire.connect(at, { signal })
      const streamId = random.pick([0, 4, 8])
      endpoint = new Endpoint(student, wire, await student.create(FILE, 'Endpoint', BigInt(streamId)), streamId)
      const { call } = endpoint.#object
      wire.sendStream(CONTROL_STREAM, await student.call<Uint8Array>('http3.ts', 'controlStream'))
      await endpoint.#until('the SETTINGS of the proxy', one => one.#control)
      wire.sendStream(streamId, await call<Uint8Array>('request', AUTHORITY, PATH))
      await endpoint.#until('the response of the proxy', one => one.#status !== undefined)
      if (endpoint.#status !== '200') throw new Error(`the proxy answered the request with ${endpoint.#status}`)
      wire.sendStream(streamId, await call<Uint8Array>('requestAddress', 4))
      await endpoint.#until('an address from the proxy', one => one.#address !== undefined)
    } catch (error) {
      await (endpoint?.close() ?? student.close())
      throw error
    }
    endpoint.#serving = endpoint.#serve()
    return endpoint
  }

  /** Sends one, and waits for its answer. What went wrong is a sentence. */
  async ping(to: Target, { id, sequence, data }: Echo): Promise<string | undefined> {
    this.#replies.length = 0
    if (to.endpoint) to.endpoint.#last = 'nothing came'
    const fields = [this.address.bytes, to.address.bytes, id, sequence, data]
    const packet = await this.#student.call<Uint8Array>(FILE, 'ping', ...fields)
    await this.#send(packet)
    const deadline = performance.now() + PATIENCE_MS
    while (performance.now() < deadline) {
      const reply = this.#replies.shift()
      if (reply === undefined) {
        if (this.ended !== undefined) return this.ended
        if (to.endpoint?.ended !== undefined) return `at ${to.name}: ${to.endpoint.ended}`
        await new Promise(resolve => setTimeout(resolve, 2))
        continue
      }
      const message = icmpOf(reply)
      if (message?.type !== IcmpType.ECHO_REPLY || message.id !== id || message.seq !== sequence) continue
      return same(message.data, data)
        ? undefined
        : `${describePacket(reply)} came back for a ping of ${data.length} bytes`
    }
    const there = to.endpoint ? `; at ${to.name}, ${to.endpoint.#last}` : ''
    return `no answer to a ping of ${data.length} bytes in ${PATIENCE_MS / 1000} s${there}`
  }

  async close(): Promise<void> {
    this.ended ??= 'it was closed'
    this.#wire.close(0x100)
    await this.#student.close()
    await this.#serving
  }

  async #send(packet: Uint8Array): Promise<void> {
    this.#wire.sendDatagram(await this.#object.call<Uint8Array>('encapsulate', packet))
  }

  async #serve(): Promise<void> {
    try {
      while (this.ended === undefined) await this.#receive(100)
    } catch (error) {
      this.ended ??= (error as Error).message
    }
  }

  async #until(what: string, holds: (self: Endpoint) => boolean): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS
    while (!holds(this)) {
      if (performance.now() > deadline) throw new Error(`there was not ${what} after ${PATIENCE_MS / 1000} s`)
      await this.#receive(deadline - performance.now())
    }
  }

  async #receive(timeoutMs: number): Promise<void> {
    const event = await this.#wire.next(timeoutMs)
    if (event === undefined) return
    if (event.type === 'ended') throw new Error(`the proxy ${event.what}`)
    if (event.type === 'datagram') return await this.#receivePacket(event.data)
    if (event.streamId === PEER_CONTROL_STREAM) this.#control = true
    if (event.streamId !== this.#streamId) return
    for (const told of await this.#object.call<TunnelEvent[]>('receive', event.data)) {
      if (told.type === 'response') this.#status = told.status
      const address = told.type === 'addresses' ? told.addresses.find(one => one.requestId === 1n)?.address : undefined
      if (address?.length === 4) this.#address = IpAddress.from(4, address)
    }
  }

  async #receivePacket(datagram: Uint8Array): Promise<void> {
    const packet = await this.#object.call<Uint8Array | undefined>('decapsulate', datagram)
    if (!(packet instanceof Uint8Array)) return
    if (icmpOf(packet)?.type === IcmpType.ECHO_REPLY) {
      this.#replies.push(packet)
      return
    }
    this.#last = 'it was not answered'
    const answer = await this.#student.call<Uint8Array | undefined>(FILE, 'answer', packet)
    if (!(answer instanceof Uint8Array)) return
    await this.#send(answer)
    this.#last = 'it was answered'
  }
}

function icmpOf(packet: Uint8Array): ReturnType<typeof decodeIcmp> | undefined {
  try {
    return packetVersion(packet) === 4 ? decodeIcmp(packet) : undefined
  } catch {
    return undefined
  }
}
