import type { DeviceEvents, InterfaceSettings, TunDevice } from '../../../src/hosts/tun/device.ts'
import { IpPrefix } from '../../../src/ip/prefix.ts'

/** A device without a system behind it. */
export class MemoryDevice implements TunDevice {
  readonly name = 'memory0'
  readonly index = 7
  events!: DeviceEvents
  readonly written: Uint8Array[] = []
  readonly configured: InterfaceSettings[] = []
  problems: string[] = []
  refuses: string | undefined
  flushes = 0
  start(events: DeviceEvents): void {
    this.events = events
  }
  write(packet: Uint8Array): string | undefined {
    if (this.refuses === undefined) this.written.push(packet.slice())
    return this.refuses
  }
  flush(): void {
    this.flushes++
  }
  configure(settings: InterfaceSettings): string[] {
    this.configured.push(settings)
    return [...this.problems]
  }
  routeTo(): { prefix: IpPrefix; isOurs: boolean } | undefined {
    return { prefix: IpPrefix.parse('192.0.2.0/24'), isOurs: false }
  }
  isPaused = false
  pause(): void {
    this.isPaused = true
  }
  resume(): void {
    this.isPaused = false
  }
  async close(): Promise<void> {}
}
