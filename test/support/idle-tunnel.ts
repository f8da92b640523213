/** A client's tunnel with the addresses and routes that it needs, on a carrier of the test's. */

import type { Carrier } from '../../src/carriers/carrier.ts'
import type { NewQueue } from '../../src/carriers/send-queue.ts'
import type { StageClock } from '../../src/carriers/stage-clock.ts'
import { Tunnel, type TunnelOwner } from '../../src/carriers/tunnel.ts'
import { encodeAddressAssign } from '../../src/connect-ip/address-assign.ts'
import { encodeRouteAdvertisement } from '../../src/connect-ip/route-advertisement.ts'
import { ConnectIpSession } from '../../src/connect-ip/session.ts'
import { IpPrefix } from '../../src/ip/prefix.ts'

/** A carrier that does nothing with what it is given, but for what `parts` does. Getters stay getters. */
export function idleCarrier(parts: Partial<Carrier> & Pick<Carrier, 'sendPacket'>): Carrier {
  const idle: Omit<Carrier, 'sendPacket'> = {
    encapsulation: 'datagram',
    mtu: 1500,
    mtuSettled: true,
    handler: undefined as never,
    writable: true,
    capsulesWaiting: 0,
    sendCapsules() {},
    end() {},
    abort: reason => reason,
  }
  return Object.defineProperties(idle, Object.getOwnPropertyDescriptors(parts)) as Carrier
}

/** It may send from 10.89.0.2 to 10.90.0.0/24. */
export function tunnelOn(
  carrier: Carrier,
  { newQueue, clock, owner = {} }: { newQueue?: NewQueue; clock?: StageClock; owner?: Partial<TunnelOwner> } = {},
): Tunnel {
  const tunnel = new Tunnel({
    session: new ConnectIpSession({ role: 'client', now: () => 0 }),
    openCarrier: () => carrier,
    newQueue,
    clock,
    owner: {
      onPacket() {},
      onAddressesAssigned() {},
      onAddressesRequested() {},
      onRoutesAdvertised() {},
      onMtu() {},
      onClosed() {},
      ...owner,
    },
  })
  tunnel.onCapsuleBytes(encodeAddressAssign([{ requestId: 0n, prefix: IpPrefix.parse('10.89.0.2/32') }]))
  tunnel.onCapsuleBytes(encodeRouteAdvertisement([{ range: IpPrefix.parse('10.90.0.0/24').toRange(), protocol: 0 }]))
  return tunnel
}
