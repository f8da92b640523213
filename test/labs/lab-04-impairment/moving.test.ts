import { expect } from 'chai'
import { figuresOf, measureMoving } from '../../../labs/lab-04-impairment/moving.ts'

describe('labs/lab-04-impairment: a run of migration', function () {
  this.timeout(60_000)

  it('keeps the tunnel in a move and in a rebinding, and its addresses in a reconnect', async () => {
    const steps: string[] = []
    const measured = await measureMoving(20, { onStep: text => steps.push(text) })
    expect(steps).to.deep.equal(['the client moves', 'a NAT forgets', 'the network is gone, and nobody moves'])
    expect([measured.move.kept, measured.rebind.kept, measured.reconnect.kept]).to.deep.equal([true, true, true])
    // Timers that cannot be over too early, on however busy a machine.
    expect(measured.move.silenceMs).to.be.at.least(28)
    expect(measured.move.pathMs).to.be.at.least(19)
    expect(measured.reconnect.silenceMs).to.be.greaterThan(measured.reconnect.noticedMs)
    expect(measured.reconnect.noticedMs).to.be.at.least(1990)
    expect(measured.reconnect.lost).to.be.greaterThan(measured.move.lost)
    for (const value of Object.values(figuresOf(measured))) expect(value).to.satisfy(Number.isFinite)
  })

  it('ends at once when it is given up, and leaves nothing open', async () => {
    const stop = new AbortController()
    const run = measureMoving(20, { signal: stop.signal, onStep: () => stop.abort(new Error('given up')) })
    expect(await run.catch(error => error.message)).to.equal('given up')
  })
})
