import { expect } from 'chai'
import { PROBE_DATA_LENGTH, probeLink } from '../../src/carriers/link-probe.ts'

/** Pings that are answered as `answers` says. */
function pings(answers: (size: number) => boolean) {
  const sizes: number[] = []
  const ping = async (size: number): Promise<boolean> => {
    sizes.push(size)
    return answers(size)
  }
  return { ping, sizes }
}

describe('link probe', () => {
  const timeoutMs = 1

  it('CIP-33 pings with 1232 bytes, which makes 1280, and is content with one answer', async () => {
    const { ping, sizes } = pings(() => true)
    expect(await probeLink(ping, { timeoutMs })).to.equal('ok')
    expect(sizes).to.deep.equal([PROBE_DATA_LENGTH])
    expect(PROBE_DATA_LENGTH).to.equal(1280 - 40 - 8)
  })

  it('CIP-33 finds a link too small that answers small pings only', async () => {
    const { ping, sizes } = pings(size => size === 0)
    expect(await probeLink(ping, { timeoutMs, attempts: 3 })).to.equal('too-small')
    expect(sizes.length).to.equal(6)
  })

  it('CIP-33 finds a link silent that answers nothing, and on which nothing is heard', async () => {
    const { ping } = pings(() => false)
    expect(await probeLink(ping, { timeoutMs, attempts: 3 })).to.equal('silent')
  })

  it('CIP-33 gives a link time that refuses pings at once, as one whose address is only being assigned', async () => {
    let isReady = false
    const { ping, sizes } = pings(() => isReady)
    setTimeout(() => {
      isReady = true
    }, 60)
    expect(await probeLink(ping, { timeoutMs: 30, attempts: 8 })).to.equal('ok')
    expect(sizes.length).to.be.below(16)
  })

  it('CIP-33 does not take a busy tunnel, whose answers meet a full queue, for a silent one', async () => {
    let rounds = 0
    let heard = 0
    const { ping } = pings(size => size > 0 && ++rounds > 5)
    const options = { timeoutMs, attempts: 3, heard: () => heard++ }
    expect(await probeLink(ping, options)).to.equal('ok')
    expect(rounds).to.equal(6)
  })

  it('stops when the tunnel has ended', async () => {
    const { ping, sizes } = pings(() => false)
    let calls = 0
    await probeLink(ping, { timeoutMs, stopped: () => ++calls > 2 })
    expect(sizes.length).to.equal(4)
  })
})
