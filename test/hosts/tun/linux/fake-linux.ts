/**
 * Linux as its manual pages describe it, as far as a TUN device sees it: /dev/net/tun, and a routing socket by what it is asked for. Each call can be
 * made to fail.
 */
import type { InterfaceAddress } from '../../../../src/hosts/tun/device.ts'
import { TunError } from '../../../../src/hosts/tun/errors.ts'
import type { LinkEvents } from '../../../../src/hosts/tun/linux/link-monitor.ts'
import type { LinkState, Routes } from '../../../../src/hosts/tun/linux/route-socket.ts'
import type { LinuxSystem } from '../../../../src/hosts/tun/linux/system.ts'
import type { IpPrefix } from '../../../../src/ip/prefix.ts'
import type { Watch, Watcher } from '../../../../src/net/readiness.ts'

export const E = {
  PERM: 1,
  INTR: 4,
  IO: 5,
  AGAIN: 11,
  NOMEM: 12,
  BUSY: 16,
  NODEV: 19,
  INVAL: 22,
  BADFD: 77,
  NOBUFS: 105,
}
const TUNSETIFF = 0x400454ca
const TUNSETOFFLOAD = 0x400454d0
const INDEX = 7

interface Tun {
  name: string
  mtu: number
  isUp: boolean
  addresses: InterfaceAddress[]
  routes: IpPrefix[]
  toRead: Buffer[]
  written: Buffer[]
  watcher: Watcher | undefined
  /** Somebody looks at the descriptor still: a moment longer than the watcher is told. */
  isWatched: boolean
}

export class FakeLinux implements LinuxSystem {
  /** By descriptor. */
  readonly tuns = new Map<number, Tun>()
  routeSockets = 0
  linkWatches = 0
  /** What was asked for, in order: "open", "TUNSETIFF", "setLink up" and so on. */
  readonly calls: string[] = []
  readonly #errors = new Map<string, number[]>()
  /** The call with this number fails with EIO, whichever it is. */
  failing = Number.POSITIVE_INFINITY
  #errno = 0
  #nextFd = 10

  open(file: string): number {
    const errno = this.#step(`open ${file}`)
    if (errno !== 0) throw Object.assign(new Error(`open failed`), { code: errno === E.PERM ? 'EPERM' : 'EIO' })
    const fd = this.#nextFd++
    this.tuns.set(fd, {
      ...{ name: '', mtu: 1500, isUp: false, addresses: [], routes: [] },
      ...{ toRead: [], written: [], watcher: undefined, isWatched: false },
    })
    return fd
  }

  close(fd: number): void {
    if (this.tuns.get(fd)?.isWatched) throw new Error('closed while it is watched')
    if (!this.tuns.delete(fd)) throw new Error('EBADF: closed twice')
  }

  ioctl(fd: number, request: number, argument: Buffer): number {
    if (request !== TUNSETIFF) throw new Error(`an unknown request: ${request}`)
    const errno = this.#step('TUNSETIFF')
    if (errno !== 0) return this.#fail(errno)
    const name = argument.toString('latin1', 0, argument.indexOf(0)).replace('%d', '0')
    this.#tun(fd).name = name
    argument.fill(0, 0, 16).write(name)
    return 0
  }

  ioctlNumber(_fd: number, request: number, features: number): number {
    if (request !== TUNSETOFFLOAD) throw new Error(`an unknown request: ${request}`)
    const errno = this.#step(`TUNSETOFFLOAD ${features.toString(16)}`)
    return errno === 0 ? 0 : this.#fail(errno)
  }

  read(fd: number, into: Buffer): number {
    const errno = this.#step('read')
    if (errno !== 0) return this.#fail(errno)
    return this.#tun(fd).toRead.shift()?.copy(into) ?? this.#fail(E.AGAIN)
  }

  write(fd: number, bytes: Uint8Array, length: number): number {
    const errno = this.#step('write')
    if (errno !== 0) return this.#fail(errno)
    this.#tun(fd).written.push(Buffer.from(bytes.subarray(0, length)))
    return length
  }

  errno(): number {
    return this.#errno
  }

  watchReadable(fd: number, watcher: Watcher): Watch {
    const tun = this.#tun(fd)
    tun.watcher = watcher
    tun.isWatched = true
    return {
      pause() {},
      resume() {},
      close: async () => {
        tun.watcher = undefined
        await new Promise(setImmediate)
        tun.isWatched = false
      },
    }
  }

  watchLink(_index: number, _events: LinkEvents): { close(): Promise<void> } {
    this.linkWatches++
    return {
      close: async () => {
        this.linkWatches--
      },
    }
  }

  openRoutes(): Routes {
    this.#orRefuse('a routing socket')
    this.routeSockets++
    return new FakeRoutes(this, what => this.#orRefuse(what))
  }

  mayChangeNetwork(): boolean {
    return false
  }

  settle(name: string): void {
    this.calls.push(`settle ${name}`)
  }

  /** All that is there: to be nothing when a device is closed, or was never made. */
  get left(): object {
    return { devices: this.tuns.size, routeSockets: this.routeSockets, linkWatches: this.linkWatches }
  }

  /** The device of which there is only one. */
  get tun(): Tun {
    const [tun] = this.tuns.values()
    if (tun === undefined) throw new Error('there is no device')
    return tun
  }

  /** One wake-up: poll says once that there is something. */
  wake(): void {
    this.tun.watcher?.onReadable()
  }

  /** The next of these calls end with these errors, one each; 0: with none. */
  fail(call: string, ...errors: number[]): void {
    this.#errors.set(call, errors)
  }

  #tun(fd: number): Tun {
    const tun = this.tuns.get(fd)
    if (tun === undefined) throw new Error(`EBADF: ${fd} is not open`)
    return tun
  }

  /** 0, or what the call fails with. */
  #step(call: string): number {
    this.calls.push(call)
    if (this.calls.filter(other => !other.startsWith('settle')).length === this.failing) return E.IO
    return this.#errors.get(call)?.shift() ?? 0
  }

  #orRefuse(what: string): void {
    const errno = this.#step(what)
    if (errno !== 0) throw TunError.fromErrno(what, errno, '')
  }

  #fail(errno: number): number {
    this.#errno = errno
    return -1
  }
}

class FakeRoutes implements Routes {
  readonly #linux: FakeLinux
  readonly #step: (what: string) => void
  #isClosed = false

  constructor(linux: FakeLinux, step: (what: string) => void) {
    this.#linux = linux
    this.#step = what => {
      if (this.#isClosed) throw new TunError('system', `${what}: the device is closed`)
      step(what)
    }
  }

  close(): void {
    if (!this.#isClosed) this.#linux.routeSockets--
    this.#isClosed = true
  }

  link(which: string | number): LinkState | undefined {
    this.#step(`interface ${which}`)
    const tun = [...this.#linux.tuns.values()].find(({ name }) => which === INDEX || name === which)
    if (tun === undefined) return undefined
    const { name, mtu, isUp } = tun
    return { index: INDEX, name, mtu, isUp, tun: undefined }
  }

  setLink(_index: number, { mtu, up }: { mtu?: number; up?: boolean }): void {
    this.#step(mtu === undefined ? `up ${up}` : `mtu ${mtu}`)
    const { tun } = this.#linux
    tun.mtu = mtu ?? tun.mtu
    tun.isUp = up ?? tun.isUp
  }

  stopLinkLocal(): void {
    this.#step('no link-local address')
  }

  addresses(): (InterfaceAddress & { readonly index: number })[] {
    this.#step('addresses')
    return this.#linux.tun.addresses.map(entry => ({ ...entry, index: INDEX }))
  }

  addAddress(_index: number, entry: InterfaceAddress): void {
    this.#step(`address ${entry.address}`)
    this.#linux.tun.addresses.push(entry)
  }

  removeAddress(_index: number, { address }: InterfaceAddress): void {
    this.#step(`no address ${address}`)
    const { tun } = this.#linux
    tun.addresses = tun.addresses.filter(other => !other.address.equals(address))
  }

  routes(): IpPrefix[] {
    this.#step('routes')
    return [...this.#linux.tun.routes]
  }

  addRoute(_index: number, prefix: IpPrefix): void {
    this.#step(`route ${prefix}`)
    this.#linux.tun.routes.push(prefix)
  }

  removeRoute(_index: number, prefix: IpPrefix): void {
    this.#step(`no route ${prefix}`)
    const { tun } = this.#linux
    tun.routes = tun.routes.filter(other => !other.equals(prefix))
  }

  routeTo(): undefined {
    this.#step('route to')
  }
}
