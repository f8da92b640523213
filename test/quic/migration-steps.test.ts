import { expect } from 'chai'
import type { PacketSocket } from '../../src/quic/io.ts'
import { Migration } from '../../src/quic/migration.ts'
import type { MigrateResult, UdpPath } from '../../src/quic/quic.ts'
import { FakeSocket } from '../support/fake-engine.ts'
import { VirtualIo } from '../support/virtual-io.ts'

const SERVER = { host: '192.0.2.1', port: 4433 }

/** Lets promises that are settled be heard. */
const heard = () => new Promise(setImmediate)

describe('the steps of a migration, on a clock that a test turns', () => {
  const set = (rttMs = 20) => {
    const io = new VirtualIo()
    const state = {
      path: { local: { host: '10.0.0.1', port: 1 }, remote: SERVER } as UdpPath,
      sockets: [] as FakeSocket[],
      added: [] as PacketSocket[],
      removed: [] as PacketSocket[],
      probes: [] as { at: number; path: UdpPath }[],
      hasSpareIds: true,
      whyNot: undefined as string | undefined,
      /** Where the system's next sockets send from. */
      host: '10.0.0.2',
      results: [] as MigrateResult[],
    }
    const migration = new Migration({
      host: {
        io,
        openSocket: async (_remote, local = state.host) => {
          const socket = new FakeSocket(local, 100 + state.sockets.length)
          state.sockets.push(socket)
          return socket
        },
        addSocket: socket => state.added.push(socket),
        removeSocket: socket => {
          state.removed.push(socket)
          void socket.close()
        },
      },
      whyNot: () => state.whyNot,
      path: () => state.path,
      rttMs: () => rttMs,
      probe: path => {
        state.probes.push({ at: io.now(), path })
        return state.hasSpareIds
      },
      migrate: path => {
        state.path = path
      },
      wake: () => {},
    })
    const migrate = (options = {}) => void migration.migrate(options).then(result => state.results.push(result))
    return { io, state, migration, migrate }
  }

  it('Q-03 repeats the challenge while there is no answer, after longer and longer pauses, and gives up after 3 s', async () => {
    const { io, state, migrate } = set()
    migrate()
    await heard()
    io.pass(2999)
    expect(state.probes.map(({ at }) => at)).to.deep.equal([0, 100, 300, 700, 1500])
    expect(state.results).to.deep.equal([])
    io.pass(1)
    await heard()
    expect(state.results).to.deep.equal([{ moved: false, why: 'nothing came back on the new path in 3 s' }])
    io.pass(10_000)
    expect(state.probes).to.have.length(5)
  })

  it('Q-03 waits longer between challenges where the round trip is longer', async () => {
    const { io, state, migrate } = set(200)
    migrate()
    await heard()
    io.pass(3000)
    expect(state.probes.map(({ at }) => at)).to.deep.equal([0, 600, 1800])
  })

  it('Q-03 moves with the answer, and says how long that took', async () => {
    const { io, state, migration, migrate } = set()
    migrate()
    await heard()
    io.pass(25)
    migration.onValidated({ ...state.probes[0].path })
    await heard()
    expect(state.results).to.deep.equal([{ moved: true, path: state.path, ms: 25 }])
    expect(state.path).to.deep.equal({ local: state.sockets[0].local, remote: SERVER })
    io.pass(10_000)
    expect(state.probes).to.have.length(1)
  })

  it('Q-03 takes no answer of another path for its own', async () => {
    const { state, migration, migrate } = set()
    migrate()
    await heard()
    migration.onValidated({ local: { host: '10.0.0.9', port: 9 }, remote: SERVER })
    await heard()
    expect(state.results).to.deep.equal([])
  })

  it('Q-03 tries of a hundred moves that are asked for at once the first and the last', async () => {
    const { io, state, migrate } = set()
    for (let i = 0; i < 100; i++) {
      state.host = `10.0.1.${i}`
      migrate()
      await heard()
    }
    io.pass(3000)
    await heard()
    io.pass(3000)
    await heard()
    expect(state.sockets).to.have.length(2)
    const reasons = new Set(state.results.map(result => (result.moved ? 'moved' : result.why)))
    expect(state.results).to.have.length(100)
    expect(reasons).to.have.length(2)
  })

  it('Q-03 takes a path that it has left again, rather than another socket', async () => {
    const { state, migration, migrate } = set()
    for (const host of ['10.0.0.2', '10.0.0.3', '10.0.0.2', '10.0.0.3', '10.0.0.2']) {
      state.host = host
      migrate()
      await heard()
      migration.onValidated(state.probes[state.probes.length - 1].path)
      await heard()
    }
    expect(state.added).to.have.length(2)
    expect(state.sockets.filter(({ open }) => open)).to.have.length(2)
    expect(state.path.local.host).to.equal('10.0.0.2')
  })

  it('Q-03 closes the socket when there is no connection id for the path', async () => {
    const { state, migrate } = set()
    state.hasSpareIds = false
    migrate()
    await heard()
    expect(state.results).to.deep.equal([{ moved: false, why: 'there is no connection id for one more path' }])
    expect(state.removed).to.deep.equal(state.sockets)
  })

  it('leaves no socket behind when the connection ends while one is opened', async () => {
    const { state, migration, migrate } = set()
    migrate()
    migration.stop()
    await heard()
    expect(state.results).to.deep.equal([{ moved: false, why: 'the connection has ended' }])
    expect(state.sockets.map(({ open }) => open)).to.deep.equal([false])
  })

  it('ends with the connection', async () => {
    const { io, state, migration, migrate } = set()
    migrate()
    await heard()
    migrate()
    migration.stop()
    await heard()
    const ended = { moved: false, why: 'the connection has ended' }
    expect(state.results).to.deep.equal([ended, ended])
    io.pass(10_000)
    expect(state.probes).to.have.length(1)
  })
})
