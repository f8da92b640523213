/**
 * Connection migration of a client (RFC 9000 §9): another local address, the same connection.
 *
 *   migrate()       another socket, whose address the system chooses, or the caller
 *      |            PATH_CHALLENGE on the new path ──────────────────────────────────>
 *      |                 meanwhile everything else goes on where it was               the server answers, and
 *      |            <──────────────────── PATH_RESPONSE, and a PATH_CHALLENGE of its own     probes in its turn
 *      v
 *   moved           everything leaves on the new path; the server follows the first packet of it that is no probe
 *
 * Nothing is given up before the new path has answered: whatever goes wrong, the connection stays where it is.
 *
 * Sockets of paths that were left stay open as long as the connection: for what is still under way there, and for a client whose
 * network comes and goes, which then goes back to a path and needs no other. How many there can be is up to the connection ids
 * that the server grants, as each path needs one (§9.5).
 */

import type { ConnectionHost } from './connection.ts'
import type { PacketSocket } from './io.ts'
import type { MigrateOptions, MigrateResult, SocketAddress, UdpPath } from './quic.ts'
import { isSameAddress, isSamePath } from './same-path.ts'

/** A new path has three probe timeouts to answer, each of which begins as three times 333 ms (RFC 9000 §8.2.4, RFC 9002 §6.2.2). */
const PATIENCE_MS = 3000

/** A challenge or its answer may be lost: the next one follows after so many round trips of the old path, and at least so many ms. */
const AGAIN_ROUND_TRIPS = 3
const AGAIN_AT_LEAST_MS = 100

export interface MigrationOptions {
  host: Pick<ConnectionHost, 'io' | 'openSocket' | 'addSocket' | 'removeSocket'>
  /** Why the connection cannot be moved now, if so. */
  whyNot(): string | undefined
  /** Where it is now. */
  path(): UdpPath
  rttMs(): number
  /** False: there is no connection id for one more path. */
  probe(path: UdpPath): boolean
  migrate(path: UdpPath): void
  /** Something is to be sent. */
  wake(): void
}

/** A path under way. */
interface Attempt {
  readonly path: UdpPath
  readonly startedAt: number
  readonly end: (result: MigrateResult) => void
}

interface Wanted {
  readonly options: MigrateOptions
  readonly resolve: (result: MigrateResult) => void
}

export class Migration {
  readonly #options: MigrationOptions
  /** Of paths that are not the first, used or not. */
  #sockets: { socket: PacketSocket; remote: SocketAddress }[] = []
  #attempt: Attempt | undefined
  #stopTimer = (): void => {}
  #running = false
  /** What was asked for last while an attempt is under way. */
  #next: Wanted | undefined
  #stopped = false

  constructor(options: MigrationOptions) {
    this.#options = options
  }

  /** One attempt at a time. Of those that are asked for meanwhile only the last is made: the others were about a network that is gone. */
  migrate(options: MigrateOptions): Promise<MigrateResult> {
    return new Promise(resolve => {
      this.#next?.resolve({ moved: false, why: 'another move was asked for before this one began' })
      this.#next = { options, resolve }
      if (!this.#running) void this.#run()
    })
  }

  /** The path that was probed has answered. */
  onValidated(path: UdpPath): void {
    const attempt = this.#attempt
    if (attempt === undefined || !isSamePath(attempt.path, path)) return
    const ms = this.#options.host.io.now() - attempt.startedAt
    this.#options.migrate(attempt.path)
    attempt.end({ moved: true, path: attempt.path, ms })
    this.#options.wake()
  }

  /** The connection is over. Its sockets are the endpoint's. */
  stop(): void {
    this.#stopped = true
    const ended: MigrateResult = { moved: false, why: 'the connection has ended' }
    this.#attempt?.end(ended)
    this.#next?.resolve(ended)
    this.#next = undefined
  }

  async #run(): Promise<void> {
    this.#running = true
    for (let wanted = this.#next; wanted !== undefined; wanted = this.#next) {
      this.#next = undefined
      wanted.resolve(await this.#try(wanted.options))
    }
    this.#running = false
  }

  async #try(options: MigrateOptions): Promise<MigrateResult> {
    try {
      return await this.#tryPath(options)
    } catch (error) {
      return { moved: false, why: error instanceof Error ? error.message : String(error) }
    }
  }

  async #tryPath({ local, remote = this.#options.path().remote }: MigrateOptions): Promise<MigrateResult> {
    const { host, whyNot } = this.#options
    const before = whyNot()
    if (before !== undefined) return { moved: false, why: before }
    const opened = await host.openSocket(remote, local)
    const socket = this.#known(opened, remote) ?? opened
    if (socket !== opened) await opened.close()
    const why = whyNot()
    if (why !== undefined || this.#stopped) {
      if (socket === opened) await opened.close()
      return { moved: false, why: why ?? 'the connection has ended' }
    }
    if (socket === opened) this.#add(socket, remote)
    const result = await this.#probe({ local: socket.local, remote })
    if (result === undefined) {
      this.#remove(socket)
      return { moved: false, why: 'there is no connection id for one more path' }
    }
    return result
  }

  /** A socket with the same address that is not in use: its path is known already. */
  #known({ local }: PacketSocket, remote: SocketAddress): PacketSocket | undefined {
    const inUse = this.#options.path().local
    return this.#sockets.find(
      ({ socket, remote: to }) =>
        socket.open && socket.local !== inUse && socket.local.host === local.host && isSameAddress(to, remote),
    )?.socket
  }

  #add(socket: PacketSocket, remote: SocketAddress): void {
    this.#sockets = this.#sockets.filter(({ socket: { open } }) => open)
    this.#sockets.push({ socket, remote })
    this.#options.host.addSocket(socket)
  }

  #remove(socket: PacketSocket): void {
    this.#sockets = this.#sockets.filter(other => other.socket !== socket)
    this.#options.host.removeSocket(socket)
  }

  /** Resolves when the path has answered, or will not. undefined: it cannot even be probed. */
  #probe(path: UdpPath): Promise<MigrateResult | undefined> {
    const { io } = this.#options.host
    return new Promise(resolve => {
      const startedAt = io.now()
      this.#attempt = {
        path,
        startedAt,
        end: result => {
          this.#stopTimer()
          this.#attempt = undefined
          resolve(result)
        },
      }
      if (this.#options.probe(path)) this.#waitFor(this.#attempt)
      else {
        this.#attempt = undefined
        resolve(undefined)
      }
    })
  }

  #waitFor(attempt: Attempt): void {
    const { io } = this.#options.host
    let pauseMs = Math.max(AGAIN_AT_LEAST_MS, AGAIN_ROUND_TRIPS * this.#options.rttMs())
    const wait = (): void => {
      const left = attempt.startedAt + PATIENCE_MS - io.now()
      if (left <= 0) {
        attempt.end({ moved: false, why: `nothing came back on the new path in ${PATIENCE_MS / 1000} s` })
        return
      }
      this.#stopTimer = io.setTimer(
        () => {
          if (left > pauseMs) this.#options.probe(attempt.path)
          pauseMs *= 2
          wait()
        },
        Math.min(left, pauseMs),
      )
    }
    wait()
  }
}
