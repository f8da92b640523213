import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import { until } from '../../support/loopback.ts'
import { module } from './modules.ts'

const { EventParser, EventStream } = await module('event-stream.mjs')

interface State {
  state: string
  since?: number
  why?: string
}

describe('the event stream of the live view', () => {
  it('is cut into events, however the network has split it', () => {
    const text =
      'retry: 2000\n\nevent: status\nid: 1\ndata: {"a":1}\n\n: nothing new\n\nevent: clients\r\ndata: [\r\ndata: ]\r\n\r\n'
    const expected = [
      { type: 'status', data: '{"a":1}' },
      { type: 'clients', data: '[\n]' },
    ]
    for (let cut = 0; cut <= text.length; cut++) {
      const parser = new EventParser()
      expect([...parser.push(text.slice(0, cut)), ...parser.push(text.slice(cut))], `cut at ${cut}`).to.deep.equal(
        expected,
      )
    }
  })

  it('is given up when an event has no end', () => {
    const parser = new EventParser()
    expect(() => {
      for (let i = 0; i < 100; i++) parser.push('x'.repeat(100_000))
    }).to.throw(RangeError)
  })

  describe('from a server', () => {
    let server: Server
    let answer: (response: ServerResponse) => void
    let stream: { run(): Promise<void>; stop(): void } | undefined
    let states: State[]
    let events: [string, unknown][]

    beforeEach(async () => {
      states = []
      events = []
      server = createServer((_request, response) => answer(response)).listen(0, '127.0.0.1')
      await until(() => server.listening)
    })
    afterEach(async () => {
      stream?.stop()
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    })

    function read(): void {
      stream = new EventStream(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`, {
        onEvent: (type: string, data: unknown) => events.push([type, data]),
        onState: (state: State) => states.push(state),
      })
      stream?.run()
    }

    it('is read again after it has broken, and says since when what is shown is old', async () => {
      let connections = 0
      answer = response => {
        response.writeHead(200, { 'content-type': 'text/event-stream' })
        response.write(`event: n\ndata: ${++connections}\n\n`)
        if (connections === 1) setTimeout(() => response.destroy(), 20)
      }
      const before = Date.now()
      read()
      await until(() => events.length === 2)
      expect(events).to.deep.equal([
        ['n', 1],
        ['n', 2],
      ])
      expect(states.map(({ state }) => state)).to.deep.equal(['live', 'old', 'live'])
      expect(states[1].since).to.be.within(before, Date.now())
    })

    it('is refused with a status: it says which, and tries again', async () => {
      let asked = 0
      answer = response => {
        asked++
        response.writeHead(503).end()
      }
      read()
      await until(() => asked >= 2)
      expect(states[0]).to.deep.equal({ state: 'old', since: undefined, why: 'the proxy answers with status 503' })
    })

    it('that is none of a proxy is left, and nothing of it is shown', async () => {
      answer = response => response.writeHead(200).end('event: n\ndata: <html>\n\n')
      read()
      await until(() => states.length > 0)
      expect(events).to.deep.equal([])
      expect(states[0].why).to.equal('what comes is not from the proxy')
    })
  })
})
