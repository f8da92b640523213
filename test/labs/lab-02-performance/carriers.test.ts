import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { expect } from 'chai'
import { Cleanup } from '../../../labs/kit/check/cleanup.ts'
import { COURSES_KEY, type WindowCourse } from '../../../labs/kit/check/window-recorder.ts'
import { flat, measureCarriers, RTT_MS } from '../../../labs/lab-02-performance/carriers.ts'
import { startSlowTcp } from '../../../labs/lab-02-performance/slow-tcp.ts'
import { IS_TYPESCRIPT } from '../../support/which-engine.ts'

describe('labs/lab-02-performance: a run of carriers', function () {
  this.timeout(180_000)
  const cleanup = new Cleanup()
  afterEach(() => cleanup.run())

  const shown: Record<string, unknown> = {}
  const scope = (signal = new AbortController().signal) => ({
    mode: 'live' as const,
    show: (key: string, value: unknown) => void (shown[key] = value),
    signal,
    seed: 'a run',
    progress() {},
    defer: (undo: () => unknown) => cleanup.defer(undo),
    scratch: async () => cleanup.scratch(),
  })

  it('loses packets on links that lose some only, and nothing on a stream', async () => {
    const figures = flat(await measureCarriers(scope()))
    for (const run of ['stream', 'stream_lossy', 'h2']) expect(figures[`${run}_missing`], run).to.equal(0)
    for (const run of ['datagrams', 'stream', 'h2']) expect(figures[`${run}_lost`], run).to.equal(0)
    // Of some 1000 datagrams in these two, 2 %: none at all does not happen.
    expect(figures.datagrams_lossy_lost + figures.stream_lossy_lost).to.be.greaterThan(0)
    expect(figures.datagrams_lossy_missing + figures.stream_lossy_late).to.be.greaterThan(0)
    const courses = shown[COURSES_KEY] as WindowCourse[]
    expect(courses.map(({ title }) => title).sort()).to.deep.equal([
      'datagrams, 0 % loss',
      'datagrams, 2 % loss',
      'one stream, 0 % loss',
      'one stream, 2 % loss',
    ])
    for (const { title, cwnd, engine } of courses) {
      expect(engine, title).to.equal(IS_TYPESCRIPT ? 'typescript' : 'quiche')
      expect(Math.min(...cwnd), title).to.be.above(0)
    }
    // No link is faster than it says.
    for (const [name, value] of Object.entries(figures)) {
      if (name.endsWith('p50_ms')) expect(value, name).to.be.at.least(RTT_MS - 5)
    }
  })

  it('ends when it is given up', async () => {
    const stop = new AbortController()
    const run = measureCarriers(scope(stop.signal))
    stop.abort(new Error('given up'))
    expect(await run.catch(error => error.message)).to.equal('given up')
  })
})

describe('labs/lab-02-performance: a slow TCP link', () => {
  const cleanup = new Cleanup()
  afterEach(() => cleanup.run())

  const echoServer = async (onSocket: (socket: Socket) => void = socket => socket.pipe(socket)) => {
    const server = createServer({ allowHalfOpen: true }, onSocket).listen(0, '127.0.0.1')
    cleanup.defer(() => server.close())
    await once(server, 'listening')
    return server.address() as { port: number }
  }
  const scope = { defer: (undo: () => unknown) => cleanup.defer(undo) }
  const to = ({ port }: { port: number }) => ({ host: '127.0.0.1', port })

  it('delivers every byte in its order, as late as it says, and the end behind them', async () => {
    const link = await startSlowTcp(scope, to(await echoServer()), 50)
    const socket = connect({ ...link, allowHalfOpen: true })
    await once(socket, 'connect')
    const begun = performance.now()
    for (let i = 0; i < 100; i++) socket.write(`${i},`)
    socket.end()
    let text = ''
    let firstAt = 0
    socket.on('data', bytes => {
      firstAt ||= performance.now()
      text += bytes
    })
    await once(socket, 'end')
    expect(text).to.equal(Array.from({ length: 100 }, (_, i) => `${i},`).join(''))
    // Timers may be a millisecond early.
    expect(firstAt - begun).to.be.at.least(98)
  })

  it('takes down one side when the other one has gone', async () => {
    const link = await startSlowTcp(scope, to(await echoServer(socket => socket.resetAndDestroy())), 5)
    const socket = connect(link)
    socket.on('error', () => {})
    await once(socket, 'close')
  })
})
