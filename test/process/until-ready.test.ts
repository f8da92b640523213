import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect } from 'chai'
import { untilReady } from '../../src/process/until-ready.ts'
import { PATIENCE_MS } from '../support/patience.ts'

describe('a program that is waited for', () => {
  let child: ChildProcess | undefined
  afterEach(async () => {
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  })

  const node = (code: string): ChildProcess => {
    child = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'pipe'] })
    return child
  }
  const wait = (program: ChildProcess, timeoutMs = PATIENCE_MS): Promise<void> =>
    untilReady(program, { ready: /^ready$/m, timeoutMs, failure: (how, said) => new Error(`it ${how}: ${said}`) })
  const refused = (waiting: Promise<void>): Promise<string> =>
    waiting.then(
      () => 'ready',
      (error: Error) => error.message,
    )

  for (const stream of ['stdout', 'stderr'] as const) {
    it(`is ready when it says so on ${stream}, in however many pieces`, async () => {
      await wait(
        node(
          `process.${stream}.write('not yet\\nrea'); setTimeout(() => process.${stream}.write('dy\\n'), 50); setInterval(() => {}, 1000)`,
        ),
      )
    })
  }

  it('is read on afterwards, so that a full pipe does not stop it', async () => {
    // A pipe holds 64 KiB.
    const program = node(`console.log('ready'); process.stdout.write('x'.repeat(1 << 20), () => process.exit(7))`)
    await wait(program)
    expect(program.exitCode ?? (await once(program, 'exit'))[0]).to.equal(7)
  })

  it('has failed when it ends before, and what it said is in the error', async () => {
    expect(await refused(wait(node(`console.error('no port'); process.exitCode = 3`)))).to.equal(
      'it ended with status 3: no port\n',
    )
  })

  it('has failed when it takes too long', async () => {
    expect(await refused(wait(node('setInterval(() => {}, 1000)'), 100))).to.equal('it was not ready after 0.1 s: ')
  })

  it('has failed when there is no such program', async () => {
    child = spawn('/no/such/program')
    expect(await refused(wait(child))).to.match(/^it cannot be started \(.*ENOENT\): $/)
  })
})
