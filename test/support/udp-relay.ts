import type { SocketAddress } from '../../src/quic/quic.ts'
import { UdpRelay } from '../../src/testbed/udp-relay.ts'

export interface Relay {
  readonly local: SocketAddress
  /** From now on nothing gets through: for each end, the other has vanished. */
  cut(): void
  /** From now on datagrams with more than so many bytes are lost. */
  narrow(largest: number): void
  rebind(): Promise<void>
}

/** Loses datagrams with more than `widest` bytes, as a path does whose MTU nobody reports. */
export async function openRelay(server: SocketAddress, widest = 65_535): Promise<Relay> {
  const relay = await UdpRelay.open(server)
  const narrow = (largest: number): void => {
    relay.passes = payload => payload.length <= largest
  }
  narrow(widest)
  return { local: relay.address, cut: () => narrow(0), narrow, rebind: () => relay.rebind() }
}
