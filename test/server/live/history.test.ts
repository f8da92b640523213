import { expect } from 'chai'
import { module } from './modules.ts'

const { History, SAMPLES } = await module('history.mjs')

const status = (fromClients: number, toClients = 0) => ({ bytes: { fromClients, toClients } })

function client(id: string, received: number, quic?: { rttMs?: number; lost?: number; sent?: number }) {
  return {
    id,
    bytes: { received, sent: 0 },
    ...(quic !== undefined && { quic: { rttMs: 0, lost: 0, sent: 0, ...quic } }),
  }
}

describe('the history of the live view', () => {
  it('makes bit/s of what is counted from one sample to the next, by the time between them', () => {
    const history = new History()
    history.add(10, status(0), [client('a', 0)])
    history.add(11, status(1000, 250), [client('a', 1000)])
    history.add(13, status(3000, 250), [client('a', 1500)])
    expect(history.all.fromClients).to.deep.equal([null, 8000, 8000])
    expect(history.all.toClients).to.deep.equal([null, 2000, 0])
    expect(history.of('a').fromClients).to.deep.equal([null, 8000, 2000])
  })

  it('has a gap where nobody has looked for a while, and not the mean of what nobody has seen', () => {
    const history = new History()
    for (const at of [1, 2, 30, 31]) history.add(at, status(at * 1000), [client('a', at * 1000)])
    expect(history.all.fromClients).to.deep.equal([null, 8000, null, 8000])
    expect(history.of('a').fromClients).to.deep.equal([null, 8000, null, 8000])
  })

  it('leaves out what comes right behind another sample', () => {
    const history = new History()
    for (const at of [1, 1.01, 2]) history.add(at, status(at * 1000), [])
    expect(history.all.times).to.deep.equal([1, 2])
    expect(history.all.fromClients).to.deep.equal([null, 8000])
  })

  it('begins anew with another proxy, whose clock and counters begin at 0', () => {
    const history = new History()
    for (const at of [100, 101]) history.add(at, status(at * 1000), [client('a', at)])
    history.add(1, status(0), [client('b', 5)])
    expect(history.all.times).to.deep.equal([1])
    expect(history.all.fromClients).to.deep.equal([null])
    expect(history.of('a')).to.equal(undefined)
    expect(history.size).to.equal(1)
  })

  it('has the loss of the last five seconds: lost of those sent', () => {
    const history = new History()
    for (let at = 0; at <= 10; at++) {
      // 100 packets a second; in the fourth second, 10 are lost.
      history.add(at, status(0), [client('a', 0, { sent: at * 100, lost: at >= 4 ? 10 : 0 })])
    }
    const { loss } = history.of('a')
    expect(loss.slice(0, 3)).to.deep.equal([null, null, 0])
    expect(loss[4]).to.be.closeTo(10 / 300, 1e-9)
    expect(loss.at(-1)).to.equal(0)
  })

  it('has no loss where nothing is sent, and no round trip where QUIC does not measure any', () => {
    const history = new History()
    for (const at of [0, 1, 2]) history.add(at, status(0), [client('a', 0, { sent: 7 }), client('b', 0)])
    expect(history.all.last('loss')).to.equal(null)
    expect(history.all.last('rtt')).to.equal(0)
    expect(history.of('b').last('rtt')).to.equal(null)
  })

  it('has the median and the longest of the round trips', () => {
    const history = new History()
    const clients = [3, 1, 50, 2].map(rttMs => client(`c${rttMs}`, 0, { rttMs }))
    history.add(1, status(0), [...clients, client('tcp', 0)])
    expect(history.all.rtt).to.deep.equal([2.5])
    expect(history.all.rttWorst).to.deep.equal([50])
  })

  it('is no longer than two minutes, and has only clients that are there', () => {
    const history = new History()
    for (let at = 0; at < 1000; at++) history.add(at, status(at), [client(`c${at >> 2}`, at)])
    expect(history.size).to.equal(1)
    expect(history.all.times).to.have.length(SAMPLES)
    for (const line of ['fromClients', 'toClients', 'rtt', 'rttWorst', 'loss'])
      expect(history.all[line]).to.have.length(SAMPLES)
    expect(history.all.times[0]).to.equal(1000 - SAMPLES)
  })

  it('takes a client whose counters have gone back for another one of the same name', () => {
    const history = new History()
    for (const [at, received] of [
      [1, 5000],
      [2, 10],
      [3, 1010],
    ])
      history.add(at, status(0), [client('a', received)])
    expect(history.of('a').fromClients).to.deep.equal([null, null, 8000])
  })
})
