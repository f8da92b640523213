import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { Refusal } from '../../../../labs/kit/classroom/class-state.ts'
import { type Relay, startRelay } from '../../../../labs/kit/classroom/relay.ts'
import { RELAY_LIMITS, RelayState, type RelayView } from '../../../../labs/kit/classroom/relay-state.ts'
import { type ClassroomServer, startClassroom } from '../../../../labs/kit/classroom/server.ts'
import { Classroom } from '../../../../labs/kit/run/classroom.ts'
import { measureRelay } from '../../../../labs/kit/run/relay.ts'
import { RELAY_PLAN, type RelayOffer } from '../../../../labs/kit/run/relay-plan.ts'
import { ClientError } from '../../../../src/client/errors.ts'
import type { ServerStatus } from '../../../../src/server/status.ts'
import { failure, until } from '../../../support/loopback.ts'
import { sampleLab, sampleTask } from '../sample-lab.ts'

describe('a relay measurement', () => {
  describe('as it counts', () => {
    let now: number
    let state: RelayState
    beforeEach(() => {
      now = 1e12
      state = new RelayState(() => now)
    })
    const view = () => state.view(id => (id === 'gone' ? undefined : `s${id}`))
    const told = (medianMs: number | null, slowestMs: number | null, bitsPerSecond: number) => ({
      medianMs,
      slowestMs,
      bitsPerSecond,
    })

    it('shows each tunnel, and of those that are open the sum, the median and the slowest', () => {
      for (const id of ['1', '2', '3', 'gone']) state.start(id)
      state.report('1', told(10, 20, 1000))
      now += 4000
      state.report('2', told(30, 90, 2000))
      state.report('3', told(null, null, 0))
      state.report('gone', told(1, 1, 1))
      expect(view()).to.deep.include({ open: 3, bitsPerSecond: 3000, medianMs: 20, slowestMs: 90 })
      now += 4000
      expect(view()).to.deep.include({ open: 2, bitsPerSecond: 2000, medianMs: 30, slowestMs: 90 })
      expect(view().tunnels).to.deep.equal([
        { alias: 's1', open: false, ...told(10, 20, 0) },
        { alias: 's2', open: true, ...told(30, 90, 2000) },
        { alias: 's3', open: true, ...told(null, null, 0) },
      ])
    })

    it('refuses what cannot be, what comes too often or too late, and more tunnels than it takes', () => {
      const refused = (status: number, action: () => void, why?: string) =>
        expect(action, why).to.throw().with.property('status', status)
      refused(409, () => state.report('1', told(1, 1, 1)))
      state.start('1')
      const wrong: unknown[] = [
        undefined,
        [],
        {},
        told(-1, 1, 1),
        told(1, Number.NaN, 1),
        told(1, 10 * RELAY_PLAN.timeoutMs + 1, 1),
        told(1, 1, 1e9),
        { ...told(1, 1, 1), bitsPerSecond: '1' },
      ]
      for (const given of wrong) refused(400, () => state.report('1', given), JSON.stringify(given))
      expect(view().tunnels).to.deep.equal([{ alias: 's1', open: true, ...told(null, null, 0) }])
      refused(429, () => {
        for (let i = 0; i <= RELAY_LIMITS.reports; i++) state.report('1', told(1, 1, 1))
      })
      // Starting anew does not begin a new minute.
      refused(429, () => state.start('1'))
      now += 60_000
      refused(409, () => state.report('1', told(1, 1, 1)))
      refused(429, () => {
        for (let id = 10; id < 10 + RELAY_LIMITS.students; id++) state.start(String(id))
      })
      expect(view().tunnels.length).to.equal(RELAY_LIMITS.students)
      state.leave('10')
      state.start('again')
    })
  })

  it('has so many places and no more, and an account keeps the one that it has', async () => {
    const relay = await startRelay()
    try {
      const tokens = Array.from({ length: RELAY_LIMITS.students }, (_, id) => relay.offerTo(String(id)).token)
      expect(new Set(tokens).size).to.equal(RELAY_LIMITS.students)
      expect(() => relay.offerTo('one more')).to.throw(Refusal, 'the relay is full (200)')
      expect(relay.offerTo('7').token).to.equal(tokens[7])
    } finally {
      await relay.close()
    }
  })

  describe('over real tunnels', () => {
    let relay: Relay
    let server: ClassroomServer
    let folder: string
    let uid: number
    before(async () => {
      relay = await startRelay()
    })
    after(() => relay.close())
    beforeEach(async () => {
      server = await startClassroom({ labs: [sampleLab([sampleTask()])], port: 0, relay, whoIs: () => uid })
      folder = mkdtempSync(join(tmpdir(), 'masque-relay-test-'))
    })
    afterEach(async () => {
      await server.close()
      rmSync(folder, { recursive: true, force: true })
    })
    const port = () => Number(new URL(server.url).port)
    const seen = async () => (await (await fetch(`${server.url}/relay.json`)).json()) as RelayView

    /** As that student; one after the other, because here all of them are one user. */
    let turn: Promise<unknown> = Promise.resolve()
    function post(id: number, path: string, body: object): Promise<Response> {
      const headers = { 'Content-Type': 'application/json' }
      const answer = turn.then(() => {
        uid = id
        return fetch(server.url + path, { method: 'POST', headers, body: JSON.stringify(body) })
      })
      turn = answer.catch(() => {})
      return answer
    }

    it('shows the tunnels of three students at once, each with its round trips and what flows', async () => {
      const stop = new AbortController()
      const names = ['Ada', 'Bob', 'Eve']
      const running = names.map(async (alias, i) => {
        const id = 1001 + i
        await post(id, '/join', { alias })
        const offer = (await (await post(id, '/relay', {})).json()) as RelayOffer
        return await measureRelay(offer, report => post(id, '/relay/reports', report), {
          signal: stop.signal,
          seconds: 600,
        })
      })
      // What the proxy says itself: three at the same time.
      await until(async () => {
        const answer = await fetch(new URL('/api/v1/status', relay.liveUrl))
        return ((await answer.json()) as ServerStatus).tunnels === 3
      })
      // At one moment: in a second in which the machine has stood still, nobody has measured anything.
      let tunnels: RelayView['tunnels'] = []
      await until(async () => {
        tunnels = (await seen()).tunnels
        return tunnels.filter(({ medianMs }) => medianMs !== null).length === 3
      })
      stop.abort()
      const results = await Promise.all(running)
      expect(tunnels.map(({ alias }) => alias)).to.deep.equal(names)
      for (const { slowestMs, medianMs } of tunnels) expect(slowestMs).to.be.at.least(medianMs as number)
      for (const { rtts, sent } of results) {
        expect(rtts.length).to.be.within(1, sent)
        for (const rtt of rtts) expect(rtt).to.be.at.least(0)
      }
      const left = readdirSync(tmpdir()).filter(name => name.startsWith('masque-relay-client-'))
      expect(left.filter(name => name.includes(`-${process.pid}-`))).to.deep.equal([])
    })

    it('is told by the program of a student who has joined, and by no other', async () => {
      uid = 1001
      const stop = new AbortController()
      const classroom = new Classroom(folder)
      expect(await classroom.relay()).to.equal('join the classroom first: npm run lab -- --join CODE')
      await until(async () => (await classroom.join({ port: port(), alias: 'Ada' })) === undefined)
      const running = (async () => {
        for (;;) {
          const result = await classroom.relay({ signal: stop.signal, seconds: 600 })
          // A busy machine has not answered in time.
          if (typeof result !== 'string' || !result.startsWith('there is no classroom')) return result
        }
      })()
      await until(async () => (await seen()).tunnels.some(({ medianMs }) => medianMs !== null))
      stop.abort()
      expect(await running).to.include.keys('rtts', 'sent')
    })

    it('gives each account tunnels of its own: one more is refused in a sentence, and others have theirs', async () => {
      const stop = new AbortController()
      const offerOf = async (id: number): Promise<RelayOffer> => {
        await post(id, '/join', { alias: `s${id}` })
        return (await (await post(id, '/relay', {})).json()) as RelayOffer
      }
      const running: Promise<unknown>[] = []
      const open = (offer: RelayOffer) =>
        new Promise<void>((resolve, reject) => {
          const measuring = measureRelay(offer, () => resolve(), { signal: stop.signal, seconds: 600 })
          running.push(measuring)
          measuring.then(() => resolve(), reject)
        })
      const greedy = await offerOf(2001)
      expect(await offerOf(2001)).to.deep.equal(greedy)
      for (let i = 0; i < RELAY_PLAN.tunnelsEach; i++) await open(greedy)
      uid = 2001
      const classroom = new Classroom(folder)
      await until(async () => (await classroom.join({ port: port(), alias: 's2001' })) === undefined)
      let said: unknown
      await until(async () => {
        said = await classroom.relay({ seconds: 1 })
        return typeof said === 'string' && !said.startsWith('there is no classroom')
      })
      expect(said).to.match(/^an account has 2 tunnels to the relay at most, and yours are open: end another/)
      const other = await offerOf(2002)
      expect(other.token).not.to.equal(greedy.token)
      await open(other)
      stop.abort()
      await Promise.all(running)
    })

    it('lets nobody in whom the classroom has not given a place, however many tunnels are free', async () => {
      const { port, ca } = relay.offerTo('3001')
      const strange = { port, ca, token: 'a'.repeat(32) }
      expect(
        await failure(
          measureRelay(strange, () => {}),
          ClientError,
        ),
      ).to.include({ kind: 'http', status: 401 })
    })

    it('is refused to who has not joined, and where there is none', async () => {
      uid = 1001
      const ask = async (path: string) =>
        (
          await fetch(server.url + path, {
            method: 'POST',
            body: '{}',
            headers: { 'Content-Type': 'application/json' },
          })
        ).status
      expect(await ask('/relay')).to.equal(409)
      expect(await ask('/relay/reports')).to.equal(409)
      expect((await seen()).tunnels).to.deep.equal([])
      await server.close()
      server = await startClassroom({ labs: [sampleLab([sampleTask()])], port: 0, whoIs: () => uid })
      expect(await ask('/relay')).to.equal(404)
      expect(await seen()).to.equal(null)
      const classroom = new Classroom(folder)
      await until(async () => (await classroom.join({ port: port(), alias: 'Ada' })) === undefined)
      await until(async () =>
        String(await classroom.relay()).startsWith('the classroom says: no relay measurement runs'),
      )
    })
  })
})
