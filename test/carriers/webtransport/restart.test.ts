import { syncBuiltinESMExports } from 'node:module'
import workerThreads from 'node:worker_threads'
import { expect } from 'chai'
import type { PackageServer } from '../../../src/carriers/webtransport/server.ts'
import { until } from '../../support/loopback.ts'
import { listenForPackage } from '../../support/package-tunnel.ts'

/** What is waited for before a thread is started again, in s: as often as it ends soon. */
const PAUSES = [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10, 10, 10]

const RealWorker = workerThreads.Worker
const realTimeout = globalThis.setTimeout

/** What `new Worker` does, in every file that has it. */
function replaceWorker(Worker: unknown): void {
  Object.assign(workerThreads, { Worker })
  syncBuiltinESMExports()
}

describe('the thread with the npm package for WebTransport', function () {
  this.slow(10_000)
  const warnings: string[] = []
  let server: PackageServer

  beforeEach(async () => {
    warnings.length = 0
    // Waits of whole seconds and their fractions are over at once: how long they are is in the warnings.
    globalThis.setTimeout = Object.assign(
      (step: () => void, ms = 0) => realTimeout(step, PAUSES.includes(ms / 1000) ? 1 : ms),
      realTimeout,
    ) as typeof setTimeout
    server = await listenForPackage({
      onConnection: () => expect.fail('nobody comes'),
      onError: error => expect.fail(String(error)),
      onWarning: sentence => warnings.push(sentence),
    })
  })

  afterEach(async () => {
    replaceWorker(RealWorker)
    globalThis.setTimeout = realTimeout
    await server.close()
  })

  const pauses = (): number[] => warnings.map(sentence => Number(/again in ([\d.]+) s/.exec(sentence)?.[1]))

  it('is started again and again, after ever longer pauses, where the system does not let this process have a thread', async () => {
    let tried = 0
    replaceWorker(
      class {
        constructor() {
          tried++
          throw Object.assign(new Error('no more threads'), { code: 'ERR_WORKER_INIT_FAILED' })
        }
      },
    )
    server.killThread()
    await until(() => warnings.length >= PAUSES.length)
    replaceWorker(RealWorker)
    expect(pauses().slice(0, PAUSES.length)).to.deep.equal(PAUSES)
    expect(warnings[1]).to.include('no more threads')
    expect(tried).to.be.at.least(PAUSES.length - 1)
    // The system has some again, and it listens at the same port.
    const { local } = server
    const before = warnings.length
    await until(() => server.isListening)
    expect(server.local).to.deep.equal(local)
    expect(warnings.length).to.equal(before)
  })

  it('that ends again and again is started again after pauses that grow up to 10 s, and leaves no thread and no socket', async () => {
    let [started, running] = [0, 1]
    replaceWorker(
      class extends RealWorker {
        constructor(...given: ConstructorParameters<typeof RealWorker>) {
          super(...given)
          started++
          running++
          this.once('exit', () => running--)
        }
      },
    )
    const { local } = server
    for (let i = 1; i <= PAUSES.length; i++) {
      await until(() => server.isListening)
      server.killThread()
      await until(() => warnings.length === i)
      // The first one was not counted when it started, nor when it ended.
      if (i === 1) running--
      expect(running).to.be.at.most(1)
    }
    expect(pauses()).to.deep.equal(PAUSES)
    await until(() => server.isListening)
    // The port is free each time.
    expect(server.local).to.deep.equal(local)
    expect(started).to.equal(PAUSES.length)
    await server.close()
    expect(running).to.equal(0)
  })

  it('is not started again once the proxy is closed', async () => {
    let started = 0
    server.killThread()
    await until(() => warnings.length === 1)
    await server.close()
    replaceWorker(
      class {
        constructor() {
          started++
          throw new Error('nobody is to be started')
        }
      },
    )
    await new Promise(resolve => realTimeout(resolve, 50))
    expect(started).to.equal(0)
  })
})
