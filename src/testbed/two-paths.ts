/**
 * Two ways from one client to one proxy, of which either can be cut at any moment: what a telephone has between Wi-Fi and the mobile network.
 *
 *     client ── first  attachment ──┐
 *                                   ├── proxy
 *            ── second attachment ──┘
 *
 *     const paths = await TwoPaths.open(proxy.address, 20)
 *     paths.cut('first')
 *     await client.migrate({ remote: paths.second })
 */

import { LinkEmulator } from '../link/emulator/emulator.ts'
import { CLEAN, type Impairment, type Phase, type Profile } from '../link/profile/profile.ts'
import type { SocketAddress } from '../net/udp.ts'

export type PathName = 'first' | 'second'

export class TwoPaths {
  readonly #link: LinkEmulator
  readonly #clean: Impairment
  readonly #cut = { first: false, second: false }

  /** `rttMs`: the round trip of either path. Whoever opens it closes it. */
  static async open(proxy: SocketAddress, rttMs: number): Promise<TwoPaths> {
    const clean = { ...CLEAN, delayMs: rttMs / 2, keepOrder: true }
    const link = await LinkEmulator.start({ profile: profileOf(clean, clean), seed: '1', to: proxy })
    return new TwoPaths(link, clean)
  }

  private constructor(link: LinkEmulator, clean: Impairment) {
    this.#link = link
    this.#clean = clean
  }

  /** Where the client finds the proxy on each path. */
  get first(): SocketAddress {
    return this.#link.address
  }

  get second(): SocketAddress {
    return this.#link.secondAddress as SocketAddress
  }

  /** From now on nothing gets onto this path; what is on it arrives. */
  cut(path: PathName): void {
    this.#set(path, true)
  }

  heal(path: PathName): void {
    this.#set(path, false)
  }

  /** A NAT on both paths forgets: the proxy sees the client at another port from now on, and what it sends to the old one is lost. */
  rebind(): void {
    this.#change({ kind: 'address-change', change: 'nat-rebind', to: 0, atMs: 0, durationMs: 0, direction: 'both' })
  }

  #set(path: PathName, cut: boolean): void {
    this.#cut[path] = cut
    this.#change()
  }

  #change(...timeline: Phase[]): void {
    const impairment = (name: PathName): Impairment => ({ ...this.#clean, down: this.#cut[name] })
    this.#link.setProfile({ ...profileOf(impairment('first'), impairment('second')), timeline })
  }

  close(): Promise<void> {
    return this.#link.close()
  }
}

function profileOf(first: Impairment, second: Impairment): Profile {
  const none = { title: '', about: '', source: '', timeline: [] }
  return { name: 'two-paths', ...none, up: first, down: first, second: { up: second, down: second } }
}
