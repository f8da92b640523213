import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { get } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { CLASS_LIMITS, ClassState } from '../../../../labs/kit/classroom/class-state.ts'
import { peerUser } from '../../../../labs/kit/classroom/peer-user.ts'
import { type ClassroomServer, startClassroom } from '../../../../labs/kit/classroom/server.ts'
import { printChecks, printTask } from '../../../../labs/kit/plain/plain.ts'
import { Classroom, isAlias } from '../../../../labs/kit/run/classroom.ts'
import type { TaskResult } from '../../../../labs/kit/run/engine.ts'
import { ProgressStore } from '../../../../labs/kit/run/progress.ts'
import { until } from '../../../support/loopback.ts'
import { sampleLab, sampleRoot, sampleTask } from '../sample-lab.ts'

const MINUTE_MS = 60_000
const LAB = 'lab-99-sample'

describe('the classroom', () => {
  const lab = sampleLab([sampleTask(), sampleTask({ id: 'second', title: 'The second task' })])

  describe('as it counts', () => {
    let now: number
    let state: ClassState
    beforeEach(() => {
      now = 1e12
      state = new ClassState([lab], { now: () => now })
    })
    const report = (id: string, what: string, more: object = {}) =>
      state.report(id, { alias: `s${id}`, lab: LAB, task: 'first', what, ...more })

    it('knows who is at which task, who is stuck, and the median time to the first success', () => {
      for (const id of ['1', '2', '3', '4']) report(id, 'opened')
      now += 10 * MINUTE_MS
      report('1', 'passed')
      now += 20 * MINUTE_MS
      report('2', 'passed')
      report('2', 'opened', { task: 'second' })
      for (let tried = 0; tried < 3; tried++) report('3', 'failed')
      const [first, second] = state.view().tasks
      expect(first).to.deep.include({
        number: '99.1',
        here: 3,
        solved: 2,
        stuck: 1,
        medianMinutes: 20,
        names: ['s1', 's3', 's4'],
      })
      expect(second).to.deep.include({
        number: '99.2',
        here: 1,
        solved: 0,
        stuck: 0,
        medianMinutes: null,
        names: ['s2'],
      })
      expect(state.view()).to.include({ students: 4, solved: 2, leaderboard: null })
    })

    it('shows a misconception that two have, and nothing that a single student sends', () => {
      for (let sent = 0; sent < 5; sent++) report('1', 'failed', { misconception: 'Bytes are bits.' })
      expect(state.view().misconceptions).to.deep.equal([])
      report('2', 'failed', { misconception: 'Bytes are bits.' })
      expect(state.view().misconceptions).to.deep.equal([
        { task: `${LAB}/first`, number: '99.1', text: 'Bytes are bits.', students: 2 },
      ])
      state.leave('2')
      expect(state.view()).to.deep.include({ students: 1, misconceptions: [] })
    })

    it('has a leaderboard only where it is switched on', () => {
      state = new ClassState([lab], { leaderboard: true, now: () => now })
      report('1', 'opened')
      report('2', 'passed')
      expect(state.view().leaderboard).to.deep.equal([
        { alias: 's2', solved: 1 },
        { alias: 's1', solved: 0 },
      ])
    })

    it('refuses what it does not know, and stays small whatever it is sent', () => {
      const refused: unknown[] = [
        undefined,
        'x',
        [],
        { alias: 'a', lab: LAB, task: 'third', what: 'passed' },
        { alias: 'a', lab: '__proto__', task: 'first', what: 'passed' },
        { alias: 'a', lab: LAB, task: 'first', what: 'graded' },
        { alias: '<b>a</b>', lab: LAB, task: 'first', what: 'passed' },
        { alias: '=1+1', lab: LAB, task: 'first', what: 'passed' },
        { alias: 'a', lab: LAB, task: 'first', what: 'failed', misconception: 'x'.repeat(401) },
      ]
      for (const told of refused)
        expect(() => state.report('1', told), JSON.stringify(told))
          .to.throw()
          .with.property('status', 400)
      expect(state.view().students).to.equal(0)
      for (let sent = 0; sent < 100; sent++) report('1', 'failed', { misconception: `nonsense ${sent}` })
      for (let sent = 0; sent < 100; sent++) {
        if (sent === 50) now += MINUTE_MS
        report(sent < 60 ? '2' : '3', 'failed', { misconception: `nonsense ${sent}` })
      }
      // Of a hundred that two have sent, those that fit.
      expect(state.view().misconceptions.length).to.be.at.most(8)
      expect(() => {
        for (let sent = 0; sent <= CLASS_LIMITS.reports; sent++) report('1', 'opened')
      })
        .to.throw()
        .with.property('status', 429)
      expect(() => {
        for (let id = 10; id < 10 + CLASS_LIMITS.students; id++) state.join(String(id), { alias: `s${id}` })
      })
        .to.throw()
        .with.property('status', 429)
      expect(() => state.join('1', { alias: 's2' }))
        .to.throw()
        .with.property('status', 409)
    })

    it('counts somebody as stuck from the third failure on, and nothing of a task that has been solved', () => {
      for (let tried = 0; tried < 2; tried++) report('1', 'failed')
      expect(state.view().tasks[0].stuck).to.equal(0)
      report('1', 'failed')
      expect(state.view().tasks[0].stuck).to.equal(1)
      now += MINUTE_MS
      report('1', 'passed')
      now += MINUTE_MS
      report('1', 'failed')
      report('1', 'passed')
      expect(state.view().tasks[0]).to.include({ stuck: 0, medianMinutes: 1 })
      expect(state.csv().split('\r\n')[1]).to.include(',3,')
    })

    it('remembers so many misconceptions of a task and no more, and counts who joins again and again', () => {
      const { misconceptions, reports } = CLASS_LIMITS
      for (let sent = 0; sent <= misconceptions; sent++) report('1', 'failed', { misconception: `nonsense ${sent}` })
      for (const sent of [0, misconceptions]) report('2', 'failed', { misconception: `nonsense ${sent}` })
      report('3', 'failed', { misconception: `nonsense ${misconceptions}` })
      expect(state.view().misconceptions.map(({ text }) => text)).to.deep.equal(['nonsense 0'])
      for (let joined = 0; joined < reports; joined++) state.join('4', { alias: `t${joined}` })
      expect(() => state.join('4', { alias: 'one more' }))
        .to.throw()
        .with.property('status', 429)
      now += MINUTE_MS
      state.join('4', { alias: 'later' })
    })

    it('is a table for a spreadsheet, in which no name is a formula', () => {
      report('1', 'opened')
      now += MINUTE_MS
      report('1', 'failed')
      report('1', 'passed')
      expect(state.csv()).to.equal(
        'alias,lab,task,failed checks,first seen,solved\r\n' +
          's1,lab-99-sample,first,1,2001-09-09T01:46:40.000Z,2001-09-09T01:47:40.000Z\r\n',
      )
      expect(['Ada', 'Åsa-Lena 2', '张伟', 'a_b.c'].filter(isAlias).length).to.equal(4)
      expect(['', ' a', 'a ', '-a', '=a', 'a,b', 'a\nb', '<i>', 'x'.repeat(25)].filter(isAlias)).to.deep.equal([])
    })
  })

  describe('as it is served', () => {
    let server: ClassroomServer
    let place: ReturnType<typeof sampleRoot>
    let folder: string
    let uid: number | undefined
    beforeEach(async () => {
      uid = 1000
      server = await startClassroom({ labs: [lab], port: 0, whoIs: () => uid })
      place = sampleRoot()
      folder = mkdtempSync(join(tmpdir(), 'masque-classroom-test-'))
    })
    afterEach(async () => {
      await server.close()
      place.remove()
      rmSync(folder, { recursive: true, force: true })
    })
    const port = () => Number(new URL(server.url).port)
    const seen = async () => (await (await fetch(`${server.url}/class.json`)).json()) as ReturnType<ClassState['view']>
    const post = (path: string, body: string, headers = {}) =>
      fetch(server.url + path, { method: 'POST', body, headers: { 'Content-Type': 'application/json', ...headers } })

    it('is told by those who have joined what they open and how checks end, and by nobody else, until they leave', async () => {
      const classroom = new Classroom(folder)
      const out = { write: () => {}, width: 80 }
      const [task] = lab.tasks
      const options = { root: place.root, store: new ProgressStore(join(folder, 'progress')), out, classroom }
      printTask(lab, task, options)
      expect(await classroom.join({ port: port(), alias: 'Ada' })).to.equal(undefined)
      expect((await seen()).students).to.equal(1)
      expect((await seen()).tasks).to.deep.equal([])
      if (process.platform !== 'win32') expect(statSync(join(folder, 'classroom.json')).mode & 0o777).to.equal(0o600)
      printTask(lab, task, options)
      await until(async () => (await seen()).tasks[0]?.names.includes('Ada'))
      await printChecks(lab, [task], 'live', options)
      await until(async () => (await seen()).solved === 1)
      expect(await classroom.leave()).to.equal(true)
      expect((await seen()).students).to.equal(0)
      printTask(lab, task, options)
      expect(await classroom.leave()).to.equal(false)
      expect((await seen()).students).to.equal(0)
    })

    it('is not told of a check that is broken itself, and of a misconception no more than it takes', async () => {
      const classroom = new Classroom(folder)
      await classroom.join({ port: port(), alias: 'Ada' })
      const tell = (task: number, feedback: object) =>
        classroom.tell(lab, lab.tasks[task], { passed: false, feedback } as TaskResult)
      tell(0, { broken: true, misconception: 'Nobody has it.' })
      tell(1, { misconception: 'x'.repeat(1000) })
      // What is told arrives in its order.
      await until(async () => (await seen()).tasks.some(({ task }) => task === 'second'))
      const table = await (await fetch(`${server.url}/progress.csv`)).text()
      expect(table).to.include(',second,').and.not.include(',first,')
    })

    it('is no obstacle where it is gone, or its file is damaged', async () => {
      const classroom = new Classroom(folder)
      await classroom.join({ port: port(), alias: 'Ada' })
      await server.close()
      classroom.tell(lab, lab.tasks[0])
      expect(await classroom.join({ port: port(), alias: 'Bob' })).to.include('there is no classroom on port')
      expect(classroom.membership?.alias).to.equal('Ada')
      for (const text of ['{', '[]', 'null', '{"port":0,"alias":"Ada"}', '{"port":80,"alias":"<b>"}']) {
        writeFileSync(join(folder, 'classroom.json'), text)
        expect(classroom.membership, text).to.equal(undefined)
      }
    })

    it('says no in JSON to what is malformed, too long, from another page, or from nobody', async () => {
      const problem = async (response: Response) => {
        const { status, detail } = (await response.json()) as { status: number; detail: string }
        expect(status).to.equal(response.status)
        expect(detail)
          .to.match(/^[^\n]+$/)
          .and.not.include('labs/kit')
        return status
      }
      const good = '{"alias":"Ada"}'
      expect(await problem(await post('/join', '{'))).to.equal(400)
      expect(await problem(await post('/join', '"Ada"'))).to.equal(400)
      expect(await problem(await post('/join', JSON.stringify({ alias: 'x'.repeat(5000) })))).to.equal(413)
      expect(await problem(await post('/join', good, { 'Content-Type': 'text/plain' }))).to.equal(415)
      expect(await problem(await post('/join', good, { Origin: 'http://evil.example' }))).to.equal(403)
      expect(await problem(await post('/nothing', good))).to.equal(404)
      expect(await problem(await fetch(`${server.url}/../cli.ts`))).to.equal(404)
      uid = undefined
      expect(await problem(await post('/join', good))).to.equal(403)
      expect((await seen()).students).to.equal(0)
    })

    it('answers to no other name than its own, as a web page would give it (DNS rebinding)', async () => {
      const ask = (Host: string) =>
        new Promise<number | undefined>((resolve, reject) => {
          const options = { headers: { Host } }
          get(`${server.url}/class.json`, options, response => resolve(response.resume().statusCode)).on(
            'error',
            reject,
          )
        })
      for (const host of ['evil.example', `evil.example:${port()}`, '127.0.0.1', 'localhost:1', '[::1]']) {
        expect(await ask(host), host).to.equal(403)
      }
      for (const host of [`127.0.0.1:${port()}`, `localhost:${port()}`]) expect(await ask(host), host).to.equal(200)
    })

    it('has a bounded number of connections, and no leaderboard unless it is switched on', async () => {
      expect((await seen()).leaderboard).to.equal(null)
      let closed = 0
      const sockets = Array.from({ length: 530 }, () => connect(port(), '127.0.0.1'))
      for (const socket of sockets) socket.on('error', () => {}).once('close', () => closed++)
      await until(() => closed >= 18)
      for (const socket of sockets) socket.destroy()
    })

    it('shows a page that loads nothing from elsewhere, and puts nothing on it but text', async () => {
      const page = await fetch(server.url)
      expect(page.headers.get('content-security-policy')).to.include("default-src 'none'").and.not.include('unsafe')
      const html = await page.text()
      for (const file of ['style.css', 'page.mjs']) {
        expect(html).to.include(`"${file}"`)
        expect((await fetch(`${server.url}/${file}`)).status).to.equal(200)
      }
      const script = readFileSync(new URL('../../../../labs/kit/classroom/page/page.mjs', import.meta.url), 'utf8')
      expect(script).not.to.match(/innerHTML|outerHTML|insertAdjacent|document\.write|eval/)
    })

    it('learns from the kernel who somebody is, on Linux', async function () {
      if (process.platform !== 'linux') this.skip()
      await server.close()
      server = await startClassroom({ labs: [lab], port: 0 })
      expect((await post('/join', '{"alias":"Ada"}')).status).to.equal(204)
      expect((await post('/join', '{"alias":"Bob"}')).status).to.equal(204)
      expect((await seen()).students).to.equal(1)
    })

    it('reads the kernel’s table line by line, and takes nothing else for an answer', () => {
      const line = (local: string, remote: string, user: string, state = '01') =>
        `   0: ${local} ${remote} ${state} 0:0 00:0 0 ${user} 0 1 1`
      const table = [
        '  sl  local_address',
        line('0100007F:1F98', '0100007F:C000', '0'),
        line('0100007F:C000', '0100007F:1F98', '1001'),
        line('0100007F:C002', '0100007F:1F98', '0', '05'),
      ]
      expect(peerUser(0xc000, 0x1f98, () => table.join('\n'))).to.equal(1001)
      expect(peerUser(0xc001, 0x1f98, () => table.join('\n'))).to.equal(undefined)
      // Who sends a report and hangs up at once is not root.
      expect(peerUser(0xc002, 0x1f98, () => table.join('\n'))).to.equal(undefined)
      expect(
        peerUser(1, 2, () => {
          throw new Error('there is no such file')
        }),
      ).to.equal(undefined)
    })
  })
})
