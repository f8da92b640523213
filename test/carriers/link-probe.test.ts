import { expect } from 'chai'
import { ALL_NODES, PROBE_DATA_LENGTH, probeLink } from '../../src/carriers/link-probe.ts'
import type { UserspaceHost } from '../../src/hosts/userspace/userspace-host.ts'

/** A host whose pings are answered as `answers` says; nothing else of a host is used by a probe. */
function hostThatPings(answers: (size: number) => boolean): { host: UserspaceHost; sizes: number[] } {
  const sizes: number[] = []
  const ping = async (_target: unknown, { size }: { size: number }) => {
    sizes.push(size)
    if (!answers(size)) throw new Error('no reply')
  }
  return { host: { ping } as unknown as UserspaceHost, sizes }
}

describe('link probe', () => {
  const timeoutMs = 1

  it('CIP-33 pings with 1232 bytes, which makes 1280, and is content with one answer', async () => {
    const { host, sizes } = hostThatPings(() => true)
    expect(await probeLink(host, ALL_NODES, { timeoutMs })).to.equal('ok')
    expect(sizes).to.deep.equal([PROBE_DATA_LENGTH])
    expect(PROBE_DATA_LENGTH).to.equal(1280 - 40 - 8)
  })

  it('CIP-33 finds a link too small that answers small pings only', async () => {
    const { host, sizes } = hostThatPings(size => size === 0)
    expect(await probeLink(host, ALL_NODES, { timeoutMs, attempts: 3 })).to.equal('too-small')
    expect(sizes.length).to.equal(6)
  })

  it('CIP-33 finds a link silent that answers nothing, and on which nothing is heard', async () => {
    const { host } = hostThatPings(() => false)
    expect(await probeLink(host, ALL_NODES, { timeoutMs, attempts: 3 })).to.equal('silent')
  })

  it('CIP-33 does not take a busy tunnel, whose answers meet a full queue, for a silent one', async () => {
    let rounds = 0
    let heard = 0
    const { host } = hostThatPings(size => size > 0 && ++rounds > 5)
    const options = { timeoutMs, attempts: 3, heard: () => heard++ }
    expect(await probeLink(host, ALL_NODES, options)).to.equal('ok')
    expect(rounds).to.equal(6)
  })

  it('stops when the tunnel has ended', async () => {
    const { host, sizes } = hostThatPings(() => false)
    let calls = 0
    await probeLink(host, ALL_NODES, { timeoutMs, stopped: () => ++calls > 2 })
    expect(sizes.length).to.equal(4)
  })
})
