import { expect } from 'chai'
import { figuresOf, measureHandover } from '../../../labs/lab-04-impairment/handover.ts'

describe('labs/lab-04-impairment: a run of handover', function () {
  this.timeout(180_000)

  it('keeps both tunnels, loses packets while the Wi-Fi fades, and ends on LTE', async () => {
    const states = new Set<string>()
    const tunnels: string[] = []
    const measured = await measureHandover({
      seed: 'a run',
      onProgress: (_, __, state) => states.add(state),
      onTunnel: (title, { tunnel }) => tunnels.push(`${title}: ${tunnel?.quic?.established}`),
    })
    expect(tunnels).to.deep.equal(['moves two seconds earlier: true', 'moves when the Wi-Fi is gone: true'])
    expect([measured.atOnce.kept, measured.earlier.kept]).to.deep.equal([true, true])
    expect([...states]).to.deep.equal(['Wi-Fi', 'Wi-Fi, weaker and weaker', 'LTE'])
    // Of some 240 pings a seventh.
    expect(measured.fading.missing).to.be.greaterThan(0)
    expect(measured.fading.missing).to.be.lessThan(measured.fading.sent)
    // No link is faster than it says: 32 ms one way, with a jitter of 4.
    expect(measured.lteP50Ms).to.be.at.least(48)
    expect(measured.atOnce.pathMs).to.be.at.least(40)
    expect(measured.earlier.pathMs).to.be.at.least(40)
    for (const [name, value] of Object.entries(figuresOf(measured))) expect(value, name).to.satisfy(Number.isFinite)
  })

  it('ends when it is given up, and leaves nothing open', async () => {
    const stop = new AbortController()
    const run = measureHandover({
      seed: 'given up',
      signal: stop.signal,
      onProgress: () => stop.abort(new Error('given up')),
    })
    expect(await run.catch(error => error.message)).to.equal('given up')
  })
})
