import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { Capture, MAX_CAPTURE_INTERFACES } from '../../src/capture/capture.ts'
import { CaptureError } from '../../src/capture/open-file.ts'
import { BlockType } from '../../src/capture/pcapng.ts'
import { describePacket, destinationOf, payloadOffset, sourceOf, validatePacket } from '../../src/ip/packet.ts'
import { decodeUdp, verifyUdpChecksum } from '../../src/ip/udp.ts'
import { createLogger } from '../../src/log/logger.ts'
import { addressOf, closeLoopback, connectClient, ping, startServer, until } from '../support/loopback.ts'
import { scratchFolder } from '../support/scratch.ts'
import { FakeWriter } from './fake-writer.ts'
import { type Block, blocksOf, optionsOf, type Packet, packetOf } from './pcapng-blocks.ts'

const application = 'masque-lab test'

describe('a capture', () => {
  let folder: string
  let file: string

  beforeEach(() => {
    folder = scratchFolder('masque-test-capture-')
    file = join(folder, 'test.pcapng')
  })
  afterEach(async () => {
    await closeLoopback()
    rmSync(folder, { recursive: true, force: true })
  })

  const names = (blocks: readonly Block[]): string[] =>
    blocks
      .filter(({ type }) => type === BlockType.INTERFACE_DESCRIPTION)
      .map(block => Buffer.from(optionsOf(block, 8).get(2) ?? []).toString())
  const packets = (blocks: readonly Block[]): Packet[] =>
    blocks.filter(({ type }) => type === BlockType.ENHANCED_PACKET).map(packetOf)

  it('of both ends has the packets inside the tunnel, in both directions, and the names that the log and the API have', async () => {
    const capture = new Capture({ file, application })
    const atClient = new Capture({ file: join(folder, 'client.pcapng'), application })
    const server = await startServer({}, { capture })
    const { client, info } = await connectClient(server, {}, { capture: atClient })
    await ping(client, '10.90.0.1', { size: 100 })
    const [{ id }] = server.clients()
    await closeLoopback()
    await Promise.all([capture.close(), atClient.close()])
    const blocks = blocksOf(readFileSync(file))
    expect(names(blocks)).to.deep.equal([`tunnel ${id}`])
    const address = String(addressOf(info, 4))
    const echoes = (all: Packet[]): unknown[] =>
      all
        .filter(({ bytes }) => bytes.length === 128)
        .map(({ direction, bytes }) => [direction, String(sourceOf(bytes)), String(destinationOf(bytes))])
    expect(echoes(packets(blocks))).to.deep.equal([
      [1, address, '10.90.0.1'],
      [2, '10.90.0.1', address],
    ])
    const others = packets(blocksOf(readFileSync(join(folder, 'client.pcapng'))))
    expect(echoes(others)).to.deep.equal([
      [2, address, '10.90.0.1'],
      [1, '10.90.0.1', address],
    ])
    const last = blocks[blocks.length - 1]
    expect(last.type).to.equal(BlockType.INTERFACE_STATISTICS)
    expect(Number(Buffer.from(optionsOf(last, 12).get(4) ?? []).readBigUInt64LE())).to.equal(packets(blocks).length)
    expect(capture.counters).to.deep.equal({ packets: packets(blocks).length, leftOut: 0 })
    const times = packets(blocks).map(({ timeUs }) => timeUs)
    expect(
      [...times].sort((a, b) => a - b),
      'time never goes back',
    ).to.deep.equal(times)
    expect(Math.abs(times[0] / 1000 - Date.now())).to.be.below(120_000)
  })

  it('has the UDP packets around them, with checksums that are right, and secrets only when it was asked', async () => {
    const capture = new Capture({ file, application, outer: true, secrets: true })
    const plain = new Capture({ file: join(folder, 'client.pcapng'), application, outer: true })
    const server = await startServer({}, { capture })
    const { client } = await connectClient(server, {}, { capture: plain })
    await ping(client, '10.90.0.1')
    await closeLoopback()
    await Promise.all([capture.close(), plain.close()])
    const blocks = blocksOf(readFileSync(file))
    expect(names(blocks)[0]).to.equal('udp')
    const outer = packets(blocks).filter(({ interfaceId }) => interfaceId === 0)
    expect(new Set(outer.map(({ direction }) => direction))).to.deep.equal(new Set([1, 2]))
    for (const { direction, bytes } of outer) {
      expect(validatePacket(bytes), describePacket(bytes)).to.equal(undefined)
      expect(verifyUdpChecksum(bytes, payloadOffset(bytes))).to.equal(true)
      const { sourcePort, destinationPort } = decodeUdp(bytes, payloadOffset(bytes))
      expect(direction === 1 ? destinationPort : sourcePort).to.equal(server.address.port)
    }
    const secrets = blocks.findIndex(({ type }) => type === BlockType.DECRYPTION_SECRETS)
    const firstPacket = blocks.findIndex(({ type }) => type === BlockType.ENHANCED_PACKET)
    expect(secrets, 'a reader that goes through the file once has them in time').to.be.within(0, firstPacket)
    expect(Buffer.from(blocks[secrets].body).toString('latin1')).to.match(
      /SERVER_HANDSHAKE_TRAFFIC_SECRET [0-9a-f]{64} /,
    )
    const others = blocksOf(readFileSync(join(folder, 'client.pcapng')))
    expect(others.map(({ type }) => type)).not.to.include(BlockType.DECRYPTION_SECRETS)
    expect(statSync(file).mode & 0o777).to.equal(0o600)
  })

  it('AT-08 ends with one warning when the disk is full; the tunnel goes on, and the file can be read', async () => {
    const writer = new FakeWriter()
    const capture = new Capture({ file, application, writer })
    const log: string[] = []
    const logger = createLogger({ level: 'warn', to: { write: line => void log.push(JSON.parse(line).msg) } })
    const server = await startServer({}, { capture, logger })
    const { client } = await connectClient(server)
    await until(() => writer.content.length > 100)
    writer.room = 200
    for (let i = 0; log.length === 0; i++) {
      await ping(client, '10.90.0.1')
      expect(i).to.be.below(10_000)
    }
    await ping(client, '10.90.0.1')
    await capture.close()
    expect(log).to.deep.equal([`the capture ${file} ends here, and the tunnels go on: the disk is full`])
    const found = packets(blocksOf(writer.content))
    const { packets: written, leftOut } = capture.counters
    expect(written, 'what it says is in the file').to.equal(found.length)
    // The last ping came when it had ended, and each is a request and an answer.
    expect(leftOut).to.be.at.least(2)
    expect(capture.endedWhy).to.equal('the disk is full')
  })

  it('gives no packet the number of an interface that is not described, also when there was no room for its description', async () => {
    const writer = new FakeWriter()
    writer.isSlow = true
    const capture = new Capture({ file, application, writer })
    const packet = new Uint8Array(60_000)
    const full = capture.tunnel('a/0')
    for (let i = 0; i < 100; i++) full.sent(packet)
    // And what small ones still fit in between.
    for (const { leftOut } = capture.counters; capture.counters.leftOut === leftOut; ) full.sent(packet.subarray(0, 1))
    const late = capture.tunnel('b/0')
    late.sent(packet)
    await until(() => writer.writes > 1)
    writer.goOn()
    await until(() => writer.content.length > 1 << 20)
    capture.tunnel('c/0').sent(packet.subarray(0, 20))
    late.sent(packet.subarray(0, 20))
    await capture.close()
    const blocks = blocksOf(writer.content)
    expect(names(blocks)).to.deep.equal(['tunnel a/0', 'tunnel c/0', 'tunnel b/0'])
    const [c, b] = packets(blocks).slice(-2)
    expect([c.interfaceId, c.dropped, b.interfaceId, b.dropped]).to.deep.equal([1, 0, 2, 1])
    expect(capture.counters.leftOut).to.be.above(1)
  })

  it('has at most so many interfaces, however many tunnels there were', async () => {
    const writer = new FakeWriter()
    const capture = new Capture({ file, application, writer })
    for (let i = 0; i < MAX_CAPTURE_INTERFACES + 10; i++) capture.tunnel(`a/${i}`).sent(new Uint8Array(20))
    await capture.close()
    const found = names(blocksOf(writer.content))
    expect([found.length, found.at(-1)]).to.deep.equal([MAX_CAPTURE_INTERFACES, 'other tunnels'])
  })

  it('replaces an older capture, which stays with whoever has it open, and nothing else', async () => {
    await new Capture({ file, application }).close()
    chmodSync(file, 0o666)
    await new Capture({ file, application }).close()
    expect(statSync(file).mode & 0o777).to.equal(0o600)
    const notes = join(folder, 'notes.txt')
    writeFileSync(notes, 'mine')
    expect(() => new Capture({ file: notes, application })).to.throw(CaptureError, /no capture is there/)
    expect(readFileSync(notes, 'utf8')).to.equal('mine')
    symlinkSync(notes, join(folder, 'link'))
    mkdirSync(join(folder, 'folder'))
    for (const place of ['link', 'folder']) {
      expect(() => new Capture({ file: join(folder, place), application })).to.throw(CaptureError, /ordinary file/)
    }
    const nowhere = join(folder, 'missing', 'x.pcapng')
    expect(() => new Capture({ file: nowhere, application })).to.throw(CaptureError, /its folder does not exist/)
    expect(existsSync(nowhere)).to.equal(false)
  })
})
