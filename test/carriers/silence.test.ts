import { expect } from 'chai'
import { Silence, watchSilence } from '../../src/carriers/silence.ts'
import { until } from '../support/loopback.ts'

/** What so many turns say, from the first with as much read as there was before. */
const turns = (silence: Silence, count: number, read: number): string[] =>
  Array.from({ length: count }, () => silence.look(read))

describe('the silence of a peer', () => {
  it('is asked about three times, and ends it after sixteen turns: within 5 s where the limit is 4 s', () => {
    const silence = new Silence()
    expect(silence.look(100)).to.equal('heard')
    const quiet = ['quiet', 'quiet', 'quiet']
    expect(turns(silence, 16, 100)).to.deep.equal([...[1, 2, 3].flatMap(() => [...quiet, 'ask']), ...quiet, 'lost'])
    const turnMs = 4000 / 16
    expect((16 + 1) * turnMs).to.be.lessThan(5000)
  })

  it('is over with a single byte, and does not count while nothing is expected', () => {
    const silence = new Silence()
    silence.look(0)
    expect(turns(silence, 15, 0)).to.not.include('lost')
    expect(silence.look(1)).to.equal('heard')
    expect(turns(silence, 15, 1)).to.not.include('lost')
    expect(silence.look(undefined)).to.equal('heard')
    expect(silence.look(undefined)).to.equal('heard')
    expect(silence.look(1)).to.equal('heard')
    expect(turns(silence, 16, 1).at(-1)).to.equal('lost')
  })

  it('is not that of a process that is busy itself: a turn that comes late is one', async () => {
    let turnsTaken = 0
    let lost = false
    const stop = watchSilence({
      limitMs: 80,
      bytesRead: () => {
        turnsTaken++
        return 0
      },
      onLost: () => {
        lost = true
      },
    })
    await until(() => turnsTaken >= 2)
    // Four times the limit in which nothing could be read.
    const before = turnsTaken
    const end = performance.now() + 320
    while (performance.now() < end);
    await new Promise(setImmediate)
    expect(turnsTaken - before).to.be.at.most(1)
    expect(lost).to.equal(false)
    await until(() => lost)
    expect(turnsTaken).to.equal(17)
    stop()
  })

  it('is not watched any more once it was ended', async () => {
    const asked: string[] = []
    const options = { limitMs: 16, bytesRead: () => 0 }
    watchSilence({ ...options, onLost: () => asked.push('ended') })()
    watchSilence({ ...options, ask: () => asked.push('ask'), onLost: () => asked.push('lost') })
    await until(() => asked.includes('lost'))
    await new Promise(resolve => setTimeout(resolve, 50))
    expect(asked).to.deep.equal(['ask', 'ask', 'ask', 'lost'])
  })
})
