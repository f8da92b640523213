/** macOS as its manual pages describe it, as far as a TUN device sees it: sockets of the utun control, `ifconfig` and `route`. */
import { TunError } from '../../../../src/hosts/tun/errors.ts'
import type { MacosSystem } from '../../../../src/hosts/tun/macos/system.ts'
import type { LocalAddress } from '../../../../src/hosts/tun/own-settings.ts'
import type { Watch, Watcher } from '../../../../src/net/readiness.ts'

const E = { PERM: 1, NOENT: 2, BADF: 9, BUSY: 16, INVAL: 22, AGAIN: 35, NOBUFS: 55, NOTCONN: 57 }
const CONTROL_ID = 3

interface Utun {
  unit: number
  isNonBlocking: boolean
  isRemoved: boolean
  toRead: Buffer[]
  written: Buffer[]
  watcher: Watcher | undefined
  /** Somebody looks at the descriptor still: a moment longer than the watcher is told. */
  isWatched: boolean
  /** With these the next reads fail. */
  failures: number[]
}

export class FakeMacos implements MacosSystem {
  readonly commands: string[] = []
  /** By descriptor. */
  readonly sockets = new Map<number, Utun>()
  readonly local: LocalAddress[] = []
  isRoot = true
  hasUtun = true
  /** How many packets the system takes before its buffers are full. */
  room = Number.POSITIVE_INFINITY
  /** What a program answers, by the beginning of its command line; an error is a refusal. */
  readonly answers = new Map<string, string | TunError>()
  #errno = 0
  #nextFd = 10

  socket(domain: number, type: number, protocol: number): number {
    if (domain !== 32 || type !== 2 || protocol !== 2) return this.#fail(E.INVAL)
    const fd = this.#nextFd++
    this.sockets.set(fd, {
      unit: -1,
      isNonBlocking: false,
      isRemoved: false,
      toRead: [],
      written: [],
      watcher: undefined,
      isWatched: false,
      failures: [],
    })
    return fd
  }

  ioctl(fd: number, request: number, argument: Buffer): number {
    if (!this.sockets.has(fd)) return this.#fail(E.BADF)
    if (request !== 0xc0644e03 || argument.length !== 100) return this.#fail(E.INVAL)
    const name = argument.toString('latin1', 4).split('\0')[0]
    if (!this.hasUtun || name !== 'com.apple.net.utun_control') return this.#fail(E.NOENT)
    argument.writeUInt32LE(CONTROL_ID, 0)
    return 0
  }

  connect(fd: number, address: Buffer, length: number): number {
    const socket = this.sockets.get(fd)
    if (socket === undefined) return this.#fail(E.BADF)
    const isControl = address[0] === 32 && address[1] === 32 && address.readUInt16LE(2) === 2
    if (length !== 32 || !isControl || address.readUInt32LE(4) !== CONTROL_ID) return this.#fail(E.INVAL)
    if (!this.isRoot) return this.#fail(E.PERM)
    const taken = new Set([...this.sockets.values()].map(({ unit }) => unit))
    let unit = address.readUInt32LE(8) - 1
    if (unit === -1) for (unit = 0; taken.has(unit); unit++);
    if (taken.has(unit)) return this.#fail(E.BUSY)
    socket.unit = unit
    return 0
  }

  getsockopt(fd: number, level: number, option: number, value: Buffer, length: Buffer): number {
    const socket = this.sockets.get(fd)
    if (socket === undefined || level !== 2 || option !== 2) return this.#fail(E.INVAL)
    const name = `utun${socket.unit}\0`
    if (length.readUInt32LE() < name.length) return this.#fail(E.INVAL)
    length.writeUInt32LE(value.write(name))
    return 0
  }

  fcntl(fd: number, command: number, argument: number): number {
    const socket = this.sockets.get(fd)
    if (socket === undefined) return this.#fail(E.BADF)
    if (command === 4) socket.isNonBlocking = (argument & 4) !== 0
    return 0
  }

  read(fd: number, into: Buffer, length: number): number {
    const socket = this.sockets.get(fd)
    if (socket === undefined) return this.#fail(E.BADF)
    if (!socket.isNonBlocking) throw new Error('this read would wait, and the event loop with it')
    const failure = socket.failures.shift()
    if (failure !== undefined) return this.#fail(failure)
    const bytes = socket.toRead.shift()
    if (bytes !== undefined) return bytes.copy(into, 0, 0, length)
    return socket.isRemoved ? 0 : this.#fail(E.AGAIN)
  }

  write(fd: number, bytes: Buffer, length: number): number {
    const socket = this.sockets.get(fd)
    if (socket === undefined) return this.#fail(E.BADF)
    if (socket.isRemoved) return this.#fail(E.NOTCONN)
    if (socket.written.length >= this.room) return this.#fail(E.NOBUFS)
    socket.written.push(Buffer.from(bytes.subarray(0, length)))
    return length
  }

  close(fd: number): number {
    if (this.sockets.get(fd)?.isWatched) throw new Error('closed while it is watched')
    return this.sockets.delete(fd) ? 0 : this.#fail(E.BADF)
  }

  ifNameToIndex(name: string): number {
    return [...this.sockets.values()].some(({ unit }) => name === `utun${unit}`) ? 17 : 0
  }

  errno(): number {
    return this.#errno
  }

  watchReadable(fd: number, watcher: Watcher): Watch {
    const socket = this.sockets.get(fd) as Utun
    socket.watcher = watcher
    socket.isWatched = true
    return {
      pause: () => {
        socket.watcher = undefined
      },
      resume: () => {
        socket.watcher = watcher
      },
      close: async () => {
        socket.watcher = undefined
        await new Promise(setImmediate)
        socket.isWatched = false
      },
    }
  }

  run(command: string, args: readonly string[]): string {
    const line = [command, ...args].join(' ')
    this.commands.push(line)
    for (const [start, answer] of this.answers) {
      if (!line.startsWith(start)) continue
      if (answer instanceof TunError) throw answer
      return answer
    }
    return command === 'route' ? `${args[1]} net ${args[3]}: gateway ${args[5]}\n` : ''
  }

  localAddresses(): LocalAddress[] {
    return this.local
  }

  /** The device with this name. */
  utun(name: string): Utun {
    const found = [...this.sockets.values()].find(({ unit }) => name === `utun${unit}`)
    if (found === undefined) throw new Error(`there is no ${name}`)
    return found
  }

  /** One wake-up: poll says once that there is something. */
  wake(name: string): void {
    this.utun(name).watcher?.onReadable()
  }

  /** What was typed since the last call. */
  takeCommands(): string[] {
    return this.commands.splice(0)
  }

  #fail(errno: number): number {
    this.#errno = errno
    return -1
  }
}
