import { constants } from 'node:os'
import { expect } from 'chai'
import { type ChangesSystem, type Listening, listenForChanges } from '../../src/net/network-changes.ts'
import type { Watcher } from '../../src/net/readiness.ts'
import { runInNamespace } from '../support/in-namespace.ts'
import { PATIENCE_MS } from '../support/patience.ts'

const { EAGAIN, EBADF, EINTR, ENOBUFS } = constants.errno
const LINKS = [
  'ip link set lo up',
  ...['first', 'second'].flatMap((name, i) => [
    `ip link add ${name} type veth peer name peer${i}`,
    `ip link set peer${i} up`,
    `ip link set ${name} addrgenmode none up`,
    `ip addr add 198.51.100.${i + 1}/32 dev ${name}`,
    `ip route add default dev ${name} metric ${i + 1}`,
  ]),
]

describe('changes of the network', () => {
  /** A kernel whose messages are these: lengths, or errors below 0; then there are none. */
  const fake = (...messages: number[]) => {
    const state = {
      messages,
      watcher: undefined as Watcher | undefined,
      isPaused: false,
      isWatched: true,
      isOpen: true,
      changes: 0,
      deaf: [] as string[],
      reads: 0,
    }
    const system: ChangesSystem = {
      open: () => ({
        fd: 7,
        receive: () => {
          state.reads++
          return state.messages.shift() ?? -EAGAIN
        },
        close: () => {
          if (state.isWatched || !state.isOpen) throw new Error('closed while it is watched, or twice')
          state.isOpen = false
        },
      }),
      watchReadable: (_fd, watcher, options) => {
        expect(options).to.deep.equal({ keepsAlive: false })
        state.watcher = watcher
        return {
          pause: () => {
            state.isPaused = true
          },
          resume: () => {
            state.isPaused = false
          },
          close: async () => {
            await new Promise(setImmediate)
            state.isWatched = false
          },
        }
      },
    }
    const events = { onChange: () => state.changes++, onDeaf: (why: string) => state.deaf.push(why) }
    return { state, listening: listenForChanges(events, system) as Listening }
  }

  it('are told once, and nothing is read or told until somebody listens again', async () => {
    const { state, listening } = fake(16, 16, 16)
    state.watcher?.onReadable()
    expect(state).to.include({ changes: 1, reads: 0, isPaused: true })
    listening.listen()
    expect(state).to.include({ changes: 1, reads: 4, isPaused: false })
    await listening.close()
    expect(state).to.include({ isOpen: false })
  })

  it('are heard on when the kernel had more to say than it keeps', async () => {
    const { state, listening } = fake(16, -ENOBUFS, -EINTR, 16)
    listening.listen()
    expect(state).to.deep.include({ reads: 5, isPaused: false, deaf: [] })
    await listening.close()
  })

  it('are thrown away in a bounded number, however many there are', async () => {
    const { state, listening } = fake(...Array(10_000).fill(16))
    listening.listen()
    expect(state).to.include({ reads: 256, isPaused: false })
    await listening.close()
  })

  for (const [what, message, why] of [
    ['fails', -EBADF, 'reading failed (EBADF)'],
    ['ends', 0, 'the routing socket has ended'],
  ] as const)
    it(`are heard no more when the socket ${what}, which is said once, and nothing is left`, async () => {
      const { state, listening } = fake(message, message)
      listening.listen()
      listening.listen()
      expect(state.deaf).to.deep.equal([why])
      await listening.close()
      expect(state).to.include({ isOpen: false, isWatched: false })
    })

  it('are heard no more when the socket cannot be watched', async () => {
    const { state, listening } = fake()
    state.watcher?.onError(new Error('it is not open'))
    expect(state.deaf).to.deep.equal(['it is not open'])
    await listening.close()
    await listening.close()
    expect(state).to.include({ isOpen: false })
  })

  it('are let go even where the system does not close the socket', async () => {
    const { state, listening } = fake()
    state.isOpen = false
    await listening.close()
    await listening.close()
  })

  it('cannot be heard where such a socket is refused, and why is said', () => {
    const system = { open: () => 'a routing socket was refused (EPERM)' } as unknown as ChangesSystem
    expect(listenForChanges({ onChange() {}, onDeaf() {} }, system)).to.equal('a routing socket was refused (EPERM)')
  })

  describe('in a network namespace', () => {
    let result: { heard: Record<string, boolean>; moves: string[]; looks: number; most: number; sockets: object }

    before(function () {
      this.timeout(PATIENCE_MS)
      result = runInNamespace(this, LINKS, new URL('./changing-network.ts', import.meta.url))
    })

    it('are heard: of interfaces, addresses and routes of both families, without root', () => {
      expect(result.heard).to.deep.equal({
        'link set second mtu 1400': true,
        'addr add 203.0.113.1/32 dev second': true,
        'addr add fd00::1/128 dev second nodad': true,
        'route add 203.0.113.9/32 dev second': true,
        'route add fd00::9/128 dev second': true,
      })
    })

    it('make a client move that would not look by itself within the hour', () => {
      expect(result.moves).to.deep.equal(['198.51.100.2', '198.51.100.1'])
    })

    it('cost no more than a look every 25 ms, when there are thousands', () => {
      expect(result.looks).to.be.within(1, result.most)
    })

    it('leave nothing behind, and keep no process from its end', () => {
      expect(result.sockets).to.deep.equal({ listening: 1, left: 0 })
    })
  })
})
