import { expect } from 'chai'
import { EventFeed, type ServerEvent } from '../../src/server/event-feed.ts'

const lost = (events: number): ServerEvent => ({ type: 'lost', data: { events } })

describe('EventFeed', () => {
  it('tells each listener each event, with a number that counts up, until it has heard enough', () => {
    const feed = new EventFeed()
    const heard: [string, number][] = []
    expect(feed.listening).to.equal(false)
    feed.publish(lost(1))
    const end = feed.subscribe(({ type }, id) => heard.push([`a ${type}`, id]))
    const endOther = feed.subscribe(({ type }, id) => heard.push([`b ${type}`, id]))
    expect(feed.listening).to.equal(true)
    feed.publish(lost(2))
    end()
    feed.publish(lost(3))
    endOther()
    expect(feed.listening).to.equal(false)
    expect(heard).to.deep.equal([
      ['a lost', 1],
      ['b lost', 1],
      ['b lost', 2],
    ])
  })

  it('makes what is told each second only while somebody listens', () => {
    let made = 0
    const feed = new EventFeed({ periodic: () => [lost(++made)] })
    const heard: ServerEvent[] = []
    const end = feed.subscribe(event => heard.push(event))
    feed.publishPeriodic()
    end()
    expect(heard).to.deep.equal([lost(1)])
  })

  it('has no clock that ticks while nobody listens', () => {
    const { setInterval: start, clearInterval: stop } = globalThis
    const ticking = new Set<unknown>()
    globalThis.setInterval = ((...args: Parameters<typeof start>) => {
      const timer = start(...args)
      ticking.add(timer)
      return timer
    }) as typeof start
    globalThis.clearInterval = timer => {
      ticking.delete(timer)
      stop(timer)
    }
    try {
      const feed = new EventFeed()
      const ends = [feed.subscribe(() => {}), feed.subscribe(() => {})]
      ends[0]()
      expect(ticking.size).to.equal(1)
      ends[1]()
      expect(ticking.size).to.equal(0)
    } finally {
      globalThis.setInterval = start
      globalThis.clearInterval = stop
    }
  })

  it('reports what a listener throws, and tells the others all the same', () => {
    const errors: unknown[] = []
    const feed = new EventFeed({ onError: error => errors.push(error) })
    const heard: ServerEvent[] = []
    feed.subscribe(() => {
      throw new Error('oops')
    })
    feed.subscribe(event => heard.push(event))
    feed.publish(lost(1))
    feed.close()
    expect(heard).to.deep.equal([lost(1)])
    expect(errors).to.have.length(1)
  })
})
