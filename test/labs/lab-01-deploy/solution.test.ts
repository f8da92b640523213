import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { ROOT } from '../../../labs/kit/lab/registry.ts'
import { runCheck, type TaskResult } from '../../../labs/kit/run/engine.ts'
import { lab } from '../../../labs/lab-01-deploy/lab.ts'
import { makeTestCertificates } from '../../../src/cert/make-certificates.ts'
import { loadServerConfig } from '../../../src/server/config.ts'
import { MasqueServer } from '../../../src/server/server.ts'
import { freePort } from '../../../src/testbed/free-port.ts'

describe('labs/lab-01-deploy: answers and mistakes', () => {
  let root: string
  const exercises = () => join(root, 'labs', lab.id, 'exercises')
  const edit = (file: string, change: (text: string) => string) => {
    const path = join(exercises(), file)
    writeFileSync(path, change(readFileSync(path, 'utf8')))
  }
  const check = async (id: string): Promise<TaskResult> => {
    const task = lab.tasks.find(candidate => candidate.id === id)
    if (!task) throw new Error(`no task ${id}`)
    return await runCheck(lab, task, { root, mode: 'unattended' })
  }

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'masque-lab-test-'))
    cpSync(join(ROOT, 'labs', lab.id, 'start'), exercises(), { recursive: true })
  })
  afterEach(() => rmSync(root, { recursive: true, force: true }))

  const solve = () => cpSync(join(ROOT, 'solutions', lab.id), exercises(), { recursive: true })

  it('says of the client of the starting files what it really gets: an IPv4 address, and no other', async () => {
    solve()
    cpSync(join(ROOT, 'labs', lab.id, 'start', 'client.toml'), join(exercises(), 'client.toml'))
    const { passed, feedback } = await check('address')
    expect(passed).to.equal(false)
    expect(feedback.found).to.match(/: 10\.89\.1\.\d+$/)
    expect(lab.tasks.find(({ id }) => id === 'address')?.brief).to.include('an IPv4 address only')
  })

  /** Mistakes beside those of the mutants, and what the feedback says about them, places included. */
  const mistakes: { task: string; title: string; file: string; change: (text: string) => string; says: RegExp }[] = [
    {
      task: 'config',
      title: 'leaves IPv6 out of the pool and its own network out of the routes',
      file: 'server.toml',
      change: text => text.replace(/^ipv6 = "fd00:89.*$/m, '').replace(/\[\[routes\]\]\nprefix = "fd00:89.*$/m, ''),
      says: /families are independent/,
    },
    {
      task: 'config',
      title: 'writes a prefix with host bits',
      file: 'server.toml',
      change: text => text.replace('"10.89.1.0/26"', '"10.89.1.1/26"'),
      says: /server\.toml.*pool\.ipv4.*10\.89\.1\.1\/26/s,
    },
    {
      task: 'config',
      title: 'writes what is not TOML',
      file: 'server.toml',
      change: text => text.replace('[pool]', '[pool'),
      says: /server\.toml:\d+:\d+/,
    },
    {
      task: 'config',
      title: 'gives a port as text',
      file: 'server.toml',
      change: text => text.replace('port = 4433', 'port = "4433"'),
      says: /server\.toml: listen\.port.*"4433"/s,
    },
    {
      task: 'config',
      title: 'has several mistakes, which are all told',
      file: 'server.toml',
      change: text => text.replace('name = "', 'nmae = "').replace('port = 8080', 'port = "8080"'),
      says: /name: missing.*\n.*server\.toml: .*(nmae|port).*\n.*server\.toml: .*(nmae|port)/,
    },
    {
      task: 'server',
      title: 'gives a number that is wrong without quotes',
      file: 'answers.toml',
      change: text => text.replace('"61"', '62'),
      says: /One more is in use/,
    },
    {
      task: 'trust',
      title: 'writes the name of another alert in words',
      file: 'answers.toml',
      change: text => text.replace('unknown_ca', 'bad certificate'),
      says: /corrupt/,
    },
  ]
  for (const { task, title, file, change, says } of mistakes) {
    it(`${task}: tells what is wrong when a student ${title}`, async () => {
      solve()
      edit(file, change)
      const { passed, feedback } = await check(task)
      expect(passed, JSON.stringify(feedback)).to.equal(false)
      expect(`${feedback.expected}\n${feedback.found}\n${feedback.misconception ?? ''}`).to.match(says)
    })
  }

  it('accepts the answers in other spellings', async () => {
    solve()
    edit('answers.toml', text =>
      text
        .replace('"0x130"', '304')
        .replace('"unknown_ca"', '"Unknown CA"')
        .replace('"b"', '"B)"')
        .replace('sources = "1"', 'sources = "one"')
        .replace('"ca.pem"', '"cert/out/ca.pem"'),
    )
    for (const task of ['certificates', 'address', 'trust']) {
      const result = await check(task)
      expect(result.passed, JSON.stringify(result.feedback)).to.equal(true)
    }
  })

  /** Routes with which a ping of the library works, and which are not those of the task. */
  const routes: [title: string, change: (text: string) => string, says: RegExp][] = [
    [
      'everything',
      text => text.replace('"10.90.1.0/24"', '"0.0.0.0/0"').replace('[[routes]]\nprefix = "10.89.1.0/26"\n', ''),
      /one to 0\.0\.0\.0\/0/,
    ],
    ['the library alone', text => text.replace('"10.90.1.0/24"', '"10.90.1.7/32"'), /one to 10\.90\.1\.7\/32/],
    ['a wider network', text => text.replace('"fd00:90:1::/64"', '"fd00:90::/32"'), /one to fd00:90::\/32/],
    ['not each other', text => text.replace('[[routes]]\nprefix = "10.89.1.0/26"', ''), /no route to 10\.89\.1\.0\/26/],
    ['one more', text => `${text}\n[[routes]]\nprefix = "192.168.0.0/16"\n`, /one to 192\.168\.0\.0\/16/],
    [
      'ICMP only',
      text => text.replace('"10.90.1.0/24"', '"10.90.1.0/24"\nprotocol = 1'),
      /10\.90\.1\.0\/24, protocol 1/,
    ],
  ]
  for (const [title, change, says] of routes) {
    it(`config: takes the routes of the task and no others: ${title}`, async () => {
      solve()
      edit('server.toml', change)
      const { passed, feedback } = await check('config')
      expect(passed).to.equal(false)
      expect(feedback.found).to.match(says)
    })
  }

  it('trust: says what is wrong with a code whose last byte is decimal', async () => {
    solve()
    edit('answers.toml', text => text.replace('0x130', '0x148'))
    expect((await check('trust')).feedback.misconception).to.match(/decimal in RFC 8446/)
  })

  it('server: is not solved by the server of somebody else, on the ports of the starting file', async () => {
    solve()
    const ports = await Promise.all([freePort(), freePort()])
    edit('server.toml', text => text.replace('4433', String(ports[0])).replace('8080', String(ports[1])))
    await makeTestCertificates(join(root, 'cert', 'out'))
    const { tls, ...config } = loadServerConfig(join(exercises(), 'server.toml'))
    const live = async () => {
      const task = lab.tasks.find(candidate => candidate.id === 'server')!
      return await runCheck(lab, task, { root, mode: 'live' })
    }
    const own = await MasqueServer.start({ ...config, tls, log: { level: 'silent' } })
    const mine = await live().finally(() => own.close())
    expect(mine.passed, JSON.stringify(mine.feedback)).to.equal(true)

    const { server: certificate, serverKey: key } = await makeTestCertificates(join(root, 'another-user'))
    const others = await MasqueServer.start({ ...config, tls: { certificate, key }, log: { level: 'silent' } })
    const { passed, feedback } = await live().finally(() => others.close())
    expect(passed).to.equal(false)
    expect(feedback.found).to.match(/not signed by your authority/)
    expect(feedback.misconception).to.match(/somebody else/)
  })

  it('keeps the measured TTL to itself until a second check fails, and shows it beside the prediction then', async () => {
    solve()
    edit('answers.toml', text => text.replace('host = "63"', 'host = "60"'))
    const task = lab.tasks.find(candidate => candidate.id === 'ping')!
    const checked = async (failures: number) => await runCheck(lab, task, { root, mode: 'unattended', failures })
    const first = await checked(0)
    expect(`${first.feedback.expected} ${first.feedback.found}`).to.not.include('63')
    expect(first.live.comparisons).to.deep.equal([])
    const second = await checked(1)
    expect(second.feedback.expected).to.match(/TTL 63, hop limit 63$/)
    expect(second.live.comparisons[0]).to.deep.include({ measured: 63, expected: { min: 60, max: 60 } })
  })

  it('says which line of the answers cannot be read', async () => {
    edit('answers.toml', text => text.replace('[ping]', '[ping'))
    const { passed, feedback } = await check('ping')
    expect(passed).to.equal(false)
    expect(feedback.found).to.match(/exercises\/answers\.toml line \d+/)
  })

  it('tells a student who has not started the server to do so', async () => {
    solve()
    const port = await freePort()
    edit('server.toml', text => text.replace('port = 8080', `port = ${port}`))
    const task = lab.tasks.find(candidate => candidate.id === 'server')!
    const { passed, feedback } = await runCheck(lab, task, { root, mode: 'live' })
    expect(passed).to.equal(false)
    expect(feedback.found)
      .to.match(/nothing listens/)
      .and.to.match(/npm run server/)
  })
})
