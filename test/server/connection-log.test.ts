import { expect } from 'chai'
import { CONNECTION_LOG_LENGTH, ConnectionLog } from '../../src/server/connection-log.ts'
import { EventFeed, type ServerEvent } from '../../src/server/event-feed.ts'

const connection = { id: 'aa', remote: { host: '127.0.0.1', port: 50_000 } }

describe('ConnectionLog', () => {
  it('keeps the newest entries, as many as its bound says, and gives the newest first', () => {
    const log = new ConnectionLog(new EventFeed())
    for (let i = 0; i < CONNECTION_LOG_LENGTH + 5; i++) log.add('connected', connection, undefined, `${i}`)
    const entries = [...log.entries()]
    expect(entries).to.have.length(CONNECTION_LOG_LENGTH)
    expect(entries[0]).to.include({ seq: CONNECTION_LOG_LENGTH + 5, detail: `${CONNECTION_LOG_LENGTH + 4}` })
    expect(entries.at(-1)).to.include({ seq: 6, detail: '5', remote: '127.0.0.1:50000' })
  })

  it('makes an entry only when it is read, and of those that fit', () => {
    const log = new ConnectionLog(new EventFeed())
    let made = 0
    const counted = {
      id: 'aa',
      remote: {
        get host() {
          made++
          return '127.0.0.1'
        },
        port: 1,
      },
    }
    for (let i = 0; i < 9; i++) log.add(i % 3 === 0 ? 'closed' : 'moved', counted, undefined, `${i}`)
    const [first] = log.entries(({ event }) => event === 'closed')
    expect([first.detail, made]).to.deep.equal(['6', 1])
  })

  it('tells the feed what happens, when somebody listens', () => {
    const feed = new EventFeed()
    const log = new ConnectionLog(feed)
    const heard: ServerEvent[] = []
    log.add('connected', connection, undefined, 'before')
    feed.subscribe(event => heard.push(event))
    log.add('closed', connection, 'alice', 'after')
    feed.close()
    expect(heard.map(({ type, data }) => [type, data])).to.deep.equal([['connection', [...log.entries()][0]]])
  })
})
