/**
 * The calls of Linux behind batched-socket.ts, and the memory in which they find what they need.
 *
 * A call that fails returns the negative errno. All of them are over when they return, so one memory serves all sockets.
 */

import { endianness } from 'node:os'
import { isMainThread } from 'node:worker_threads'
import { allocateForever, errorName, lastErrno, loadLibrary, type NativeLibrary } from '../../net/libc.ts'
import { readinessProblem } from '../../net/readiness.ts'
import { type EcnCodepoint, NOT_ECT } from '../ecn.ts'

/** <netinet/udp.h>: UDP_SEGMENT since Linux 4.18, UDP_GRO since 5.0. */
const SOL_UDP = 17
const UDP_SEGMENT = 103
const UDP_GRO = 104

/** <linux/in.h> and <linux/in6.h>: the former Type of Service of an IPv4 header and the Traffic Class of an IPv6 one, whose last two bits are ECN. */
const SOL_IP = 0
const IP_TOS = 1
const IP_RECVTOS = 13
const SOL_IPV6 = 41
const IPV6_RECVTCLASS = 66
const IPV6_TCLASS = 67
const ECN_BITS = 0b11

const F_DUPFD_CLOEXEC = 1030
const MSG_DONTWAIT = 0x40
const AF_INET = 2
const SOCK_DGRAM_CLOEXEC = 0x80002

/** Largest UDP payload in IPv4: of one packet, and of all segments that are handed over at once. */
export const MAX_UDP_PAYLOAD = 65_507

/** Messages that are read at a time; each may be many packets. */
export const MESSAGES = 8
const MESSAGE_ROOM = 65_536

/**
 * Of what is sent. Packets that are written one after the other need not begin at its start: the others may have left already.
 */
export const SEND_ROOM = 2 * MESSAGE_ROOM

// struct mmsghdr on 64-bit Linux: a msghdr and its length.
//
//    0  name              16  iov, 24  iovlen        32  control           48  flags
//    8  namelen                                      40  controllen        56  msg_len
const HEADER_LENGTH = 64
const NAME = 0
const NAME_LENGTH = 8
const IOV = 16
const IOV_COUNT = 24
const CONTROL = 32
const CONTROL_LENGTH = 40
const MESSAGE_LENGTH = 56

const IOV_LENGTH = 16
const NAME_ROOM = 32

/** struct cmsghdr: length (8), level (4), type (4), then the data. */
const CMSG_LEVEL = 8
const CMSG_TYPE = 12
const CMSG_DATA = 16
/** CMSG_SPACE: what one takes with up to eight bytes of data. */
const CMSG_SPACE = 24
const CONTROL_ROOM = 3 * CMSG_SPACE

/** What batched-socket.ts asks of the system. A test has another one. */
export interface UdpCalls {
  /** The bytes that `send` sends are in here. */
  readonly sendRoom: Uint8Array<ArrayBuffer>
  /** Another descriptor of the same socket. */
  duplicate(fd: number): number
  close(fd: number): void
  /** Datagrams of one sender that arrive together are read together from now on. */
  setGro(fd: number): number
  /** The ECN field of what arrives is told from now on. */
  setEcn(fd: number, isIpv6: boolean): number
  /**
   * Sends so many bytes of `sendRoom`, cut into packets of `segment` bytes where they are more. `to`: a sockaddr; undefined
   * for a connected socket. `ecn`: the field of all of them.
   */
  send(
    fd: number,
    start: number,
    length: number,
    segment: number,
    to: Uint8Array | undefined,
    ecn: EcnCodepoint,
  ): number
  /** Reads up to MESSAGES messages. How many there were. */
  receive(fd: number): number
  /** Of the i-th message that was read: its bytes, the length of the packets in it, their ECN field (GRO merges none that differ there), its sender as a sockaddr. */
  messageLength(i: number): number
  segmentLength(i: number): number
  ecn(i: number): EcnCodepoint
  readonly messages: readonly Uint8Array<ArrayBuffer>[]
  readonly names: readonly DataView<ArrayBuffer>[]
  /** inet_ntop, with the name of the interface for a link-local address. */
  formatAddress(sockaddr: Uint8Array): string
  /** A sockaddr; undefined: this is no address. */
  parseAddress(host: string, port: number): Uint8Array | undefined
}

let calls: UdpCalls | string | undefined

/** The calls, or why they cannot be used here: this system, this kernel, or what it forbids. */
export function loadUdpCalls(): UdpCalls | string {
  calls ??= whyNotHere() ?? load()
  return calls
}

function whyNotHere(): string | undefined {
  if (process.platform !== 'linux') return `not built for ${process.platform}`
  if (!['x64', 'arm64', 'riscv64', 'loong64'].includes(process.arch) || endianness() !== 'LE') {
    return `not built for ${process.arch}`
  }
  // Whoever ends a thread from outside says nothing to it: its descriptors would stay open.
  if (!isMainThread) return 'not on a thread beside the main one'
  return readinessProblem()
}

function load(): UdpCalls | string {
  const libc = loadLibrary(null)
  if (typeof libc === 'string') return libc
  try {
    return whyRefused(libc) ?? makeCalls(libc)
  } catch (error) {
    return (error as Error).message
  }
}

/** A kernel that does not know UDP_SEGMENT would send all packets of a batch as one: so it is asked. */
function whyRefused(libc: NativeLibrary): string | undefined {
  const close = libc.func('int close(int fd)')
  const fd = libc.func('int socket(int domain, int type, int protocol)')(AF_INET, SOCK_DGRAM_CLOEXEC, 0)
  if (fd < 0) return `socket ${errorName(lastErrno())}`
  try {
    const setOption = libc.func('int setsockopt(int fd, int level, int option, const void *value, unsigned int length)')
    for (const [name, option] of Object.entries({ UDP_SEGMENT, UDP_GRO })) {
      if (setOption(fd, SOL_UDP, option, new Int32Array([0]), 4) < 0) {
        return `the kernel has no ${name}: setsockopt ${errorName(lastErrno())}`
      }
    }
    const receive = libc.func('int recvmmsg(int fd, void *messages, unsigned int count, int flags, void *timeout)')
    receive(fd, allocateForever(HEADER_LENGTH).address, 1, MSG_DONTWAIT, null)
    const name = errorName(lastErrno())
    return name === 'EAGAIN' ? undefined : `recvmmsg ${name}`
  } finally {
    close(fd)
  }
}

function makeCalls(libc: NativeLibrary): UdpCalls {
  const send = makeSend(libc)
  const receive = makeReceive(libc)
  const close = libc.func('int close(int fd)')
  const duplicate = libc.func('int fcntl(int fd, int command, int argument)')
  const setOption = libc.func('int setsockopt(int fd, int level, int option, const void *value, unsigned int length)')
  const orErrno = (result: number): number => (result < 0 ? -lastErrno() : result)
  return {
    ...send,
    ...receive,
    ...makeAddresses(libc),
    duplicate: fd => orErrno(duplicate(fd, F_DUPFD_CLOEXEC, 0)),
    close: fd => void close(fd),
    setGro: fd => orErrno(setOption(fd, SOL_UDP, UDP_GRO, new Int32Array([1]), 4)),
    setEcn(fd, isIpv6) {
      // To an IPv6 socket packets may come by IPv4, too.
      const result = orErrno(setOption(fd, SOL_IP, IP_RECVTOS, new Int32Array([1]), 4))
      if (result < 0 || !isIpv6) return result
      return orErrno(setOption(fd, SOL_IPV6, IPV6_RECVTCLASS, new Int32Array([1]), 4))
    },
  }
}

function makeSend(libc: NativeLibrary): Pick<UdpCalls, 'sendRoom' | 'send'> {
  const sendmsg = libc.func('int64_t sendmsg(int fd, const void *message, int flags)')
  const room = allocateForever(SEND_ROOM)
  const memory = allocateForever(HEADER_LENGTH + IOV_LENGTH + NAME_ROOM + CONTROL_ROOM)
  const view = new DataView(memory.bytes.buffer)
  const iov = HEADER_LENGTH
  const name = iov + IOV_LENGTH
  const control = name + NAME_ROOM
  setPointer(view, IOV, memory.address + BigInt(iov))
  setLength(view, IOV_COUNT, 1)
  // One behind the other, so that what a packet needs is a run of them. Of the first two the kernel takes the one for its version of IP.
  const [tos, trafficClass, segmentSize, controlEnd] = [0, 1, 2, 3].map(i => control + i * CMSG_SPACE)
  const beginControl = (at: number, bytes: number, level: number, type: number): void => {
    setLength(view, at, CMSG_DATA + bytes)
    view.setInt32(at + CMSG_LEVEL, level, true)
    view.setInt32(at + CMSG_TYPE, type, true)
  }
  beginControl(tos, 4, SOL_IP, IP_TOS)
  beginControl(trafficClass, 4, SOL_IPV6, IPV6_TCLASS)
  beginControl(segmentSize, 2, SOL_UDP, UDP_SEGMENT)
  const nameAddress = memory.address + BigInt(name)
  const controlFrom = { marked: memory.address + BigInt(tos), unmarked: memory.address + BigInt(segmentSize) }
  setPointer(view, CONTROL, controlFrom.unmarked)
  let isConnected = true
  let isMarked = false
  let roomAt = 0
  setPointer(view, iov, room.address)
  return {
    sendRoom: room.bytes,
    send(fd, start, length, segment, to, ecn) {
      if (start !== roomAt) {
        setPointer(view, iov, room.address + BigInt(start))
        roomAt = start
      }
      setLength(view, iov + 8, length)
      if ((to === undefined) !== isConnected) {
        isConnected = to === undefined
        setPointer(view, NAME, isConnected ? 0n : nameAddress)
        view.setUint32(NAME_LENGTH, 0, true)
      }
      if (to !== undefined) {
        memory.bytes.set(to, name)
        view.setUint32(NAME_LENGTH, to.length, true)
      }
      if ((ecn !== NOT_ECT) !== isMarked) {
        isMarked = ecn !== NOT_ECT
        setPointer(view, CONTROL, isMarked ? controlFrom.marked : controlFrom.unmarked)
      }
      const runEnd = length > segment ? controlEnd : segmentSize
      setLength(view, CONTROL_LENGTH, runEnd - (isMarked ? tos : segmentSize))
      view.setInt32(tos + CMSG_DATA, ecn, true)
      view.setInt32(trafficClass + CMSG_DATA, ecn, true)
      view.setUint16(segmentSize + CMSG_DATA, segment, true)
      const sent = sendmsg(fd, memory.address, MSG_DONTWAIT)
      return sent < 0 ? -lastErrno() : sent
    },
  }
}

type Receive = Pick<UdpCalls, 'receive' | 'messageLength' | 'segmentLength' | 'ecn' | 'messages' | 'names'>

function makeReceive(libc: NativeLibrary): Receive {
  const recvmmsg = libc.func('int recvmmsg(int fd, void *messages, unsigned int count, int flags, void *timeout)')
  const headers = allocateForever(MESSAGES * (HEADER_LENGTH + IOV_LENGTH + NAME_ROOM + CONTROL_ROOM))
  const data = allocateForever(MESSAGES * MESSAGE_ROOM)
  const view = new DataView(headers.bytes.buffer)
  const iovs = MESSAGES * HEADER_LENGTH
  const names = iovs + MESSAGES * IOV_LENGTH
  const controls = names + MESSAGES * NAME_ROOM
  const all = Array.from({ length: MESSAGES }, (_, i) => i)
  for (const i of all) {
    const header = i * HEADER_LENGTH
    const iov = iovs + i * IOV_LENGTH
    setPointer(view, header + NAME, headers.address + BigInt(names + i * NAME_ROOM))
    setPointer(view, header + IOV, headers.address + BigInt(iov))
    setLength(view, header + IOV_COUNT, 1)
    setPointer(view, header + CONTROL, headers.address + BigInt(controls + i * CONTROL_ROOM))
    setPointer(view, iov, data.address + BigInt(i * MESSAGE_ROOM))
    setLength(view, iov + 8, MESSAGE_ROOM)
  }
  /** Where the data of a message's control message of this kind is; 0: it has none. */
  const findControl = (i: number, level: number, type: number): number => {
    const end = controls + i * CONTROL_ROOM + view.getUint32(i * HEADER_LENGTH + CONTROL_LENGTH, true)
    for (let at = controls + i * CONTROL_ROOM; at + CMSG_DATA < end; at += CMSG_SPACE) {
      if (view.getInt32(at + CMSG_LEVEL, true) === level && view.getInt32(at + CMSG_TYPE, true) === type)
        return at + CMSG_DATA
    }
    return 0
  }
  /** How many headers the last call has filled in, and which must be as before again. */
  let used = MESSAGES
  return {
    receive(fd) {
      for (let i = 0; i < used; i++) {
        view.setUint32(i * HEADER_LENGTH + NAME_LENGTH, NAME_ROOM, true)
        setLength(view, i * HEADER_LENGTH + CONTROL_LENGTH, CONTROL_ROOM)
      }
      const count = recvmmsg(fd, headers.address, MESSAGES, MSG_DONTWAIT, null)
      used = Math.max(0, count)
      return count < 0 ? -lastErrno() : count
    },
    messageLength: i => view.getUint32(i * HEADER_LENGTH + MESSAGE_LENGTH, true),
    segmentLength(i) {
      const at = findControl(i, SOL_UDP, UDP_GRO)
      return at === 0 ? view.getUint32(i * HEADER_LENGTH + MESSAGE_LENGTH, true) : view.getInt32(at, true)
    },
    ecn(i) {
      // A byte for IPv4, and an int, of which it is the lowest one, for IPv6.
      const at = findControl(i, SOL_IP, IP_TOS) || findControl(i, SOL_IPV6, IPV6_TCLASS)
      return at === 0 ? NOT_ECT : ((view.getUint8(at) & ECN_BITS) as EcnCodepoint)
    },
    messages: all.map(i => data.bytes.subarray(i * MESSAGE_ROOM, (i + 1) * MESSAGE_ROOM)),
    names: all.map(i => new DataView(headers.bytes.buffer, names + i * NAME_ROOM, NAME_ROOM)),
  }
}

const AF_INET6 = 10

/** What an address is made of in a sockaddr: family (2), port (2), and for IPv6 the flow (4), address (16), scope (4). */
export const PORT_OFFSET = 2
const IPV4_OFFSET = 4
const IPV6_OFFSET = 8
const SCOPE_OFFSET = 24
export const SOCKADDR_IN6_LENGTH = 28
const SOCKADDR_IN_LENGTH = 16

function makeAddresses(libc: NativeLibrary): Pick<UdpCalls, 'formatAddress' | 'parseAddress'> {
  const ntop = libc.func('const char *inet_ntop(int family, const void *source, void *text, unsigned int length)')
  const pton = libc.func('int inet_pton(int family, const char *text, void *to)')
  const indexToName = libc.func('char *if_indextoname(unsigned int index, void *name)')
  const nameToIndex = libc.func('unsigned int if_nametoindex(const char *name)')
  const text = new Uint8Array(64)
  return {
    formatAddress(sockaddr) {
      const view = new DataView(sockaddr.buffer, sockaddr.byteOffset, sockaddr.length)
      const family = view.getUint16(0, true)
      const address = sockaddr.subarray(family === AF_INET6 ? IPV6_OFFSET : IPV4_OFFSET)
      const host = ntop(family, address, text, text.length) as string | null
      const scope = family === AF_INET6 ? view.getUint32(SCOPE_OFFSET, true) : 0
      if (host === null || scope === 0) return host ?? ''
      const zone = indexToName(scope, text) as string | null
      return `${host}%${zone ?? scope}`
    },
    parseAddress(host, port) {
      const [address, zone] = host.split('%')
      const isIpv6 = address.includes(':')
      const sockaddr = new Uint8Array(isIpv6 ? SOCKADDR_IN6_LENGTH : SOCKADDR_IN_LENGTH)
      const view = new DataView(sockaddr.buffer)
      view.setUint16(0, isIpv6 ? AF_INET6 : AF_INET, true)
      view.setUint16(PORT_OFFSET, port)
      const bytes = new Uint8Array(16)
      if (pton(isIpv6 ? AF_INET6 : AF_INET, address, bytes) !== 1) return undefined
      sockaddr.set(bytes.subarray(0, isIpv6 ? 16 : 4), isIpv6 ? IPV6_OFFSET : IPV4_OFFSET)
      if (isIpv6 && zone !== undefined) view.setUint32(SCOPE_OFFSET, nameToIndex(zone) || Number(zone) || 0, true)
      return sockaddr
    },
  }
}

function setPointer(view: DataView, at: number, address: bigint): void {
  view.setBigUint64(at, address, true)
}

/** A size_t whose upper half is always 0. */
function setLength(view: DataView, at: number, length: number): void {
  view.setUint32(at, length, true)
}
