import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { constants } from 'node:os'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { expect } from 'chai'
import { explain } from '../../../src/cli/run-command.ts'
import type { PacketSocket } from '../../../src/quic/io.ts'
import { BatchedSocket } from '../../../src/quic/udp/batched-socket.ts'
import { DgramSocket } from '../../../src/quic/udp/dgram-socket.ts'
import { loadUdpCalls, type UdpCalls } from '../../../src/quic/udp/linux-calls.ts'
import { bindSocket, connectSocket, type OpenOptions } from '../../../src/quic/udp/open-socket.ts'
import { until } from '../../support/loopback.ts'
import { PATIENCE_MS } from '../../support/patience.ts'

const AT = { host: '127.0.0.1', port: 0 }
const { EAGAIN, ECONNREFUSED, EINTR, EINVAL, EIO, EMSGSIZE, ENOBUFS } = constants.errno
/** <fcntl.h> of Linux, in octal as /proc shows it. */
const O_CLOEXEC = 0o2000000

describe('which kind of UDP socket it is', () => {
  let sockets: PacketSocket[] = []

  afterEach(async () => {
    await Promise.all(sockets.map(socket => socket.close()))
    sockets = []
  })

  async function open(options: OpenOptions): Promise<{ socket: PacketSocket; said: string[] }> {
    const said: string[] = []
    const socket = await bindSocket(AT, { ...options, debug: message => said.push(message) })
    sockets.push(socket)
    return { socket, said: said.filter(message => message.startsWith('UDP')) }
  }

  async function connect(
    { local }: PacketSocket,
    options: OpenOptions,
  ): Promise<{ socket: PacketSocket; said: string[] }> {
    const socket = await connectSocket(local, options)
    sockets.push(socket)
    return { socket, said: [] }
  }

  const realCalls = (context: Mocha.Context): UdpCalls => {
    const calls = loadUdpCalls()
    if (typeof calls !== 'string') return calls
    console.log(`      skipped: no UDP in batches here: ${calls}`)
    return context.skip()
  }

  it('is the one that MASQUE_UDP names, and a line of the log says so', async function () {
    const dgram = await open({ choice: 'dgram' })
    expect(dgram.socket).to.be.instanceOf(DgramSocket)
    expect(dgram.said).to.deep.equal(['UDP a packet at a time, by node:dgram: MASQUE_UDP says so'])
    realCalls(this)
    const batched = await open({ choice: 'batched' })
    expect(batched.socket).to.be.instanceOf(BatchedSocket)
    expect(batched.said).to.deep.equal(['UDP in batches, by GSO and GRO: MASQUE_UDP says so'])
  })

  it('is node:dgram where batches cannot be had, and the log says why', async () => {
    const { socket, said } = await open({
      choice: 'auto',
      calls: 'the kernel has no UDP_SEGMENT: setsockopt ENOPROTOOPT',
    })
    expect(socket).to.be.instanceOf(DgramSocket)
    expect(said).to.deep.equal([
      'UDP a packet at a time, by node:dgram: the kernel has no UDP_SEGMENT: setsockopt ENOPROTOOPT',
    ])
  })

  it('is node:dgram, and still open, where its descriptor cannot be had', async function () {
    const calls = { ...realCalls(this), duplicate: () => -constants.errno.EMFILE }
    const { socket, said } = await open({ choice: 'auto', calls })
    expect([socket.open, socket instanceof DgramSocket]).to.deep.equal([true, true])
    expect(said[0]).to.match(/the socket cannot be had: fcntl EMFILE$/)
  })

  it('is chosen by itself where MASQUE_UDP is empty', async () => {
    const { said } = await open({ choice: '', calls: 'koffi does not work here' })
    expect(said).to.deep.equal(['UDP a packet at a time, by node:dgram: koffi does not work here'])
  })

  it('is an error, and nothing stays open, where MASQUE_UDP wants what cannot be had, or what there is not', async () => {
    const refused = async (options: OpenOptions): Promise<string> =>
      bindSocket(AT, options).then(
        () => 'opened',
        // As a command says it: a bug of ours would have a stack.
        error => explain(error),
      )
    expect(await refused({ choice: 'batched', calls: 'koffi does not work here' })).to.equal(
      'MASQUE_UDP is "batched", which this machine cannot do: koffi does not work here; use auto',
    )
    expect(await refused({ choice: 'Dgram' })).to.equal('MASQUE_UDP is "Dgram"; expected auto, batched or dgram')
  })

  /** The calls of the system, but for what `send` answers; and what it was asked to send: bytes, and the length of its packets. */
  function refusing(calls: UdpCalls, answer: (length: number, segment: number) => number | undefined) {
    const asked: [number, number][] = []
    const send: UdpCalls['send'] = (fd, start, length, segment, to, ecn) => {
      asked.push([length, segment])
      return answer(length, segment) ?? calls.send(fd, start, length, segment, to, ecn)
    }
    return { asked, calls: { ...calls, send } }
  }

  /** Answers the n-th time that something is to be sent by the n-th of these; 0, and what comes after them, is sent. */
  function answering(calls: UdpCalls, ...errnos: number[]) {
    let times = 0
    return refusing(calls, () => (errnos[times++] ? -errnos[times - 1] : undefined))
  }

  async function exchange(calls: UdpCalls, isConnected = false) {
    const receiver = (await open({ choice: 'dgram' })).socket
    const { socket, said } = isConnected
      ? await connect(receiver, { choice: 'auto', calls })
      : await open({ choice: 'auto', calls })
    const arrived: number[] = []
    const errors: string[] = []
    receiver.start({ onPacket: packet => arrived.push(packet[0]), onError() {} })
    socket.start({ onPacket() {}, onError: error => errors.push(String(error.code)) })
    const burst = (from: number, count: number): void => {
      for (let n = from; n < from + count; n++) {
        socket.room(100)[0] = n
        socket.send(100, receiver.local)
      }
      socket.flush()
    }
    return { socket, to: receiver.local, said, arrived, errors, burst }
  }

  for (const [name, errno] of Object.entries({ EIO, EINVAL })) {
    it(`sends packets one by one from then on where the device takes no batches (${name})`, async function () {
      const { calls, asked } = refusing(realCalls(this), (length, segment) => (length > segment ? -errno : undefined))
      const { socket, arrived, errors, burst } = await exchange(calls)
      burst(0, 5)
      burst(5, 3)
      await until(() => arrived.length === 8)
      expect(arrived).to.deep.equal([0, 1, 2, 3, 4, 5, 6, 7])
      expect(asked.filter(([length]) => length > 100)).to.deep.equal([[500, 100]])
      expect([errors, socket.unsent]).to.deep.equal([[], {}])
    })
  }

  it('goes on with batches where a batch was refused because of what was in it', async function () {
    let isNarrow = true
    const { calls, asked } = refusing(realCalls(this), (length, segment) => {
      if (!isNarrow) return undefined
      return length > segment ? -EINVAL : -EMSGSIZE
    })
    const { socket, arrived, errors, burst } = await exchange(calls)
    burst(0, 5)
    await until(() => errors.length > 0)
    expect([errors, socket.unsent]).to.deep.equal([['EMSGSIZE'], { 'too-large': 5 }])
    isNarrow = false
    burst(5, 4)
    await until(() => arrived.length === 4)
    expect(asked.at(-1)).to.deep.equal([400, 100])
  })

  it('keeps what the system does not take now, in order, and loses and counts what is too much', async function () {
    let isFull = true
    const { calls } = refusing(realCalls(this), () => (isFull ? -EAGAIN : undefined))
    const { socket, arrived, errors, burst } = await exchange(calls)
    burst(0, 64)
    burst(64, 30)
    expect(socket.queued).to.equal(94)
    isFull = false
    await until(() => arrived.length === 94)
    expect(arrived).to.deep.equal(Array.from({ length: 94 }, (_, n) => n))
    expect([socket.queued, socket.unsent]).to.deep.equal([0, {}])
    isFull = true
    for (let i = 0; i < 10; i++) burst(0, 64)
    await until(() => errors.length > 0)
    expect([errors, socket.queued, socket.unsent]).to.deep.equal([['ENOBUFS'], 512, { full: 128 }])
    await socket.close()
    expect(socket.unsent).to.deep.equal({ full: 128, closed: 512 })
  })

  const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n)

  for (const [what, refused] of Object.entries({
    'a batch in the middle': [0, EAGAIN],
    'a batch in the middle, twice': [0, EAGAIN, EAGAIN],
    'the first, and then the second of those that wait': [EAGAIN, 0, EAGAIN],
    'a packet in the middle of a batch that leaves one by one': [EIO, 0, EAGAIN],
  })) {
    it(`keeps the order when the system does not take ${what}`, async function () {
      const { socket, arrived, errors, burst } = await exchange(answering(realCalls(this), ...refused).calls)
      for (const from of [0, 20, 40]) burst(from, 20)
      expect(socket.queued).to.be.greaterThan(0)
      await until(() => arrived.length === 60)
      expect(arrived).to.deep.equal(upTo(60))
      expect([errors, socket.queued, socket.unsent]).to.deep.equal([[], 0, {}])
    })
  }

  for (const [name, errno] of Object.entries({ ENOBUFS, EMSGSIZE, EINTR })) {
    it(`loses nothing when a batch is refused once (${name}), and goes on with batches`, async function () {
      const { calls, asked } = answering(realCalls(this), errno)
      const { socket, arrived, errors, burst } = await exchange(calls)
      burst(0, 5)
      await until(() => arrived.length === 5)
      burst(5, 4)
      await until(() => arrived.length === 9)
      expect(arrived).to.deep.equal(upTo(9))
      expect(asked.at(-1)).to.deep.equal([400, 100])
      expect([errors, socket.unsent]).to.deep.equal([[], {}])
    })
  }

  it('sends again what was answered by the error of an earlier packet, and tells that error', async function () {
    const { calls, asked } = answering(realCalls(this), ECONNREFUSED)
    const { socket, arrived, errors, burst } = await exchange(calls, true)
    burst(0, 5)
    await until(() => arrived.length === 5 && errors.length > 0)
    expect(arrived).to.deep.equal(upTo(5))
    expect(asked).to.deep.equal([
      [500, 100],
      [500, 100],
    ])
    expect([errors, socket.unsent]).to.deep.equal([['ECONNREFUSED'], {}])
  })

  it('hands over no more at once than every kernel takes: 64 packets, and 65 507 bytes', async function () {
    for (const [length, first] of [
      [100, 64],
      [1400, 46],
    ]) {
      // The network is left out: this is more than a socket has room for.
      const { calls, asked } = refusing(realCalls(this), bytes => bytes)
      const { socket } = await open({ choice: 'auto', calls })
      for (let n = 0; n < 130; n++) {
        socket.room(length)
        socket.send(length, AT)
      }
      socket.flush()
      expect(asked[0]).to.deep.equal([first * length, length])
      expect(Math.max(...asked.map(([bytes]) => bytes))).to.equal(first * length)
    }
  })

  it('keeps packets whole that are more than its memory has room for, when nobody flushes', async function () {
    const real = realCalls(this)
    const left: Uint8Array[] = []
    const send: UdpCalls['send'] = (_fd, start, length) =>
      left.push(real.sendRoom.slice(start, start + length)) && length
    const { socket } = await open({ choice: 'auto', calls: { ...real, send } })
    const packets = upTo(200).map(n => new Uint8Array(1252).fill(n))
    for (const packet of packets) {
      socket.room(packet.length).set(packet)
      socket.send(packet.length, AT)
    }
    socket.flush()
    expect(Buffer.concat(left).equals(Buffer.concat(packets))).to.equal(true)
  })

  it('does not overwrite what another socket has written when the system takes what has waited', async function () {
    const real = realCalls(this)
    const waiting = await exchange(answering(real, EAGAIN).calls)
    const writing = await exchange(real)
    waiting.burst(0, 5)
    expect(waiting.socket.queued).to.equal(5)
    const { socket, to } = writing
    for (const n of [10, 11, 12]) {
      socket.room(100)[0] = n
      socket.send(100, to)
    }
    await until(() => waiting.arrived.length === 5)
    socket.flush()
    await until(() => writing.arrived.length === 3)
    expect([waiting.arrived, writing.arrived]).to.deep.equal([upTo(5), [10, 11, 12]])
  })

  for (const [what, answer, most] of [
    ['packets', 8, 512 / 8],
    ['errors', -EIO, 16],
  ] as const) {
    it(`lets others have their turn while there is no end of ${what} to read`, async function () {
      let reads = 0
      let readsBeforeOthers = 0
      const calls: UdpCalls = {
        ...realCalls(this),
        receive() {
          reads++
          if (reads === 1) {
            setImmediate(() => {
              readsBeforeOthers = reads
            })
          }
          // So that a socket without bounds ends all the same, and the test with it.
          return reads > 10_000 ? -EAGAIN : answer
        },
        messageLength: () => 100,
        segmentLength: () => 100,
      }
      const { socket } = await open({ choice: 'auto', calls })
      socket.start({ onPacket() {}, onError() {} })
      const sender = (await open({ choice: 'dgram' })).socket
      sender.room(1)
      sender.send(1, socket.local)
      await until(() => readsBeforeOthers > 0)
      expect(readsBeforeOthers).to.equal(most)
    })
  }

  it('reads packets of one sender that arrive together in fewer messages than they are', async function () {
    const real = realCalls(this)
    let messages = 0
    const receive: UdpCalls['receive'] = fd => {
      const count = real.receive(fd)
      messages += Math.max(count, 0)
      return count
    }
    const { socket } = await open({ choice: 'auto', calls: { ...real, receive } })
    const arrived: number[] = []
    socket.start({ onPacket: packet => arrived.push(packet[0]), onError() {} })
    const sender = (await open({ choice: 'batched' })).socket
    for (let n = 0; n < 40; n++) {
      sender.room(100)[0] = n
      sender.send(100, socket.local)
    }
    sender.flush()
    await until(() => arrived.length === 40)
    expect(arrived).to.deep.equal(upTo(40))
    expect(messages).to.be.below(40)
  })

  it('is not inherited by the programs that this one starts', async function () {
    const real = realCalls(this)
    let ours = -1
    const duplicate: UdpCalls['duplicate'] = fd => {
      ours = real.duplicate(fd)
      return ours
    }
    await open({ choice: 'auto', calls: { ...real, duplicate } })
    const flags = /^flags:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${ours}`, 'utf8'))?.[1] ?? '0'
    expect(Number.parseInt(flags, 8) & O_CLOEXEC).to.equal(O_CLOEXEC)
  })

  it('closes with an error when what reads it fails, and nothing escapes', async function () {
    const calls: UdpCalls = {
      ...realCalls(this),
      receive() {
        throw new Error('a bug')
      },
    }
    const { socket } = await open({ choice: 'auto', calls })
    const errors: string[] = []
    socket.start({ onPacket() {}, onError: error => errors.push(error.message) })
    const sender = (await open({ choice: 'dgram' })).socket
    sender.room(1)
    sender.send(1, socket.local)
    await until(() => errors.length > 0)
    expect([errors, socket.open]).to.deep.equal([['a bug'], false])
  })

  for (const [how, status] of Object.entries({ exit: 7, throw: 1, close: 0 })) {
    it(`lets the process end, whichever way: ${how}`, () => {
      const program = fileURLToPath(new URL('./ending-program.ts', import.meta.url))
      const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href
      const ended = spawnSync(process.execPath, ['--import', tsx, program, how], {
        encoding: 'utf8',
        timeout: PATIENCE_MS,
      })
      expect([ended.signal, ended.status]).to.deep.equal([null, status])
    })
  }
})
