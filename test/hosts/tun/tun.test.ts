import { once } from 'node:events'
import { expect } from 'chai'
import { TunError } from '../../../src/hosts/tun/errors.ts'
import { Tun } from '../../../src/hosts/tun/tun.ts'
import { MemoryDevice } from './memory-device.ts'

const numbered = (n: number): Uint8Array => Uint8Array.of(0x45, n >> 8, n & 0xff)

describe('a TUN device as a stream', () => {
  it('keeps 256 packets for a reader that does not read, loses those behind them, and goes on when it reads', () => {
    const device = new MemoryDevice()
    const tun = new Tun({}, device)
    for (let n = 0; n < 300; n++) device.events.onPacket(numbered(n))
    expect(tun.readableLength).to.equal(256)
    for (let n = 0; n < 256; n++) expect([...tun.read()]).to.deep.equal([...numbered(n)])
    expect(tun.read()).to.equal(null)
    device.events.onPacket(numbered(300))
    expect([...tun.read()]).to.deep.equal([...numbered(300)])
  })

  it('keeps packets whose memory is used again for the next one', () => {
    const device = new MemoryDevice()
    const tun = new Tun({}, device)
    const memory = numbered(1)
    device.events.onPacket(memory)
    memory.fill(0)
    expect([...tun.read()]).to.deep.equal([...numbered(1)])
  })

  it('hands each packet to the system at once', () => {
    const device = new MemoryDevice()
    new Tun({}, device).write(numbered(7))
    expect([device.written, device.flushes]).to.deep.equal([[numbered(7)], 1])
  })

  it('ends with the reason when the device is gone', async () => {
    const device = new MemoryDevice()
    const tun = new Tun({}, device)
    device.events.onGone('somebody has removed it')
    const [error] = await once(tun, 'error', {}).catch(reason => [reason])
    expect(error).to.be.instanceOf(TunError)
    expect([error.message, tun.isUp]).to.deep.equal(['somebody has removed it', false])
  })
})
