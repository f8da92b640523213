/**
 * The paths of a connection, RFC 9000 §8 and §9.
 *
 *   a packet comes from where none has come before (server)        probePath (client)
 *        |                                                              |
 *        v                                                              v
 *     a path: PATH_CHALLENGE <──────> PATH_RESPONSE   ─── no answer in time: given up; if it was in use, back to the last that had answered
 *        |
 *        |  what comes on it is more than a probe, and the newest (server, §9.3)      migrate (client)
 *        v
 *     active: all packets leave here
 *
 * Until a path has answered, the peer's address may be forged: see anti-amplification.ts.
 */

import type { UdpPath } from '../engine.ts'
import { isSamePath } from '../same-path.ts'
import { AntiAmplification } from './anti-amplification.ts'
import { PathResponses, PathValidation } from './path-validation.ts'
import type { PeerConnectionId, PeerConnectionIds } from './peer-connection-ids.ts'
import { INITIAL_PROBE_TIMEOUT_MS } from './recovery/rtt.ts'

/** Paths that are remembered, the active one included. Each uses one of the peer's connection ids (§9.5). */
const MAX_PATHS = 4

/** §8.2.4: of this path or of one of which nothing is known. */
const PROBE_TIMEOUTS = 3

/** Where packets are lost, all challenges of a validation may be. While there is no other path it is tried so many times (§8.2.4 leaves that open). */
const MOST_ATTEMPTS = 5

export class Path {
  /** As loss recovery calls it. */
  readonly number: number
  readonly udp: UdpPath
  readonly amplification: AntiAmplification
  readonly responses = new PathResponses()
  peerId: PeerConnectionId
  validation: PathValidation | undefined
  /** The peer is there; whether the path carries 1200 bytes is still to be seen (§8.2.3). */
  isSizeOpen = false
  /** How many validations have failed while there was no other path. */
  failures = 0
  /** The client's driver waits for it to answer. */
  isProbed = false

  constructor(number: number, udp: UdpPath, peerId: PeerConnectionId, validated: boolean) {
    this.number = number
    this.udp = udp
    this.peerId = peerId
    this.amplification = new AntiAmplification(validated)
  }

  /** A PATH_CHALLENGE or PATH_RESPONSE is to be sent here. */
  wantsToSend(now: number): boolean {
    return this.responses.length > 0 || this.validation?.wantsChallenge(now) === true
  }

  /** Too little may be sent there: it is as if what is due now had been lost. */
  loseTests(now: number): void {
    while (this.responses.length > 0) this.responses.shift()
    if (this.validation?.wantsChallenge(now) === true) this.validation.challenge(now)
  }
}

/** What `onDeadline` may lead to. */
export type PathLoss = 'none' | 'moved-back' | 'no-path'

export class Paths {
  active: Path
  readonly #role: 'client' | 'server'
  readonly #peerIds: PeerConnectionIds
  readonly #randomBytes: (length: number) => Uint8Array
  /** All, in the order in which they were last begun or chosen: the active one is somewhere among them. */
  #all: Path[]
  #lastValidated: Path
  #count = 0

  constructor(
    role: 'client' | 'server',
    udp: UdpPath,
    peerIds: PeerConnectionIds,
    validated: boolean,
    randomBytes: (length: number) => Uint8Array,
  ) {
    this.#role = role
    this.#peerIds = peerIds
    this.#randomBytes = randomBytes
    this.active = new Path(this.#count++, udp, peerIds.first, validated || role === 'client')
    this.#lastValidated = this.active
    this.#all = [this.active]
  }

  get all(): readonly Path[] {
    return this.#all
  }

  find(udp: UdpPath): Path | undefined {
    if (isSamePath(this.active.udp, udp)) return this.active
    return this.#all.find(path => isSamePath(path.udp, udp))
  }

  /** A server's: an authenticated packet has come from there, in a datagram of so many bytes. */
  discover(udp: UdpPath, bytes: number, now: number, ptoMs: number): Path {
    // A client whose NAT has bound it anew does not know of it, and has perhaps given us no more ids (§9.5 allows that).
    const path = this.#add(udp, this.#peerIds.take() ?? this.active.peerId, false)
    path.amplification.onReceived(bytes)
    this.#validate(path, now, ptoMs)
    return path
  }

  /** A client's. undefined: the server has given us no id for one more path. */
  probe(udp: UdpPath, now: number, ptoMs: number): Path | undefined {
    let path = this.find(udp)
    if (path === undefined) {
      const peerId = this.#peerIds.take()
      if (peerId === undefined) return undefined
      path = this.#add(udp, peerId, true)
    }
    path.isProbed = true
    if (path.validation === undefined || path.validation.state !== 'running') this.#validate(path, now, ptoMs)
    return path
  }

  /** Packets leave there from now on. */
  use(path: Path, now: number, ptoMs: number): void {
    const left = this.active
    this.active = path
    // §9.3.3: whoever only copies packets to another address is not followed for long, as the peer answers on the old path.
    if (this.#role === 'server' && left.amplification.validated) this.#validate(left, now, ptoMs)
    if (path.amplification.validated && !path.isSizeOpen) this.#lastValidated = path
    else if (path.validation?.state !== 'running') this.#validate(path, now, ptoMs)
  }

  /** A PATH_RESPONSE has come, on whichever path. The path that it validates, if one. */
  onResponse(data: Uint8Array, now: number, ptoMs: number): Path | undefined {
    for (const path of this.#all) {
      const { validation } = path
      if (validation?.onResponse(data) !== true) continue
      path.amplification.validate()
      path.failures = 0
      path.isSizeOpen = !validation.provesSize
      path.validation = undefined
      if (path.isSizeOpen) this.#validate(path, now, ptoMs)
      else if (path === this.active) this.#lastValidated = path
      return path
    }
    return undefined
  }

  /** By which to call the peer on the active path, which goes first where ids are few: without another one it takes that of a path, which is given up. */
  activePeerId(): Uint8Array {
    const { active } = this
    if (!this.#renewId(active)) {
      const other = this.#all.find(({ peerId }) => !peerId.retired)
      if (other !== undefined) {
        active.peerId = other.peerId
        this.#remove(other)
      }
    }
    return active.peerId.id
  }

  /** One that is not active, has something to send, and an id to call the peer by: one of its own (§9.5), or it waits. */
  wanting(now: number): Path | undefined {
    if (this.#all.length === 1) return undefined
    return this.#all.find(path => path !== this.active && path.wantsToSend(now) && this.#renewId(path))
  }

  /** The peer may have asked to be called otherwise (§5.1.2). False: it has, and there is no id that no path has. */
  #renewId(path: Path): boolean {
    if (path.peerId.retired) path.peerId = this.#peerIds.take() ?? path.peerId
    return !path.peerId.retired
  }

  deadline(): number | undefined {
    let earliest: number | undefined
    for (const { validation } of this.#all) {
      const at = validation?.deadline()
      if (at !== undefined && (earliest === undefined || at < earliest)) earliest = at
    }
    return earliest
  }

  onDeadline(now: number, ptoMs: number): PathLoss {
    let loss: PathLoss = 'none'
    for (const path of [...this.#all]) {
      path.validation?.onDeadline(now)
      if (path.validation?.state !== 'failed') continue
      path.validation = undefined
      if (path !== this.active) this.#remove(path)
      else if (!path.amplification.validated || path.isSizeOpen) loss = this.#moveBack(now, ptoMs)
    }
    return loss
  }

  /** §9.3.2: back to where the peer was last seen for sure. */
  #moveBack(now: number, ptoMs: number): PathLoss {
    const failed = this.active
    if (this.#lastValidated === failed || !this.#all.includes(this.#lastValidated)) {
      if (++failed.failures === MOST_ATTEMPTS) return 'no-path'
      this.#validate(failed, now, ptoMs)
      return 'none'
    }
    this.active = this.#lastValidated
    this.#remove(failed)
    return 'moved-back'
  }

  #validate(path: Path, now: number, ptoMs: number): void {
    const timeout = PROBE_TIMEOUTS * Math.max(ptoMs, INITIAL_PROBE_TIMEOUT_MS)
    path.validation = new PathValidation(now, timeout, this.#randomBytes)
  }

  #add(udp: UdpPath, peerId: PeerConnectionId, validated: boolean): Path {
    const path = new Path(this.#count++, udp, peerId, validated)
    if (this.#all.length >= MAX_PATHS) {
      const oldest = this.#all.find(other => other !== this.active && other !== this.#lastValidated)
      if (oldest !== undefined) this.#remove(oldest)
    }
    this.#all.push(path)
    return path
  }

  #remove(path: Path): void {
    this.#all = this.#all.filter(other => other !== path)
    if (this.#all.every(({ peerId }) => peerId !== path.peerId)) this.#peerIds.retire(path.peerId)
  }
}
