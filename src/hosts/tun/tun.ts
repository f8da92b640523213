/**
 * A TUN device as a stream, in the shape of the npm package tuntap2 (see docs/decisions.md), for programs of one's own:
 *
 *     const tun = new Tun()
 *     tun.mtu = 1400
 *     tun.ipv4 = '10.7.0.2/24'
 *     tun.on('data', packet => tun.write(answerTo(packet)))
 *     tun.release()
 *
 * Each chunk is one IP packet. What carries many packets uses `TunHost` instead, which copies none.
 */

import { Duplex } from 'node:stream'
import { IpAddress } from '../../ip/address.ts'
import { IpPrefix } from '../../ip/prefix.ts'
import type { InterfaceAddress, TunDevice } from './device.ts'
import { TunError } from './errors.ts'
import { openTun, type TunOptions } from './open-tun.ts'

/** Packets that wait for a reader; those behind them are lost, as on any network. */
const MAX_WAITING = 256

export class Tun extends Duplex {
  readonly #device: TunDevice
  #mtu: number | undefined
  #ipv4: InterfaceAddress | undefined
  #ipv6: InterfaceAddress | undefined

  /** Throws TunError. The device is up. */
  constructor(options: TunOptions = {}, device: TunDevice = openTun(options)) {
    super({ readableObjectMode: true, writableObjectMode: true, readableHighWaterMark: MAX_WAITING })
    this.#device = device
    this.#device.start({
      onPacket: packet => {
        if (this.readableLength < MAX_WAITING) this.push(Buffer.from(packet))
      },
      onFault: () => {},
      onRefused: () => {},
      onGone: why => this.destroy(new TunError('system', why)),
    })
  }

  get name(): string {
    return this.#device.name
  }

  get isUp(): boolean {
    return !this.destroyed
  }

  get mtu(): number | undefined {
    return this.#mtu
  }

  /** Bytes. This and the following throw TunError when the system does not take the value. */
  set mtu(bytes: number) {
    this.#mtu = bytes
    this.#configure()
  }

  /** Such as 10.7.0.2/24: an address, and how many bits of it name the network. */
  get ipv4(): string | undefined {
    return this.#ipv4 && `${this.#ipv4.address}/${this.#ipv4.length}`
  }

  set ipv4(text: string) {
    this.#ipv4 = parseInterfaceAddress(text, 4)
    this.#configure()
  }

  get ipv6(): string | undefined {
    return this.#ipv6 && `${this.#ipv6.address}/${this.#ipv6.length}`
  }

  set ipv6(text: string) {
    this.#ipv6 = parseInterfaceAddress(text, 6)
    this.#configure()
  }

  /** Gives the device back; resolves when it is gone. */
  release(): Promise<void> {
    this.destroy()
    return this.#device.close()
  }

  override _read(): void {}

  override _write(packet: Uint8Array, _encoding: string, done: () => void): void {
    // One that the system does not take is lost, as on any network.
    this.#device.write(packet)
    this.#device.flush()
    done()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#device.close().then(() => done(error), done)
  }

  #configure(): void {
    const addresses = [this.#ipv4, this.#ipv6].filter(address => address !== undefined)
    const [problem] = this.#device.configure({ addresses, routes: [], mtu: this.#mtu })
    if (problem !== undefined) throw new TunError('system', problem)
  }
}

/** Throws DecodeError. */
function parseInterfaceAddress(text: string, version: 4 | 6): InterfaceAddress {
  const [name, bits] = text.split('/')
  const address = IpAddress.parse(name)
  if (address.version !== version) throw new TunError('name', `'${text}' is no IPv${version} address`)
  // The prefix knows which lengths there are.
  const { length } = IpPrefix.containing(address, bits === undefined ? address.bytes.length * 8 : Number(bits))
  return { address, length }
}
