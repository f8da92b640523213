import { UserspaceHost } from '../../src/hosts/userspace/userspace-host.ts'
import { IpAddress } from '../../src/ip/address.ts'
import { connect, type Direction, PlainDirection, VirtualClock } from './virtual-link.ts'

export const SOURCE = IpAddress.parse('10.0.0.1')
export const TARGET = IpAddress.parse('10.0.0.2')

/** Two hosts in virtual time with a link between them; 10 ms each way unless told otherwise. */
export function twoHosts(up: Direction = new PlainDirection(10), down: Direction = new PlainDirection(10)) {
  const clock = new VirtualClock()
  const client = new UserspaceHost({ addresses: [SOURCE, IpAddress.parse('fd00::1')], clock })
  const library = new UserspaceHost({ addresses: [TARGET, IpAddress.parse('fd00::2')], clock })
  connect(clock, client, library, up, down)
  return { clock, client, library }
}
