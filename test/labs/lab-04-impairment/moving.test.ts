import { existsSync } from 'node:fs'
import { expect } from 'chai'
import { figuresOf, heardAround, measureMoving, recordMoving, WHOLE } from '../../../labs/lab-04-impairment/moving.ts'

describe('labs/lab-04-impairment: a run of migration', function () {
  this.timeout(180_000)

  it('keeps the tunnel in a move and in a rebinding', async () => {
    const steps: string[] = []
    const tunnels: string[] = []
    const measured = await measureMoving(20, {
      onStep: text => steps.push(text),
      onTunnel: (title, { connected }) => tunnels.push(`${title}: ${connected}`),
    })
    expect(steps).to.deep.equal(['the client moves', 'a NAT forgets', 'the network is gone, and nobody moves'])
    expect(tunnels).to.deep.equal(steps.map(text => `${text}: true`))
    const { move, rebind, reconnect } = measured
    expect([move.kept, rebind.kept, reconnect.kept]).to.deep.equal([true, true, true])
    // Timers that cannot be over too early, on however busy a machine.
    expect(measured.move.silenceMs).to.be.at.least(28)
    expect(measured.move.pathMs).to.be.at.least(19)
    expect(measured.reconnect.silenceMs).to.be.greaterThan(measured.reconnect.noticedMs)
    expect(measured.reconnect.noticedMs).to.be.at.least(1990)
    expect(measured.reconnect.lost).to.be.greaterThan(measured.move.lost)
    for (const value of Object.values(figuresOf(measured))) expect(value).to.satisfy(Number.isFinite)
  })

  it('pings until the client is back, over the slowest path that the script takes', async () => {
    const { move, reconnect } = await measureMoving(500)
    expect(move.silenceMs).to.be.at.least(740)
    // The idle timeout, handshake, SETTINGS, request and ping.
    expect(reconnect.silenceMs).to.be.at.least(3900)
    expect(reconnect.silenceMs).to.be.greaterThan(reconnect.noticedMs)
    // Even where the proxy has not noticed yet that the old tunnel is gone.
    expect(reconnect.kept).to.equal(true)
  })

  it('measures the gap around the event, and no longer one elsewhere', () => {
    const ping = (sentMs: number, rttMs: number | undefined) => ({ sequence: sentMs / 10, sentMs, rttMs })
    const records = [
      ...[0, 10].map(at => ping(at, 5)),
      // Busy: 300 ms.
      ping(20, 295),
      ...[30, 40, 50].map(at => ping(at, 285)),
      ...Array.from({ length: 26 }, (_, i) => ping(60 + 10 * i, 320 - 60 - 10 * i + 25 + i)),
      ...Array.from({ length: 18 }, (_, i) => ping(320 + 10 * i, i < 10 ? undefined : 5)),
      // Still under way.
      ping(500, undefined),
    ]
    const heard = heardAround(records, 371, 415)
    expect(heard).to.deep.equal({ silenceMs: 55, lost: 10, silentFromMs: 370 })
    expect(heardAround(records, 371, 495), 'no reply behind the event').to.equal(undefined)
  })

  it('is not kept when the client has noticed its loss after the silence', () => {
    const event = { silenceMs: 273.8, lost: 257, kept: true }
    const run = {
      rttMs: 400,
      move: { ...event, pathMs: 400 },
      rebind: event,
      reconnect: { ...event, noticedMs: 3583.97 },
    }
    expect(() => recordMoving({ exercises: '/nowhere', mode: 'live' }, run)).to.throw(/not recorded/)
    expect(existsSync('/nowhere')).to.equal(false)
    expect(WHOLE.run(figuresOf(run))).to.equal(false)
  })

  it('ends at once when it is given up, and leaves nothing open', async () => {
    const stop = new AbortController()
    const run = measureMoving(20, { signal: stop.signal, onStep: () => stop.abort(new Error('given up')) })
    expect(await run.catch(error => error.message)).to.equal('given up')
  })
})
