/**
 * UDP on Linux, many packets with one system call: GSO to send (Generic Segmentation Offload), GRO to receive.
 *
 *   room, send   room, send   room, send   flush
 *      |             |            |          |            one memory, which the sockets of the process use in turn
 *      +------+------+------+-----+          v
 *             | 1252 | 1252 | 80  |  ---> sendmsg, UDP_SEGMENT 1252      the kernel cuts it into packets again
 *             +------+------+-----+
 *
 * A batch is packets to one destination, of one length and with one ECN field; only the last may be shorter. What does not fit in begins the next one.
 * Received batches are the same, the other way round. Readiness comes from net/readiness.ts.
 */

import { constants } from 'node:os'
import { errorName, systemError } from '../../net/libc.ts'
import { type Watch, watchReadable } from '../../net/readiness.ts'
import { runAll } from '../../net/run-all.ts'
import { type EcnCodepoint, NOT_ECT } from '../ecn.ts'
import type { PacketSocket, SocketEvents } from '../io.ts'
import type { SocketAddress } from '../quic.ts'
import { MAX_UDP_PAYLOAD, MESSAGES, SEND_ROOM, type UdpCalls } from './linux-calls.ts'
import { PacketViews } from './packet-views.ts'
import { Senders } from './senders.ts'
import { countUnsent, countUnsentAtClose, type Unsent } from './unsent.ts'

/** UDP_MAX_SEGMENTS of older kernels; newer ones take 128. */
const MAX_SEGMENTS = 64

/** Packets that are read before others have their turn. */
const PACKETS_A_TURN = 512

/** Packets that wait for the system to take them; more are lost, as they would be in a router. */
const MAX_WAITING = 512

/** How long the system has for taking what it would not take, before it is asked again, in ms. */
const RETRY_MS = 1

/** Errors that are read in one turn: each is that of a packet of ours to which somebody answered by ICMP. */
const ERRORS_A_TURN = 16

const { EAGAIN, ENOBUFS, EINTR, EINVAL, EIO, EMSGSIZE, ECONNREFUSED } = constants.errno

/** Whose packets are in the memory that all share. */
let writing: BatchedSocket | undefined

interface Batch {
  readonly bytes: Uint8Array
  /** The length of its packets, but for the last. */
  readonly segment: number
  readonly to: SocketAddress | undefined
  readonly ecn: EcnCodepoint
}

export class BatchedSocket implements PacketSocket {
  readonly local: SocketAddress
  readonly carriesEcn: boolean
  readonly readsAtOnce = PACKETS_A_TURN
  readonly unsent: Unsent = {}
  readonly #calls: UdpCalls
  readonly #fd: number
  readonly #connected: boolean
  readonly #debug: (message: string) => void
  readonly #senders: Senders
  readonly #views: PacketViews
  #events: SocketEvents | undefined
  #watch: Watch | undefined
  #open = true
  #closed: Promise<void> | undefined

  // The batch that is being written: packets from #start to #end of the calls' memory.
  #start = 0
  #end = 0
  #count = 0
  #segment = 0
  #to: SocketAddress | undefined
  #ecn: EcnCodepoint = NOT_ECT
  /** The device can cut a batch into packets. */
  #gso = true

  /** What the system would not take, in order. */
  #waiting: Batch[] = []
  #queued = 0

  #retry: NodeJS.Timeout | undefined
  /** How often the system has refused something. */
  #refusals = 0
  /** By errno, with the call: still to be told. */
  #errors = new Map<number, string>()
  /** The same destinations come again and again. */
  readonly #sockaddrs = new WeakMap<SocketAddress, Uint8Array>()

  /** `fd` is a bound UDP socket, and belongs to this object from now on. `carriesEcn`: it was asked for the ECN field of what arrives. */
  constructor(options: {
    fd: number
    local: SocketAddress
    connected: boolean
    carriesEcn: boolean
    calls: UdpCalls
    debug?: (message: string) => void
  }) {
    this.#calls = options.calls
    this.#fd = options.fd
    this.local = options.local
    this.#connected = options.connected
    this.carriesEcn = options.carriesEcn
    this.#debug = options.debug ?? (() => {})
    this.#senders = new Senders(options.calls)
    this.#views = new PacketViews(options.calls.messages)
  }

  start(events: SocketEvents): void {
    this.#events = events
    this.#watch = watchReadable(this.#fd, {
      onReadable: () => this.#readPackets(events),
      onError: error => this.#fail(error),
    })
  }

  get open(): boolean {
    return this.#open
  }

  get queued(): number {
    return this.#queued
  }

  // -- out -----------------------------------------------------------------------------------------------------

  room(length: number): Uint8Array {
    if (writing !== this) {
      writing?.flush()
      writing = this
    }
    if (this.#count === 0 || this.#end + length > SEND_ROOM) this.flush()
    return this.#views.roomAt(this.#calls.sendRoom, this.#count, this.#end, length)
  }

  send(length: number, to: SocketAddress, wanted: EcnCodepoint = NOT_ECT): void {
    const ecn = this.carriesEcn ? wanted : NOT_ECT
    const fits =
      length <= this.#segment &&
      ecn === this.#ecn &&
      this.#end - this.#start + length <= MAX_UDP_PAYLOAD &&
      (this.#connected || isSame(to, this.#to))
    if (this.#count > 0 && !fits) this.#sendBatch()
    if (this.#count === 0) {
      this.#segment = length
      this.#to = this.#connected ? undefined : to
      this.#ecn = ecn
    }
    this.#end += length
    this.#count++
    if (length < this.#segment || this.#count === MAX_SEGMENTS) this.#sendBatch()
  }

  flush(): void {
    if (this.#count > 0) this.#sendBatch()
    this.#start = this.#end = 0
  }

  /** What comes next is written behind it: the packet that did not fit is there already. */
  #sendBatch(): void {
    const [start, end, count] = [this.#start, this.#end, this.#count]
    this.#start = end
    this.#count = 0
    if (!this.#open) return
    if (this.#waiting.length > 0) return this.#keep(start, end, this.#segment, this.#to, this.#ecn)
    if (this.#gso || count === 1) this.#hand(start, end, this.#segment, this.#to, this.#ecn)
    else this.#handSingly(start, end, this.#segment, this.#to, this.#ecn)
  }

  #hand(start: number, end: number, segment: number, to: SocketAddress | undefined, ecn: EcnCodepoint): void {
    const errno = this.#trySend(start, end, segment, to, ecn)
    if (errno === 0) return
    if (errno === EAGAIN || errno === ENOBUFS) this.#keep(start, end, segment, to, ecn)
    else if (end - start <= segment) this.#refused(errno, 1)
    else this.#handAgain(errno, start, end, segment, to, ecn)
  }

  /** 0, or the error. */
  #trySend(start: number, end: number, segment: number, to: SocketAddress | undefined, ecn: EcnCodepoint): number {
    const sockaddr = to === undefined ? undefined : this.#sockaddrOf(to)
    if (to !== undefined && sockaddr === undefined) return EINVAL
    for (let left = 2; ; left--) {
      const result = this.#calls.send(this.#fd, start, end - start, segment, sockaddr, ecn)
      if (result >= 0) return 0
      // The answer to an earlier packet, which has nothing to do with these.
      const isAnothers = this.#connected && -result === ECONNREFUSED
      if (isAnothers) this.#tell(-result, 'recvmsg')
      if (left === 0 || (!isAnothers && -result !== EINTR)) return -result
    }
  }

  /**
   * A batch was refused. Each packet for itself shows why: the device cannot cut batches (EIO or EINVAL, as the kernel's version goes),
   * or the packets are too large for it (EMSGSIZE, and EINVAL before Linux 6.14).
   */
  #handAgain(
    errno: number,
    start: number,
    end: number,
    segment: number,
    to: SocketAddress | undefined,
    ecn: EcnCodepoint,
  ): void {
    if (errno !== EIO && errno !== EINVAL && errno !== EMSGSIZE) {
      this.#refused(errno, Math.ceil((end - start) / segment))
      return
    }
    if (!this.#handSingly(start, end, segment, to, ecn) || errno === EMSGSIZE) return
    this.#gso = false
    this.#debug(
      `UDP packets leave one by one from ${this.local.host}: its device takes no batches (${errorName(errno)})`,
    )
  }

  /** Whether all were taken. */
  #handSingly(start: number, end: number, segment: number, to: SocketAddress | undefined, ecn: EcnCodepoint): boolean {
    const before = this.#refusals
    for (let at = start; at < end; at += segment) {
      if (this.#waiting.length > 0) {
        this.#keep(at, end, segment, to, ecn)
        return false
      }
      this.#hand(at, Math.min(at + segment, end), segment, to, ecn)
    }
    return this.#refusals === before && this.#waiting.length === 0
  }

  #refused(errno: number, packets: number): void {
    this.#refusals++
    countUnsent(this.unsent, errorName(errno), packets)
    this.#tell(errno, 'sendmsg')
  }

  #sockaddrOf(to: SocketAddress): Uint8Array | undefined {
    let sockaddr = this.#sockaddrs.get(to)
    if (sockaddr === undefined) {
      sockaddr = this.#calls.parseAddress(to.host, to.port)
      if (sockaddr !== undefined) this.#sockaddrs.set(to, sockaddr)
    }
    return sockaddr
  }

  // -- what the system would not take --------------------------------------------------------------------------

  #keep(start: number, end: number, segment: number, to: SocketAddress | undefined, ecn: EcnCodepoint): void {
    const packets = Math.ceil((end - start) / segment)
    if (this.#queued + packets > MAX_WAITING) return this.#refused(ENOBUFS, packets)
    this.#waiting.push({ bytes: this.#calls.sendRoom.slice(start, end), segment, to, ecn })
    this.#queued += packets
    this.#retry ??= setTimeout(this.#sendWaiting, RETRY_MS)
  }

  readonly #sendWaiting = (): void => {
    this.#retry = undefined
    try {
      this.#handWaiting()
    } catch (error) {
      this.#fail(error)
    }
  }

  #handWaiting(): void {
    // The memory is needed: whoever has written there sends first.
    writing?.flush()
    const batches = this.#waiting
    this.#waiting = []
    this.#queued = 0
    for (const { bytes, segment, to, ecn } of batches) {
      this.#calls.sendRoom.set(bytes)
      const isWhole = this.#waiting.length === 0
      if (!isWhole) this.#keep(0, bytes.length, segment, to, ecn)
      else if (this.#gso) this.#hand(0, bytes.length, segment, to, ecn)
      else this.#handSingly(0, bytes.length, segment, to, ecn)
    }
  }

  // -- in ------------------------------------------------------------------------------------------------------

  /** Reads what is there, and some of it when that is much: who watches comes again in the next turn of the event loop. */
  #readPackets(events: SocketEvents): void {
    let packets = 0
    let errors = 0
    while (packets < PACKETS_A_TURN && errors < ERRORS_A_TURN) {
      const count = this.#calls.receive(this.#fd)
      if (count === -EAGAIN) return
      if (count < 0) {
        errors++
        this.#tell(-count, 'recvmmsg')
        continue
      }
      for (let i = 0; i < count; i++) {
        packets += this.#deliver(i, events)
        if (!this.#open) return
      }
      if (count < MESSAGES) return
    }
  }

  /** The i-th message that was read, as the packets that it is made of. How many they were. */
  #deliver(i: number, events: SocketEvents): number {
    const { host, port } = this.#senders.of(this.#calls.names[i])
    const packets = this.#views.split(i, this.#calls.messageLength(i), this.#calls.segmentLength(i))
    const ecn = this.#calls.ecn(i)
    for (const packet of packets) {
      events.onPacket(packet, host, port, ecn)
      if (!this.#open) break
    }
    return packets.length
  }

  // -- errors and the end --------------------------------------------------------------------------------------

  /** Later, and each only once: whoever sends is in the middle of something. */
  #tell(errno: number, call: string): void {
    if (this.#errors.size === 0) process.nextTick(this.#tellAll)
    this.#errors.set(errno, call)
  }

  readonly #tellAll = (): void => {
    const errors = [...this.#errors]
    this.#errors.clear()
    try {
      for (const [errno, call] of errors) this.#events?.onError(systemError(errno, call))
    } catch (error) {
      this.#fail(error)
    }
  }

  /** A bug of ours or of the system: the socket cannot go on. */
  #fail(error: unknown): void {
    const events = this.#events
    void this.close().catch(() => {})
    process.nextTick(() => {
      try {
        events?.onError(error as NodeJS.ErrnoException)
      } catch {
        // Whoever was to be told cannot be told.
      }
    })
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    try {
      runAll([
        () => this.flush(),
        () => {
          this.#open = false
          if (writing === this) writing = undefined
          clearTimeout(this.#retry)
          countUnsentAtClose(this.unsent, this.#queued)
          this.#queued = 0
          this.#waiting = []
        },
      ])
    } finally {
      // Its number may be another's as soon as it is closed: nobody may look at it any more by then.
      await this.#watch?.close()
      this.#calls.close(this.#fd)
    }
  }
}

function isSame(a: SocketAddress, b: SocketAddress | undefined): boolean {
  return a === b || (b !== undefined && a.port === b.port && a.host === b.host)
}
