import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { userPorts } from '../../../../src/net/user-ports.ts'
import { command } from '../../../support/command.ts'

describe('npm run lab, without a terminal', () => {
  let home: string
  before(() => {
    home = mkdtempSync(join(tmpdir(), 'masque-cli-test-'))
  })
  after(() => rmSync(home, { recursive: true, force: true }))

  const lab = async (...args: string[]) => {
    // Its temporary directories go where this test can see whether one is left.
    const env = {
      ...process.env,
      MASQUE_LAB_HOME: join(home, 'state'),
      MASQUE_LAB_SCRATCH: home,
      MASQUE_LAB_QUEUE: 'off',
    }
    const { status, stdout: out, stderr: err } = await command(['lab', ...args], { env })
    return { status, out, err }
  }

  it('lists the labs with progress', async () => {
    const { status, out } = await lab()
    expect(status).to.equal(0)
    expect(out).to.match(/1 {2}Deploy a CONNECT-IP tunnel {2}\(80 minutes, 0 of 8 tasks solved\)/)
  })

  it('shows the demonstration, then the tasks and how to check and grade, and leaves nothing behind', async () => {
    const { status, out, err } = await lab('1')
    expect(err).to.equal('')
    expect(status).to.equal(0)
    for (const phase of ['QUIC handshake', 'CONNECT-IP session', 'Ping, IPv4', 'Ping, IPv6']) {
      expect(out).to.match(new RegExp(`done +${phase} +[0-9.]+ m?s`))
    }
    expect(out).to.include('10.89.1.2/32  fd00:89:1::2/128')
    expect(out).to.match(/5\. \[open\] +ping +Ping, and predict the TTL/)
    expect(out).to.include('npm run lab -- 1 --check')
    expect(readdirSync(home).filter(name => name.startsWith('masque-lab-'))).to.deep.equal([])
    for (const line of out.split('\n')) expect(line).to.not.include('\u001B')
  })

  it('shows one task as text, and one more hint at each call', async () => {
    const first = await lab('1', '--task', 'ping', '--hint')
    expect(first.out).to.include('Hint 1 of 4').and.not.to.include('Hint 2')
    const second = await lab('1', '--task', '5', '--hint')
    expect(second.out).to.include('Hint 2 of 4')
    const task = await lab('1', '--task', 'ping')
    expect(task.status).to.equal(0)
    expect(task.out).to.include('Ping, and predict the TTL').and.to.include('Hint 2 of 4').and.not.to.include('Hint 3')
  })

  it('lists labs and tasks as JSON', async () => {
    const labs = JSON.parse((await lab('--json')).out)
    expect(labs.labs[0]).to.include({ id: 'lab-01-deploy', number: 1, tasks: 8, maxPoints: 125 })
    const tasks = JSON.parse((await lab('1', '--json')).out)
    expect(tasks.tasks[0]).to.include({ id: 'certificates', kind: 'question', state: 'open', attempts: 0 })
  })

  it('shows the ports that are the user’s own, and has them in the task that uses them', async () => {
    const { api } = userPorts()
    const { status, out } = await lab('--ports')
    expect(status).to.equal(0)
    expect(out).to.include(`curl http://127.0.0.1:${api}/health`)
    expect(JSON.parse((await lab('--ports', '--json')).out)).to.deep.equal(userPorts())
    expect((await lab('1', '--task', 'server')).out).to.include(`curl http://127.0.0.1:${api}/api/v1/status`)
  })

  it('shows the solution only after three attempts, which it counts', async () => {
    const early = await lab('1', '--solution', 'trust')
    expect(early.status).to.equal(1)
    expect(early.out).to.include('3 more times').and.not.to.include('unknown_ca')
    const progress = join(home, 'state', 'progress.json')
    const all = JSON.parse(readFileSync(progress, 'utf8'))
    all.labs['lab-01-deploy'].trust = { state: 'attempted', attempts: 3, hints: 0, solutionShown: false }
    writeFileSync(progress, JSON.stringify(all))
    const late = await lab('1', '--solution', '6')
    expect(late.status).to.equal(0)
    expect(late.out).to.include('solutions/lab-01-deploy/client-trust.toml').and.include('unknown_ca')
    expect(late.out).to.not.include('[ping]')
    expect(JSON.parse(readFileSync(progress, 'utf8')).labs['lab-01-deploy'].trust.solutionShown).to.equal(true)
  })

  it('checks a task, and gives the result as JSON when asked to', async () => {
    const { status, out } = await lab('1', '--task', 'ping', '--check', '--json')
    const result = JSON.parse(out)
    expect(result).to.include({ lab: 'lab-01-deploy', mode: 'live' })
    expect(result.tasks[0]).to.include({ id: 'ping', points: 20 })
    expect(status).to.equal(result.passed ? 0 : 1)
  })

  const wrong: [string[], RegExp][] = [
    [['7'], /^there is no lab '7': 1 \(lab-01-deploy\)/],
    [['1', '--task', 'fly'], /^lab 1 has no task 'fly': certificates \|/],
    [['1', '--fly'], /^unknown option '--fly'/],
    [['--check'], /^which lab\?/],
    [['--reset'], /^which lab\?.*--reset/],
    [['1', '--solution', 'fly'], /^lab 1 has no task 'fly'/],
    [['1', '--answer', '63'], /^which task/],
    [['3', '--replay'], /^of which task\? --task varint/],
    [['3', '--task', 'too-big', '--replay'], /^'too-big' has no replay/],
    [['--join', 'open sesame'], /^'open sesame' is no code of a class: it has eight digits and letters/],
    [['--join', '3YC0-0000', '--port', '8089'], /^this code is of a classroom on port 8088: leave --port away/],
    [['1', '--task', 'config', '--answer', '63'], /^task 'config' asks no question/],
  ]
  for (const [args, sentence] of wrong) {
    it(`says in one sentence what is wrong with: ${args.join(' ')}`, async () => {
      const { status, out, err } = await lab(...args)
      expect(status).to.equal(2)
      expect(out).to.equal('')
      expect(err).to.match(sentence)
      expect(err.trimEnd().split('\n')).to.have.length(1)
    })
  }
})
