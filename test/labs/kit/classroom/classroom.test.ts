import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer, get } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { AccountsError, accountNames, MAX_ACCOUNTS, userIds } from '../../../../labs/kit/classroom/accounts.ts'
import { CLASS_LIMITS, ClassState } from '../../../../labs/kit/classroom/class-state.ts'
import { GATE_LIMITS, JoinGate } from '../../../../labs/kit/classroom/join-gate.ts'
import { keptCode } from '../../../../labs/kit/classroom/kept-code.ts'
import { peerUser } from '../../../../labs/kit/classroom/peer-user.ts'
import { ClassroomError, type ClassroomServer, startClassroom } from '../../../../labs/kit/classroom/server.ts'
import { printChecks, printTask } from '../../../../labs/kit/plain/plain.ts'
import { Classroom, isAlias } from '../../../../labs/kit/run/classroom.ts'
import type { TaskResult } from '../../../../labs/kit/run/engine.ts'
import { makeJoinCode, parseJoinCode } from '../../../../labs/kit/run/join-code.ts'
import { portOwners } from '../../../../labs/kit/run/port-owner.ts'
import { ProgressStore } from '../../../../labs/kit/run/progress.ts'
import { subordinateIds } from '../../../../labs/kit/run/subordinate-ids.ts'
import { takenPortHint } from '../../../../src/net/user-ports.ts'
import { freePort } from '../../../../src/testbed/free-port.ts'
import { failure, until } from '../../../support/loopback.ts'
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
      // Not seen before: how long it took is not known, and it is not 0.
      report('5', 'passed')
      report('2', 'opened', { task: 'second' })
      for (let tried = 0; tried < 3; tried++) report('3', 'failed')
      const [first, second] = state.view().tasks
      expect(first).to.deep.include({
        number: '99.1',
        here: 4,
        solved: 3,
        stuck: 1,
        medianMinutes: 20,
        names: ['s1', 's3', 's4', 's5'],
      })
      expect(second).to.deep.include({
        number: '99.2',
        here: 1,
        solved: 0,
        stuck: 0,
        medianMinutes: null,
        names: ['s2'],
      })
      expect(state.view()).to.include({ students: 5, solved: 3, leaderboard: null })
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

  describe('as it is joined', () => {
    const [CODE, WRONG] = [makeJoinCode(8088, Uint8Array.of(1, 2, 3)), makeJoinCode(8088, Uint8Array.of(1, 2, 4))]
    let now: number
    let gate: JoinGate
    let state: ClassState
    let folder: string
    beforeEach(() => {
      now = 1e6
      gate = new JoinGate({ code: CODE, accounts: new Set(['7']), now: () => now })
      state = new ClassState([lab], { mayJoin: (id, code) => gate.check(id, code) })
      folder = mkdtempSync(join(tmpdir(), 'masque-classroom-test-'))
    })
    afterEach(() => rmSync(folder, { recursive: true, force: true }))
    const enter = (id: string, code?: unknown) => state.join(id, { alias: `s${id}`, code })
    const refused = (status: number, action: () => void, words: RegExp) =>
      expect(action).to.throw(words).with.property('status', status)

    it('lets in who has the code, however it is typed, and who is on the list, and nobody else', () => {
      enter('1', CODE)
      enter('2', ` ${CODE.toLowerCase().replace('-', ' ')}`)
      enter('7')
      refused(403, () => enter('3'), /code of the class is needed.*--join CODE/)
      for (const code of [WRONG, '', 'x', 7, null, {}, 'x'.repeat(4000)])
        refused(403, () => enter('3', code), /not the code/)
      const report = { alias: 's4', lab: LAB, task: 'first', what: 'passed' }
      refused(403, () => state.report('4', report), /code of the class/)
      refused(403, () => state.report('4', { ...report, code: WRONG }), /not the code/)
      expect(state.view()).to.include({ students: 3, solved: 0 })
      // A classroom that was started again, with the same code.
      state.report('4', { ...report, code: CODE })
      // Who is in needs no code for another name; who has left does.
      state.join('4', { alias: 'Eve' })
      expect(state.view()).to.include({ students: 4, solved: 1 })
      state.leave('4')
      refused(403, () => enter('4'), /is needed/)
    })

    it('counts wrong codes of each account: ten in a minute, then not even the right one, and others do not notice', () => {
      for (let tried = 0; tried < GATE_LIMITS.wrong; tried++) refused(403, () => enter('1', WRONG), /not the code/)
      refused(429, () => enter('1', CODE), /too many wrong codes/)
      enter('2', CODE)
      now += 59_999
      refused(429, () => enter('1', CODE), /too many/)
      now += 1
      enter('1', CODE)
    })

    it('remembers so many that were wrong and no more', () => {
      for (let id = 100; id < 100 + GATE_LIMITS.accounts; id++)
        refused(403, () => enter(String(id), WRONG), /not the code/)
      refused(429, () => enter('1', CODE), /too many/)
      refused(403, () => enter('100', WRONG), /not the code/)
      enter('100', CODE)
      now += 60_000
      enter('1', CODE)
    })

    it('has the same code when it is started again in the next hours, another one for another port, tomorrow, and when asked to', () => {
      const options = { directory: join(folder, 'state'), now }
      const code = keptCode(8088, options)
      expect(parseJoinCode(code)).to.deep.equal({ port: 8088, text: code })
      expect(keptCode(8088, { ...options, now: now + 11 * 3_600_000 })).to.equal(code)
      expect(keptCode(8089, options)).not.to.equal(code)
      expect(keptCode(8088, { ...options, now: now + 12 * 3_600_000 })).not.to.equal(code)
      const next = keptCode(8088, { ...options, fresh: true })
      expect(keptCode(8088, options)).to.equal(next)
      // The clock was set back.
      expect(keptCode(8088, { ...options, now: now - 1 })).not.to.equal(next)
      const file = join(folder, 'state', 'classroom-code-8088.json')
      if (process.platform !== 'win32') expect(statSync(file).mode & 0o777).to.equal(0o600)
      for (const text of [
        '{',
        'null',
        '{"code":7,"madeAt":1e6}',
        `{"code":"${keptCode(1, options)}","madeAt":1000000}`,
      ]) {
        writeFileSync(file, text)
        expect(parseJoinCode(keptCode(8088, options))?.port, text).to.equal(8088)
      }
      writeFileSync(join(folder, 'file'), '')
      expect(parseJoinCode(keptCode(8088, { directory: join(folder, 'file') }))?.port).to.equal(8088)
    })

    it('knows the accounts of a list by their ids, and says which it does not know', () => {
      const file = join(folder, 'accounts')
      const ids: Record<string, number> = { ada: 1001, 'bob.x': 1002 }
      writeFileSync(file, '# the class\nada\n\n  bob.x  # in the second row\r\n')
      expect([...userIds(file, name => ids[name])]).to.deep.equal(['1001', '1002'])
      writeFileSync(file, 'ada\neve\n')
      expect(() => userIds(file, name => ids[name])).to.throw(AccountsError, /no account eve$/)
      for (const text of ['-u', 'a b', 'a;b', 'a\u001bb', 'x'.repeat(300)])
        expect(() => accountNames(`ada\n${text}\n`, 'list'), text).to.throw(AccountsError, /^list, line 2: /)
      expect(() => accountNames('a\n'.repeat(MAX_ACCOUNTS + 1), 'list')).to.throw(AccountsError, '1001 names')
    })

    it('asks the system who is on the list', function () {
      if (process.platform === 'win32') this.skip()
      const file = join(folder, 'accounts')
      writeFileSync(file, 'root\n')
      expect([...userIds(file)]).to.deep.equal(['0'])
      writeFileSync(file, 'nobody-of-that-name\n')
      expect(() => userIds(file)).to.throw(AccountsError)
    })
  })

  describe('as it is served', () => {
    let server: ClassroomServer
    let place: ReturnType<typeof sampleRoot>
    let folder: string
    let uid: number | undefined
    beforeEach(async () => {
      uid = 1000
      // Some come back to it when it is closed.
      server = await startClassroom({ labs: [lab], port: await freePort(), whoIs: () => uid })
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

    it('is joined with its code by a student’s program, which keeps it for a classroom that is started again', async () => {
      await server.close()
      const code = makeJoinCode(1234, Uint8Array.of(1, 2, 3))
      const open = (port: number) =>
        startClassroom({ labs: [lab], port, whoIs: () => uid, gate: new JoinGate({ code }) })
      server = await open(await freePort())
      const classroom = new Classroom(folder)
      const wrong = await classroom.join({ port: port(), alias: 'Ada' })
      expect(wrong).to.match(/^the classroom says: the code of the class is needed/)
      expect(classroom.membership).to.equal(undefined)
      expect(await classroom.join({ port: port(), alias: 'Ada', code })).to.equal(undefined)
      const at = port()
      await server.close()
      server = await open(at)
      // Not on the connection to the one that is gone.
      await until(async () => (await seen().catch(() => undefined))?.students === 0)
      classroom.tell(lab, lab.tasks[0])
      await until(async () => (await seen()).students === 1)
      expect((await seen()) as object).to.include({ code: null })
      await server.close()
      server = await startClassroom({ labs: [lab], port: 0, gate: new JoinGate({ code }), showCode: true })
      expect((await seen()) as object).to.include({ code })
    })

    it('takes nothing from ids that a user has made in a namespace, behind which is no account', async () => {
      await server.close()
      const isSubordinate = subordinateIds(() => '# comment\nada:100000:65536\nbroken\nbob:165536:10\n')
      server = await startClassroom({ labs: [lab], port: 0, whoIs: () => uid, isSubordinate })
      const statuses = []
      for (uid of [99_999, 100_000, 165_535, 165_545, 165_546])
        statuses.push((await post('/join', `{"alias":"s${uid}"}`)).status)
      expect(statuses).to.deep.equal([204, 403, 403, 403, 204])
      const none = subordinateIds(() => {
        throw new Error('there is no such file')
      })
      expect(none(100_000)).to.equal(false)
    })

    it('says what to do where its port is taken', async () => {
      const { message } = await failure(startClassroom({ labs: [lab], port: port() }), ClassroomError)
      expect(message)
        .to.match(/^port \d+ is already in use: .*--port/)
        .and.include(takenPortHint(port()))
    })

    it('commands no terminal of a student, whoever listens where it was', async () => {
      const fake = createServer((_request, response) => {
        response.statusCode = 403
        response.end(JSON.stringify({ detail: '\u001b[2J\u202egone\r\nnext' }))
      })
      await new Promise<void>(resolve => fake.listen(0, '127.0.0.1', resolve))
      const { port } = fake.address() as AddressInfo
      const said = await new Classroom(folder).join({ port, alias: 'Ada' })
      fake.close()
      expect(said).to.equal('the classroom says: ?[2J?gone??next')
    })

    it('hears nothing more when its port is somebody else’s: the student is told, and nothing else is', async () => {
      // As the kernel would say it, whoever that is here.
      let owners: number[] | undefined = [4001]
      const classroom = new Classroom(folder, () => owners)
      expect(await classroom.join({ port: port(), alias: 'Ada' })).to.equal(undefined)
      expect(classroom.membership).to.include({ instructor: 4001 })
      const at = port()
      await server.close()
      const heard: string[] = []
      const other = createServer((request, response) => {
        heard.push(request.url ?? '')
        response.end('{}')
      })
      await new Promise<void>(resolve => other.listen(at, '127.0.0.1', resolve))
      try {
        // Somebody else's; his and another one's beside it; of somebody who stops to listen once he is connected to.
        for (owners of [[4002], [4001, 4002], [4002, 4001], []]) {
          classroom.tell(lab, lab.tasks[0])
          expect(await classroom.relay(), String(owners)).to.match(
            owners.length === 0
              ? /^port \d+ is nobody’s now, and the classroom that you have joined was user id 4001's: nothing is told/
              : /^port \d+ is user id 4002's now, and the classroom that you have joined was user id 4001's: nothing is told/,
          )
        }
        expect(await classroom.join({ port: at, alias: 'Ada' })).to.match(/^there is no classroom/)
        expect(heard).to.deep.equal([])
        owners = [4002]
        expect(await classroom.join({ port: at, alias: 'Ada' })).to.equal(undefined)
        expect(heard).to.deep.equal(['/join'])
        owners = [4003]
        await classroom.leave()
        expect(heard).to.deep.equal(['/join'])
      } finally {
        await new Promise(resolve => other.close(resolve))
        server = await startClassroom({ labs: [lab], port: 0, whoIs: () => uid })
      }
    })

    it('is not joined where programs of two accounts listen', async () => {
      const classroom = new Classroom(folder, () => [4001, 4002])
      expect(await classroom.join({ port: port(), alias: 'Ada' })).to.match(/^programs of several accounts listen/)
    })

    it('knows from the kernel whose port it is, on Linux: also where another account has it', async function () {
      if (process.platform !== 'linux') this.skip()
      const classroom = new Classroom(folder)
      await classroom.join({ port: port(), alias: 'Ada' })
      expect(classroom.membership).to.include({ instructor: process.getuid?.() })
      if (process.getuid?.() !== 0) return console.log('      (only root can start a program of another account)')
      const at = port()
      await server.close()
      const script = `require('node:http').createServer((q, r) => { process.send(q.url); r.end('{}') }).listen(${at}, '127.0.0.1', () => process.send('here'))`
      const other = spawn(process.execPath, ['-e', script], { uid: 65_012, gid: 65_012, stdio: [0, 1, 2, 'ipc'] })
      try {
        const heard: unknown[] = []
        other.on('message', message => heard.push(message))
        await once(other, 'message')
        classroom.tell(lab, lab.tasks[0])
        expect(await classroom.relay()).to.match(
          /^port \d+ is user id 65012's now, and .* was root's: nothing is told there/,
        )
        expect(heard).to.deep.equal(['here'])
      } finally {
        other.kill()
        await once(other, 'exit')
        server = await startClassroom({ labs: [lab], port: 0, whoIs: () => uid })
      }
    })

    it('reads in the kernel’s tables who listens, at which address of this machine it may be, and nothing else', () => {
      const line = (local: string, user: string, state = '0A') => `   0: ${local} 0:0 ${state} 0:0 00:0 0 ${user} 0 1 1`
      const v4 = [
        '  sl  local_address',
        line('0100007F:1F98', '1001'),
        line('0100007F:1F98', '1002', '01'),
        line('0200007F:1F98', '1003'),
        line('0100007F:1F99', '1004'),
      ]
      const v6 = [
        line('00000000000000000000000000000000:1F98', '1005'),
        line('00000000000000000000000001000000:1F98', '1006'),
      ]
      const tables =
        (more: string[] = []) =>
        (file: string) =>
          [...(file.endsWith('6') ? v6 : v4), ...more].join('\n')
      expect(portOwners(0x1f98, tables())).to.deep.equal([1001, 1005])
      expect(portOwners(0x1f98, tables([line('00000000:1F98', '1007')]))).to.deep.equal([1001, 1007, 1005])
      expect(portOwners(0x2000, tables())).to.deep.equal([])
      const isMissing = (): never => {
        throw new Error('there is no such file')
      }
      expect(portOwners(0x1f98, file => (file.endsWith('6') ? isMissing() : v4.join('\n')))).to.deep.equal([1001])
      expect(portOwners(0x1f98, isMissing)).to.equal(undefined)
    })

    it('takes no answer from whoever listens there that does not end', async () => {
      const endless = createServer((_request, response) => {
        const more = () => {
          while (response.write('x'.repeat(65_536)));
        }
        response.on('drain', more)
        more()
      })
      await new Promise<void>(resolve => endless.listen(0, '127.0.0.1', resolve))
      const { port } = endless.address() as AddressInfo
      expect(await new Classroom(folder).join({ port, alias: 'Ada' })).to.match(/^there is no classroom on port/)
      endless.closeAllConnections()
      endless.close()
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

    it('has a bounded number of connections, in which those that say nothing make room for those that ask', async () => {
      const closed: number[] = []
      const sockets = Array.from({ length: 512 }, () => connect(port(), '127.0.0.1'))
      await Promise.all(sockets.map(socket => once(socket, 'connect')))
      for (const [i, socket] of sockets.entries()) socket.on('error', () => {}).once('close', () => void closed.push(i))
      for (let asked = 0; asked < 20; asked++)
        expect((await post('/join', '{"alias":"Ada"}', { Connection: 'close' })).status).to.equal(204)
      await until(() => closed.length > 0)
      expect(closed).to.include(0)
      const more = Array.from({ length: 100 }, () => connect(port(), '127.0.0.1').on('error', () => {}))
      await until(() => closed.length >= 100)
      for (const socket of [...sockets, ...more]) socket.destroy()
    })

    it('waits for a request so long and no longer, whether its head or its content does not come', async () => {
      const ends = [
        'POST /join HTTP/1.1\r\n',
        'POST /join HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\n{',
      ].map(async text => {
        const socket = connect(port(), '127.0.0.1').on('error', () => {})
        socket.write(text)
        socket.resume()
        await once(socket, 'close')
      })
      await Promise.all(ends)
      expect((await seen()).students).to.equal(0)
    })

    it('has no leaderboard unless it is switched on, and the false progress of a guest is shown as that of nobody else', async () => {
      expect((await seen()).leaderboard).to.equal(null)
      const report = (what: string, task = 'first', more = {}) =>
        post('/reports', JSON.stringify({ alias: `s${uid}`, lab: LAB, task, what, ...more }))
      for (uid of [1001, 1002, 1003]) expect((await report('opened')).status).to.equal(204)
      const before = await seen()
      uid = 666
      // Under the names of others, for tasks that there are not, and everything at once.
      expect((await report('passed', 'first', { alias: 's1001' })).status).to.equal(409)
      expect((await report('passed', 'third')).status).to.equal(400)
      expect((await report('passed', 'first', { id: '1001', uid: 1001, failures: 99, solvedAt: 0 })).status).to.equal(
        204,
      )
      expect((await report('passed', 'second')).status).to.equal(204)
      for (let sent = 0; sent < 5; sent++) await report('failed', 'second', { misconception: 'Buy my course.' })
      const after = await seen()
      expect(after).to.deep.include({ students: 4, solved: 2, misconceptions: [] })
      const [first, second] = after.tasks
      expect(first).to.include({ here: before.tasks[0].here, solved: 1, stuck: 0 })
      expect(second.names).to.deep.equal(['s666'])
      await post('/leave', '{}')
      expect(await seen()).to.deep.equal(before)
      let refused = 0
      for (let sent = 0; sent < 2 * CLASS_LIMITS.reports; sent++) if ((await report('passed')).status === 429) refused++
      expect(refused).to.be.at.least(CLASS_LIMITS.reports)
      uid = 1001
      expect((await report('passed')).status).to.equal(204)
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
