import { EventEmitter } from 'node:events'
import { request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { expect } from 'chai'
import type { Request, Response } from 'express'
import type { PacketSample } from '../../../src/live/packet-sample.ts'
import { EVENT_STREAM_LIMITS, EventStreams } from '../../../src/server/api/event-stream.ts'
import { type ApiServer, startApiServer } from '../../../src/server/api-server.ts'
import { EventFeed, type EventType } from '../../../src/server/event-feed.ts'
import { ServerMetrics } from '../../../src/server/metrics.ts'
import type { ServerStatus } from '../../../src/server/status.ts'
import { until } from '../../support/loopback.ts'
import { FakeApiSource } from '../fake-api-source.ts'

interface Told {
  event: string
  id: number
  data: unknown
}

/** Reads events as a browser does: https://html.spec.whatwg.org/multipage/server-sent-events.html */
class EventReader {
  readonly told: Told[] = []
  status = 0
  contentType: string | undefined
  ended = false
  end!: () => void
  #rest = ''

  static async open(url: string): Promise<EventReader> {
    const reader = new EventReader()
    await new Promise<void>((resolve, reject) => {
      const asked = request(url, response => {
        reader.status = response.statusCode as number
        reader.contentType = response.headers['content-type']
        response.setEncoding('utf8')
        response.on('data', chunk => reader.#read(chunk))
        response.on('close', () => {
          reader.ended = true
        })
        resolve()
      })
      asked.on('error', reject)
      asked.end()
      reader.end = () => asked.destroy()
    })
    return reader
  }

  #read(chunk: string): void {
    const blocks = (this.#rest + chunk).split('\n\n')
    this.#rest = blocks.pop() as string
    for (const block of blocks) {
      const fields = new Map(block.split('\n').map(line => line.split(/: (.*)/s) as [string, string]))
      if (!fields.has('event')) continue
      this.told.push({
        event: fields.get('event') as string,
        id: Number(fields.get('id')),
        data: JSON.parse(fields.get('data') as string),
      })
    }
  }
}

const packet: PacketSample = {
  at: 0,
  client: 'aa/0',
  identity: undefined,
  direction: 'from-client',
  carrier: 'h3',
  encapsulation: 'datagram',
  streamId: 0,
  payload: 'AEU=',
  length: 84,
}
const entry = { seq: 1, at: '2026-01-01T00:00:00.000Z', event: 'connected', id: 'aa', remote: '127.0.0.1:1' } as const

describe('GET /api/v1/events', () => {
  let source: FakeApiSource
  let events: EventFeed
  let api: ApiServer
  const open: { end(): void }[] = []

  beforeEach(async () => {
    source = new FakeApiSource()
    events = new EventFeed({
      periodic: () => [
        { type: 'status', data: source.status() },
        { type: 'clients', data: source.clients() },
      ],
    })
    // What comes each second would come in between, on a machine that is busy for so long.
    events.publishPeriodic = () => {}
    api = await startApiServer({ host: '127.0.0.1', port: 0, source, metrics: new ServerMetrics(source), events })
  })
  afterEach(async () => {
    for (const reader of open.splice(0)) reader.end()
    await api.close()
    events.close()
  })

  async function listen(query = ''): Promise<EventReader> {
    const reader = await EventReader.open(`${api.url}/api/v1/events${query}`)
    open.push(reader)
    return reader
  }

  /** A listener that asks and then never reads a byte. */
  async function deafListener(query: string): Promise<Socket> {
    const socket = connect(Number(new URL(api.url).port), '127.0.0.1')
    // It may be closed at once.
    socket.on('error', () => {})
    open.push({ end: () => socket.destroy() })
    await new Promise(resolve => socket.once('connect', resolve))
    socket.write(`GET /api/v1/events${query} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
    return socket
  }

  it('shows status and clients at once, and then what happens, with its number', async () => {
    const reader = await listen()
    expect([reader.status, reader.contentType]).to.deep.equal([200, 'text/event-stream; charset=utf-8'])
    await until(() => reader.told.length === 2)
    expect(reader.told.map(({ event, data }) => [event, data])).to.deep.equal([
      ['status', source.currentStatus],
      ['clients', source.currentClients],
    ])
    events.publish({ type: 'connection', data: entry })
    await until(() => reader.told.length === 3)
    expect(reader.told[2]).to.deep.equal({ event: 'connection', id: 1, data: entry })
  })

  it('sends only the types that were asked for, to each what it wants', async () => {
    const [connections, packets] = await Promise.all([listen('?types=connection'), listen('?types=packet,capsule')])
    await until(() => events.listening)
    events.publish({ type: 'connection', data: entry })
    events.publish({ type: 'packet', data: packet })
    events.publish({ type: 'capsule', data: { ...packet, capsule: 'ADDRESS_ASSIGN', entries: [], count: 0 } })
    await until(() => connections.told.length > 0 && packets.told.length > 1)
    expect(connections.told.map(({ event }) => event)).to.deep.equal(['connection'])
    expect(packets.told.map(({ event, id }) => [event, id])).to.deep.equal([
      ['packet', 2],
      ['capsule', 3],
    ])
  })

  it('refuses types that there are not', async () => {
    for (const types of ['lost', 'x', '', 'status,', 'status,x', 'status&types=clients']) {
      expect((await listen(`?types=${types}`)).status, types).to.equal(400)
    }
  })

  it('stops to be made when the last listener has gone', async () => {
    const reader = await listen()
    await until(() => events.listening)
    reader.end()
    await until(() => !events.listening)
  })

  it('AT-35 leaves out what a listener does not read, which takes no more memory for that, and tells it how much when it reads again', async () => {
    const reader = await listen('?types=packet')
    const deaf = await deafListener('?types=packet')
    // On a busy machine what is published now might else be written before anybody has looked at its request.
    await new Promise(resolve => deaf.once('readable', resolve))
    const data = { ...packet, payload: 'x'.repeat(40_000) }
    let published = 0
    // The system's own buffers take some megabytes first.
    for (let round = 0; round < 20; round++) {
      for (let i = 0; i < 12; i++, published++) events.publish({ type: 'packet', data })
      await until(() => reader.told.length === published)
    }
    deaf.resume()
    let text = ''
    deaf.setEncoding('latin1').on('data', chunk => {
      text += chunk
    })
    await until(async () => {
      events.publish({ type: 'packet', data: packet })
      published++
      await until(() => reader.told.length === published)
      return text.includes('event: lost')
    })
    // It may fall behind once more while it reads.
    const lost = (): number =>
      [...text.matchAll(/event: lost\nid: \d+\ndata: \{"events":(\d+)\}/g)].reduce((sum, [, n]) => sum + Number(n), 0)
    await until(() => lost() + text.split('event: packet').length - 1 === published)
    expect(lost()).to.be.greaterThan(0)
    expect(reader.told.filter(({ event }) => event === 'lost')).to.deep.equal([])
  })

  it('AT-35 has no more listeners than its bound; of a thousand that never read most are refused, and others hear as before', async () => {
    const { perLoopbackAddress } = EVENT_STREAM_LIMITS
    const reader = await listen('?types=connection')
    const heads = await Promise.all(
      Array.from({ length: 1000 }, async () => {
        const socket = await deafListener('?types=connection')
        return new Promise<string>(resolve => {
          socket.once('data', data => {
            socket.pause()
            resolve(String(data).slice(0, 12))
          })
          socket.once('close', () => resolve('closed'))
        })
      }),
    )
    const count = (head: string): number => heads.filter(found => found === head).length
    expect(count('HTTP/1.1 200')).to.equal(perLoopbackAddress - 1)
    events.publish({ type: 'connection', data: entry })
    await until(() => reader.told.length === 1)
  })

  it('answers HEAD with the head alone', async () => {
    const status = await new Promise(resolve => {
      request(`${api.url}/api/v1/events`, { method: 'HEAD' }, response => {
        response.resume()
        response.on('end', () => resolve(response.statusCode))
      }).end()
    })
    expect(status).to.equal(200)
    expect(events.listening).to.equal(false)
  })
})

/** What the API writes to somebody, and how much of it waits. */
class FakeResponse extends EventEmitter {
  written = ''
  writableLength = 0
  destroyed = false

  status = (): this => this
  set = (): this => this
  flushHeaders = (): void => {}
  write = (text: string): void => {
    this.written += text
  }
  destroy = (): void => {
    this.destroyed = true
    this.emit('close')
  }
}

describe('listeners to events', () => {
  const { listeners, perAddress, stalledMs, gathered, gatheredText } = EVENT_STREAM_LIMITS
  let now: number
  let feed: EventFeed
  let streams: EventStreams
  const open: FakeResponse[] = []

  beforeEach(() => {
    now = 0
    feed = new EventFeed()
    streams = new EventStreams(feed, () => now)
  })
  afterEach(() => {
    for (const response of open.splice(0)) response.destroy()
    feed.close()
  })

  const from = (remoteAddress: string) => ({ method: 'GET', socket: { remoteAddress } }) as unknown as Request
  const fullness = (address: string) => streams.fullness(from(address))
  /** Undefined: there was no place. */
  function listen(address: string, types: EventType[] = ['packet']): FakeResponse | undefined {
    if (fullness(address) !== undefined) return undefined
    const response = new FakeResponse()
    open.push(response)
    streams.open(from(address), response as unknown as Response, types)
    return response
  }
  /** Until what was published has been written. */
  async function publish(to: FakeResponse): Promise<void> {
    const before = to.written.length
    feed.publish({ type: 'packet', data: packet })
    await until(() => to.written.length > before)
  }

  it('AT-35 hear what there is from one answer while that is not much older than it took to make, each what he wants', () => {
    let made = 0
    feed.close()
    feed = new EventFeed({
      periodic: () => {
        made++
        now += 3
        return [{ type: 'status', data: { made } as unknown as ServerStatus }]
      },
    })
    streams = new EventStreams(feed, () => now)
    const heard = (types: EventType[]) => listen('192.0.2.1', types)?.written ?? ''
    expect(heard(['status'])).to.match(/"made":1/)
    now += 29
    expect(heard(['status'])).to.match(/"made":1/)
    expect(heard(['connection'])).not.to.include('made')
    now += 30
    expect(heard(['status'])).to.match(/"made":3/)
  })

  it('from one address, or from a /64 of IPv6, are no more than its bound, nor are all of them', () => {
    for (const network of ['192.0.2.1', '2001:db8::']) {
      const addresses = Array.from({ length: perAddress + 1 }, (_, i) => network + (network.endsWith(':') ? i : ''))
      const found = addresses.map(address => listen(address))
      expect(found.filter(response => response === undefined)).to.have.length(1)
      expect(fullness(addresses[0])).to.equal(`${perAddress} listeners from this address`)
    }
    expect(fullness('2001:db8:0:1::')).to.equal(undefined)
    for (let i = 0; streams.listeners < listeners; i++) listen(`198.51.100.${i}`)
    expect(fullness('203.0.113.1')).to.equal(`${listeners} listeners`)
    open[0].destroy()
    expect(fullness('203.0.113.1')).to.equal(undefined)
  })

  it('that do not read make room for others, the one that has not for the longest time first, and are given up after a minute', async () => {
    const [first, second, reader] = Array.from({ length: perAddress }, () => listen('192.0.2.1') as FakeResponse)
    second.writableLength = Number.POSITIVE_INFINITY
    await publish(reader)
    now = 10_000
    first.writableLength = Number.POSITIVE_INFINITY
    await publish(reader)
    expect(fullness('192.0.2.1')).to.equal(undefined)
    expect([first.destroyed, second.destroyed]).to.deep.equal([false, true])
    now += stalledMs - 1
    await publish(reader)
    expect(first.destroyed).to.equal(false)
    now++
    await publish(reader)
    expect(first.destroyed).to.equal(true)
    expect(open.filter(({ destroyed }) => destroyed)).to.have.length(2)
  })

  it('hear how many events were left out, since too many came at once or too long ones, and of no others', async () => {
    const [packets, connections] = [listen('192.0.2.1'), listen('192.0.2.1', ['connection'])] as FakeResponse[]
    for (let i = 0; i < gathered + 7; i++) feed.publish({ type: 'packet', data: packet })
    await until(() => packets.written.includes('event: packet'))
    expect(packets.written.split('event: packet').length - 1).to.equal(gathered)
    expect(packets.written).to.include('{"events":7}')
    const long = { ...packet, payload: 'x'.repeat(gatheredText / 2) }
    for (let i = 0; i < 5; i++) feed.publish({ type: 'packet', data: long })
    await until(() => packets.written.includes('xx'))
    expect(packets.written).to.include('{"events":3}')
    feed.publish({ type: 'connection', data: entry })
    await until(() => connections.written.includes('event: connection'))
    expect(connections.written).to.not.include('event: lost')
  })
})
