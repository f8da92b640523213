/**
 * The link emulator: a UDP middlebox that treats datagrams as a profile says. Any operating system, no rights needed.
 *
 *     client --> first attachment   --> up:   delay, loss, rate ... --> a socket for each client address --> server
 *            <--                    <-- down: delay, loss, rate ... <--                                  <--
 *     client --> second attachment  --> ...      (only where the profile has a handover)
 *
 * What happens to a packet is decided in link-direction.ts, without sockets or clocks. Here are the sockets, the clock and the
 * table of who is who.
 *
 * Time is `performance.now()`: monotonic, so a step of the wall clock changes nothing. A packet's arrival is when this process
 * gets it from its socket. If the process is held up (the machine sleeps, a debugger, other programs), packets that
 * became due meanwhile leave at once, in order, are counted (`timing.overdue`), and a 'stall' event says so: what was
 * measured through such a stall is not the link's doing.
 */

import type { Socket } from 'node:dgram'
import { EventEmitter } from 'node:events'
import { DelayHistogram } from '../../hosts/userspace/delay-histogram.ts'
import { connectUdp, formatAddress, type SocketAddress } from '../../net/udp.ts'
import { type LinkCounters, LinkDirection } from '../model/link-direction.ts'
import type { AddressChange, Attachment, Direction, Phase, Profile } from '../profile/profile.ts'
import type { Step } from '../profile/timeline.ts'
import { type Mapping, NatTable } from './nat-table.ts'
import { reachesItself } from './own-address.ts'
import { PreciseTimer } from './precise-timer.ts'
import { kernelDrops } from './socket-drops.ts'
import { TimelinePlayer } from './timeline-player.ts'
import { bindUdp, EmulatorError, isLoopback, resolveHost } from './udp-socket.ts'

export interface EmulatorOptions {
  profile: Profile
  /** The same seed and the same arrivals give the same decisions. */
  seed: string
  /** Where clients send to. 127.0.0.1 and any free port, unless said otherwise. */
  listen?: SocketAddress
  /**
   * The second attachment. Where the profile needs one and nothing is said: the first one's port at 127.0.0.2, where
   * this machine has that address; else another port.
   */
  secondListen?: SocketAddress
  /** The server. */
  to: SocketAddress
  /** Whether the first datagram begins the timeline (the default). If not, `beginTimeline()` does. */
  startTimeline?: boolean
  /** Client addresses at once; more are turned away. */
  maxClients?: number
  /** A client address is forgotten after so long without a packet. */
  clientIdleMs?: number
}

export interface EmulatorCounters {
  /** Of the first attachment, then of the second if there is one. */
  up: LinkCounters[]
  down: LinkCounters[]
  addressChanges: number
  /** Client addresses known now. */
  clients: number
  /** Since the timeline began; undefined before that. */
  timelineMs: number | undefined
  /** How late packets left, against the moment they were due: this program's own error. */
  timing: {
    p50: number
    p99: number
    max: number
    /** Packets that left more than 2 ms late: what came meanwhile was taken in as late. */
    late: number
    /** More than 50 ms late: not the link's doing. See 'stall'. */
    overdue: number
  }
  /** What happened to datagrams outside the link. Anything but 0 is to be explained. */
  outside: {
    /** Client addresses were too many: turned away. */
    refused: number
    /** Answers for a client address that has been forgotten, and packets whose socket was not ready. */
    unclaimed: number
    /** The system did not take a datagram: no route, a full buffer, no more sockets. */
    unsent: number
    /** What the system said about the last of them, such as "connect ENETUNREACH 192.0.2.1:4433". */
    unsentBecause: string | undefined
    /** Datagrams that nobody could answer: their source port is 0. */
    stray: number
    /** Errors of this program itself while it served a packet or a timer. It goes on; 'fault' tells the first. */
    faults: number
    /** "Connection refused" and the like, reported by the server's machine. */
    icmpErrors: number
    /** Dropped by the kernel before this program could read them; undefined where the system does not tell. */
    kernelDrops: number | undefined
  }
}

export interface AddressChangeEvent {
  change: AddressChange
  to: Attachment
  /** Since the timeline began. */
  atMs: number
}

export interface PhaseEvent {
  phase: Phase
  /** Since the timeline began. */
  atMs: number
}

/** Packets left late because this process was held up. */
export interface StallEvent {
  lateMs: number
  packets: number
}

/** Something went wrong inside the emulator: a bug. */
export interface FaultEvent {
  message: string
}

export type EmulatorEvents = {
  fault: [FaultEvent]
  'address-change': [AddressChangeEvent]
  phase: [PhaseEvent]
  stall: [StallEvent]
}

/** Where a client's packets leave for the server. */
interface Upstream {
  socket: Socket | undefined
  /** A socket is being opened. */
  opening: boolean
  /** Packets that were due before the socket was open. */
  waiting: Uint8Array[]
}

/** One place where clients send to, with the link behind it. */
interface AttachmentPoint {
  index: Attachment
  socket: Socket
  address: SocketAddress
  up: LinkDirection
  down: LinkDirection
  deliverUp: (payload: Uint8Array, tag: number, dueMs: number) => void
  deliverDown: (payload: Uint8Array, tag: number, dueMs: number) => void
}

const MAX_WAITING = 64
/** More datagrams than this in Node's own send queue: the system takes no more, so drop. */
const MAX_QUEUED_SENDS = 1024
/** Above this a packet counts as overdue. */
const OVERDUE_MS = 50
/** Above this as late: longer than a processor needs to wake up, and several packets long. */
const LATE_MS = 2
const HOUSEKEEPING_MS = 1_000

export class LinkEmulator extends EventEmitter<EmulatorEvents> {
  readonly address: SocketAddress
  readonly secondAddress: SocketAddress | undefined

  readonly #to: SocketAddress
  readonly #attachments: AttachmentPoint[]
  readonly #clients: NatTable<Upstream>
  readonly #timing = new DelayHistogram()
  readonly #housekeeping: NodeJS.Timeout
  readonly #startTimeline: boolean
  #timer!: PreciseTimer
  #profile: Profile
  #timeline: TimelinePlayer | undefined
  /** When the timeline has its next step. */
  #stepMs = Number.POSITIVE_INFINITY
  /** When something is due anywhere. */
  #dueMs = Number.POSITIVE_INFINITY
  #addressChanges = 0
  #maxErrorMs = 0
  #late = 0
  #overdue = 0
  #stall: StallEvent | undefined
  /** The kernel's drops at sockets that are closed. */
  #drops: number | undefined
  readonly #outside = {
    refused: 0,
    unclaimed: 0,
    unsent: 0,
    unsentBecause: undefined as string | undefined,
    icmpErrors: 0,
    stray: 0,
    faults: 0,
  }
  #closed: Promise<void> | undefined

  /** Rejects with EmulatorError when an address cannot be used. */
  static async start(options: EmulatorOptions): Promise<LinkEmulator> {
    const to = await resolveHost(options.to)
    const sockets: Socket[] = []
    let emulator: LinkEmulator | undefined
    try {
      const listen = await resolveHost(options.listen ?? { host: '127.0.0.1', port: 0 })
      sockets.push(await bindUdp(listen))
      if (options.secondListen !== undefined) sockets.push(await bindUdp(await resolveHost(options.secondListen)))
      else if (options.profile.second !== undefined) sockets.push(await bindBeside(addressOf(sockets[0])))
      for (const own of sockets.map(addressOf)) {
        if (reachesItself(own, to))
          throw new EmulatorError(
            `${formatAddress(to)} is where this link itself listens: expected the address of a server`,
          )
      }
      const link = new LinkEmulator({ ...options, to }, sockets)
      emulator = link
      link.#timer = await PreciseTimer.start(now => link.#guard(() => link.#turn(now)))
      // Only now: a datagram needs the timer.
      for (const attachment of link.#attachments) link.#receiveFrom(attachment)
      return link
    } catch (error) {
      if (emulator !== undefined) clearInterval(emulator.#housekeeping)
      for (const socket of sockets) socket.close()
      throw error
    }
  }

  private constructor(options: EmulatorOptions, sockets: Socket[]) {
    super()
    this.#to = options.to
    this.#profile = options.profile
    this.#startTimeline = options.startTimeline ?? true
    this.#clients = new NatTable({ maximum: options.maxClients, idleMs: options.clientIdleMs })
    this.#attachments = sockets.map((socket, i) => this.#attachment(i as Attachment, socket, options.seed))
    this.address = this.#attachments[0].address
    this.secondAddress = this.#attachments[1]?.address
    this.#housekeeping = setInterval(() => this.#guard(() => this.#expireClients()), HOUSEKEEPING_MS)
    this.#housekeeping.unref()
  }

  /** Begins the timeline, if nothing has yet: as it is after so many ms, with all that it does until then done at once. */
  beginTimeline(skipMs = 0): void {
    if (this.#timeline !== undefined || this.#closed !== undefined) return
    const now = performance.now()
    this.#timeline = new TimelinePlayer(this.#profile, now - skipMs)
    this.#advanceTimeline(now)
    this.#arm(this.#stepMs)
  }

  /**
   * Another profile from now on; packets on the link stay there. The timeline begins anew, as the first one did. Throws
   * EmulatorError when the profile needs a second attachment and there is none.
   */
  setProfile(profile: Profile): void {
    if (profile.second !== undefined && this.#attachments.length < 2) {
      throw new EmulatorError(
        `the profile '${profile.name}' has a second attachment; start the emulator with it, or with a second address`,
      )
    }
    const now = performance.now()
    this.#profile = profile
    this.#timeline = undefined
    this.#stepMs = Number.POSITIVE_INFINITY
    for (const { index, up, down } of this.#attachments) {
      up.set(initialImpairment(profile, index, 'up'), now)
      down.set(initialImpairment(profile, index, 'down'), now)
    }
    this.#turn(now)
  }

  /** A copy, as of now. */
  counters(): EmulatorCounters {
    const ms = (fraction: number): number => (this.#timing.percentile(fraction) ?? 0) / 1000
    return {
      up: this.#attachments.map(({ up }) => ({ ...up.counters })),
      down: this.#attachments.map(({ down }) => ({ ...down.counters })),
      addressChanges: this.#addressChanges,
      clients: this.#clients.size,
      timelineMs: this.#timeline?.elapsedMs(performance.now()),
      timing: { p50: ms(0.5), p99: ms(0.99), max: this.#maxErrorMs, late: this.#late, overdue: this.#overdue },
      outside: { ...this.#outside, kernelDrops: this.#closed === undefined ? this.#kernelDrops() : this.#drops },
    }
  }

  /** Closes every socket; what is on the link is lost. Idempotent. */
  close(): Promise<void> {
    this.#closed ??= this.#shutDown()
    return this.#closed
  }

  async #shutDown(): Promise<void> {
    clearInterval(this.#housekeeping)
    this.#drops = this.#kernelDrops()
    for (const { value } of this.#clients.values()) value.socket?.close()
    const closed = this.#attachments.map(({ socket }) => new Promise<void>(resolve => socket.close(() => resolve())))
    await Promise.all([...closed, this.#timer.close()])
  }

  /** Begins `timing` again: what a program does in its first second, before it is compiled, says little about the rest. */
  forgetTiming(): void {
    this.#timing.reset()
    this.#maxErrorMs = 0
    this.#late = 0
    this.#overdue = 0
  }

  /** Whatever a socket, a timer or a promise leads to runs in here: a fault costs the packet it was about, not the link. */
  #guard(serve: () => void): void {
    try {
      serve()
    } catch (error) {
      this.#fault(error)
    }
  }

  #fault(error: unknown): void {
    if (this.#outside.faults++ > 0) return
    const message = error instanceof Error ? error.message : String(error)
    // Not from in here: whoever listens may throw as well, and would then end what is being served.
    queueMicrotask(() => this.#tell('fault', { message }))
  }

  /** Tells whoever listens. What they do wrong is no reason for the link to stand still. */
  #tell<K extends keyof EmulatorEvents>(event: K, detail: EmulatorEvents[K][0]): void {
    try {
      this.emit(event, ...([detail] as never))
    } catch {
      this.#outside.faults++
    }
  }

  // -- the way of a packet -------------------------------------------------------------------------------------------

  #receiveFrom(attachment: AttachmentPoint): void {
    attachment.socket.on('message', (payload, { address, port }) =>
      this.#guard(() => this.#receive(attachment, payload, address, port)),
    )
    // An ICMP error about a datagram to a client that has gone away. The socket goes on.
    attachment.socket.on('error', () => this.#outside.icmpErrors++)
  }

  #receive(attachment: AttachmentPoint, payload: Uint8Array, host: string, port: number): void {
    // RFC 768: who sets no source port wants no answer, and none can be sent to port 0.
    if (port === 0) {
      this.#outside.stray++
      return
    }
    const now = performance.now()
    if (this.#timeline === undefined && this.#startTimeline) this.beginTimeline()
    const client = this.#clients.find(attachment.index, host, port, now) ?? this.#newClient(attachment, host, port, now)
    if (client !== undefined) this.#offer(attachment.up, payload, client.id, now)
  }

  /** Puts a datagram on the link. */
  #offer(link: LinkDirection, payload: Uint8Array, client: number, now: number): void {
    if (now >= this.#stepMs) this.#advanceTimeline(now)
    link.enqueue(payload, client, now)
    const due = link.nextDueMs() ?? Number.POSITIVE_INFINITY
    // A packet that comes in is also an occasion to send what is due elsewhere, and cheaper than the timer's.
    if (due <= now || this.#dueMs <= now) this.#turn(now)
    else this.#arm(due)
  }

  /** Lets go of everything that is due, and sets the timer for what comes next. */
  #turn(now: number): void {
    if (this.#closed !== undefined) return
    if (now >= this.#stepMs) this.#advanceTimeline(now)
    let next = this.#stepMs
    for (const { up, down, deliverUp, deliverDown } of this.#attachments) {
      if ((up.nextDueMs() ?? Number.POSITIVE_INFINITY) <= now) up.release(now, deliverUp)
      if ((down.nextDueMs() ?? Number.POSITIVE_INFINITY) <= now) down.release(now, deliverDown)
      next = Math.min(next, up.nextDueMs() ?? next, down.nextDueMs() ?? next)
    }
    this.#dueMs = Number.POSITIVE_INFINITY
    this.#timer.served(now)
    if (next !== Number.POSITIVE_INFINITY) this.#arm(next)
    if (this.#stall !== undefined) this.#reportStall()
  }

  #arm(dueMs: number): void {
    if (dueMs >= this.#dueMs) return
    this.#dueMs = dueMs
    this.#timer.set(dueMs)
  }

  #sendUp(payload: Uint8Array, tag: number, dueMs: number): void {
    const client = this.#clients.get(tag)
    if (client === undefined) {
      this.#outside.unclaimed++
      return
    }
    const upstream = client.value
    if (upstream.socket === undefined) {
      if (upstream.waiting.length < MAX_WAITING) upstream.waiting.push(payload)
      else this.#outside.unclaimed++
      // There was no route, say, when the last packet wanted to leave. There may be one now.
      if (!upstream.opening) this.#openUpstream(client)
    } else {
      this.#clock(dueMs)
      if (upstream.socket.getSendQueueCount() > MAX_QUEUED_SENDS) this.#outside.unsent++
      else upstream.socket.send(payload, this.#afterSend)
    }
  }

  #sendDown(socket: Socket, payload: Uint8Array, tag: number, dueMs: number): void {
    const client = this.#clients.get(tag)
    if (client === undefined) {
      this.#outside.unclaimed++
      return
    }
    this.#clock(dueMs)
    if (socket.getSendQueueCount() > MAX_QUEUED_SENDS) this.#outside.unsent++
    else socket.send(payload, client.port, client.host, this.#afterSend)
  }

  readonly #afterSend = (error: Error | null): void => {
    if (error) this.#unsent(1, error)
  }

  #unsent(packets: number, error: Error): void {
    this.#outside.unsent += packets
    this.#outside.unsentBecause = error.message
  }

  /** Notes how late a packet leaves. */
  #clock(dueMs: number): void {
    const error = performance.now() - dueMs
    this.#timing.add(error * 1000)
    if (error > this.#maxErrorMs) this.#maxErrorMs = error
    if (error <= LATE_MS) return
    this.#late++
    if (error <= OVERDUE_MS) return
    this.#overdue++
    this.#stall ??= { lateMs: 0, packets: 0 }
    this.#stall.lateMs = Math.max(this.#stall.lateMs, error)
    this.#stall.packets++
  }

  #reportStall(): void {
    const stall = this.#stall as StallEvent
    this.#stall = undefined
    this.#tell('stall', stall)
  }

  // -- clients -------------------------------------------------------------------------------------------------------

  #newClient(attachment: AttachmentPoint, host: string, port: number, now: number): Mapping<Upstream> | undefined {
    const upstream: Upstream = { socket: undefined, opening: false, waiting: [] }
    let client = this.#clients.add(attachment.index, host, port, now, upstream)
    if (client === undefined) {
      this.#expireClients()
      client = this.#clients.add(attachment.index, host, port, now, upstream)
    }
    if (client === undefined) {
      this.#outside.refused++
      return undefined
    }
    this.#openUpstream(client)
    return client
  }

  /** Gives the client a new socket towards the server, and closes the one it had. Resolves when that is done, or cannot be. */
  #openUpstream(client: Mapping<Upstream>): Promise<void> {
    client.value.opening = true
    return this.#replaceUpstream(client)
      .catch(error => this.#fault(error))
      .finally(() => {
        client.value.opening = false
      })
  }

  async #replaceUpstream(client: Mapping<Upstream>): Promise<void> {
    const upstream = client.value
    const attachment = this.#attachments[client.attachment]
    let socket: Socket
    try {
      socket = await bindUdp({ host: this.#upstreamHost(attachment), port: 0 })
      await connectUdp(socket, this.#to)
    } catch (error) {
      // Out of sockets, or no route. A client without a socket tries again with its next packet; one with a socket keeps it.
      this.#unsent(upstream.waiting.splice(0).length, error as Error)
      return
    }
    if (this.#closed !== undefined || this.#clients.get(client.id) === undefined) {
      socket.close()
      return
    }
    if (upstream.socket !== undefined) this.#closeUpstreams([upstream.socket])
    upstream.socket = socket
    // "Connection refused" is news about one packet. The server may come back.
    socket.on('error', () => this.#outside.icmpErrors++)
    socket.on('message', payload =>
      this.#guard(() => {
        const now = performance.now()
        client.lastSeenMs = now
        this.#offer(attachment.down, payload, client.id, now)
      }),
    )
    for (const payload of upstream.waiting.splice(0)) socket.send(payload, this.#afterSend)
  }

  /** The second attachment is another network: where that can be shown, the server sees another address. */
  #upstreamHost(attachment: AttachmentPoint): string {
    if (!isLoopback(this.#to.host)) return this.#to.host.includes(':') ? '::' : '0.0.0.0'
    if (this.#to.host === '::1') return '::1'
    return attachment.index === 1 && attachment.address.host === SECOND_LOOPBACK ? SECOND_LOOPBACK : '127.0.0.1'
  }

  #expireClients(): void {
    this.#closeUpstreams(this.#clients.expire(performance.now()).flatMap(({ value }) => value.socket ?? []))
  }

  // -- the timeline --------------------------------------------------------------------------------------------------

  #advanceTimeline(now: number): void {
    this.#timeline?.advance(
      now,
      (step, atMs) => this.#apply(step, atMs),
      ({ phase, atMs }) => this.#tell('phase', { phase, atMs }),
    )
    this.#stepMs = this.#timeline?.nextMs ?? Number.POSITIVE_INFINITY
  }

  #apply(step: Step, atMs: number): void {
    if (step.kind === 'impairment') {
      this.#attachments[step.attachment]?.[step.direction].set(step.impairment, atMs)
      return
    }
    this.#addressChanges++
    const event = { change: step.change, to: step.to, atMs: step.atMs }
    // A handover is in the impairments: the attachment that is left goes down. The client does the rest.
    if (step.change === 'handover') this.#tell('address-change', event)
    else void this.#rebind().then(() => this.#tell('address-change', event))
  }

  /** What a NAT does that has lost its table: every client gets another source port; answers to the old one are lost. */
  async #rebind(): Promise<void> {
    const clients = [...this.#clients.values()]
    await Promise.all(clients.map(client => this.#openUpstream(client)))
  }

  // ------------------------------------------------------------------------------------------------------------------

  #attachment(index: Attachment, socket: Socket, seed: string): AttachmentPoint {
    const link = (direction: Direction): LinkDirection =>
      new LinkDirection(initialImpairment(this.#profile, index, direction), { seed, purpose: `${direction} ${index}` })
    return {
      index,
      socket,
      address: addressOf(socket),
      up: link('up'),
      down: link('down'),
      deliverUp: (payload, tag, dueMs) => this.#sendUp(payload, tag, dueMs),
      deliverDown: (payload, tag, dueMs) => this.#sendDown(socket, payload, tag, dueMs),
    }
  }

  /** Of the sockets that are open and of those that were. */
  #kernelDrops(): number | undefined {
    const upstream = [...this.#clients.values()].flatMap(({ value }) => value.socket ?? [])
    const drops = kernelDrops([...this.#attachments.map(({ socket }) => socket), ...upstream].map(addressOf))
    return drops === undefined ? undefined : drops + (this.#drops ?? 0)
  }

  #closeUpstreams(sockets: Socket[]): void {
    if (sockets.length === 0) return
    this.#drops = (this.#drops ?? 0) + (kernelDrops(sockets.map(addressOf)) ?? 0)
    for (const socket of sockets) socket.close()
  }
}

/** Linux has all of 127.0.0.0/8; macOS and Windows may not. */
const SECOND_LOOPBACK = '127.0.0.2'

/** A second attachment for somebody who did not say where. */
async function bindBeside(first: SocketAddress): Promise<Socket> {
  const candidates = [{ host: first.host, port: 0 }]
  if (first.host === '127.0.0.1') {
    candidates.unshift({ host: SECOND_LOOPBACK, port: first.port }, { host: SECOND_LOOPBACK, port: 0 })
  }
  for (;;) {
    const candidate = candidates.shift() as SocketAddress
    try {
      return await bindUdp(candidate)
    } catch (error) {
      if (candidates.length === 0) throw error
    }
  }
}

/** Before the timeline begins. A second attachment that the profile does not describe is like the first. */
function initialImpairment(profile: Profile, attachment: Attachment, direction: Direction) {
  return (attachment === 1 ? profile.second : undefined)?.[direction] ?? profile[direction]
}

function addressOf(socket: Socket): SocketAddress {
  const { address, port } = socket.address()
  return { host: address, port }
}
