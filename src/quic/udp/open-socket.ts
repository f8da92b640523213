/**
 * Which of the two kinds of UDP socket it is, as the environment variable MASQUE_UDP says: `auto`, the default, which is
 * batched where the system has what that needs and node:dgram everywhere else; `batched`; or `dgram`.
 */

import type { Socket } from 'node:dgram'
import { errorName } from '../../net/libc.ts'
import { bindUdp, connectUdp } from '../../net/udp.ts'
import { ChoiceError } from '../choice-error.ts'
import type { PacketSocket } from '../io.ts'
import type { SocketAddress } from '../quic.ts'
import { BatchedSocket } from './batched-socket.ts'
import { DgramSocket } from './dgram-socket.ts'
import { descriptorOf, setDontFragment } from './dont-fragment.ts'
import { loadUdpCalls, type UdpCalls } from './linux-calls.ts'

const CHOICES = ['auto', 'dgram', 'batched']
const WHY_DGRAM = 'MASQUE_UDP says so'

export interface OpenOptions {
  /** Hears which kind it is and why, and when packets may be fragmented. */
  debug?(message: string): void
  /** Default: MASQUE_UDP, and `auto` without it. */
  choice?: string
  /** For tests: instead of those of the system. */
  calls?: UdpCalls | string
}

/** Rejects with the system's error (EADDRINUSE, EACCES, …), or when MASQUE_UDP cannot be followed. */
export async function bindSocket(address: SocketAddress, options: OpenOptions = {}): Promise<PacketSocket> {
  const choice = choiceOf(options)
  return wrap(await bindUdp(address), false, choice, options)
}

/**
 * A socket for one remote address, which hears when nobody listens there. It sends from the local address that is given, or from the one that
 * leads there. Rejects when there is no way to it (ENETUNREACH, …), or no such local address (EADDRNOTAVAIL).
 */
export async function connectSocket(
  remote: SocketAddress,
  options: OpenOptions & { local?: string } = {},
): Promise<PacketSocket> {
  const choice = choiceOf(options)
  const anyAddress = remote.host.includes(':') ? '::' : '0.0.0.0'
  const socket = await bindUdp({ host: options.local ?? anyAddress, port: 0 })
  await connectUdp(socket, remote)
  return wrap(socket, true, choice, options)
}

function choiceOf({ choice = process.env.MASQUE_UDP }: OpenOptions): string {
  // Empty, as in `MASQUE_UDP= npm run client`, is how a shell leaves out a variable for one command.
  if (choice === undefined || choice === '') return 'auto'
  if (CHOICES.includes(choice)) return choice
  throw new ChoiceError(`MASQUE_UDP is ${JSON.stringify(choice)}; expected auto, batched or dgram`)
}

function wrap(socket: Socket, connected: boolean, choice: string, options: OpenOptions): PacketSocket {
  const { debug } = options
  const fragmented = setDontFragment(socket)
  if (fragmented !== undefined) debug?.(`packets may be fragmented: Don't Fragment is not set, ${fragmented}`)
  const batched = choice === 'dgram' ? WHY_DGRAM : takeOver(socket, connected, options)
  if (typeof batched !== 'string') {
    debug?.(`UDP in batches, by GSO and GRO${choice === 'auto' ? '' : ': MASQUE_UDP says so'}`)
    return batched
  }
  if (choice === 'batched') {
    socket.close()
    throw new ChoiceError(`MASQUE_UDP is "batched", which this machine cannot do: ${batched}; use auto`)
  }
  debug?.(`UDP a packet at a time, by node:dgram: ${batched}`)
  return new DgramSocket(socket, connected)
}

/**
 * Node has opened the socket, which is how errors and addresses are the same in both kinds; a second descriptor of it is ours, and
 * Node's is closed. Returns why that could not be done: then nothing has changed.
 */
function takeOver(socket: Socket, connected: boolean, { debug, calls = loadUdpCalls() }: OpenOptions) {
  if (typeof calls === 'string') return calls
  const nodesFd = descriptorOf(socket)
  if (nodesFd === undefined) return 'this version of Node does not show the descriptor of a socket'
  const fd = calls.duplicate(nodesFd)
  if (fd < 0) return `the socket cannot be had: fcntl ${errorName(-fd)}`
  let batched: BatchedSocket | undefined
  try {
    const { address, port } = socket.address()
    const notTold = calls.setEcn(fd, address.includes(':'))
    if (notTold < 0) debug?.(`UDP packets carry no ECN: setsockopt ${errorName(-notTold)}`)
    const local = { host: address, port }
    batched = new BatchedSocket({ fd, local, connected, calls, carriesEcn: notTold >= 0, debug })
    const refused = calls.setGro(fd)
    if (refused < 0) debug?.(`UDP packets arrive one by one: setsockopt ${errorName(-refused)}`)
    socket.close()
    return batched
  } catch (error) {
    if (batched === undefined) calls.close(fd)
    else void batched.close()
    return (error as Error).message
  }
}
