import { expect } from 'chai'
import { NetworkWatch } from '../../src/client/network-watch.ts'
import type { NetworkChanges } from '../../src/net/network-changes.ts'
import { until } from '../support/loopback.ts'

const REMOTE = { host: '192.0.2.1', port: 4433 }

describe('the watch on the network', () => {
  const watches: NetworkWatch[] = []
  afterEach(() => {
    return Promise.all(watches.splice(0).map(watch => watch.stop()))
  })

  /** `hears`: changes are heard, and time goes on by the state's clock only; else it goes on with the looks, however long those take. */
  const start = (options: { moves?: boolean; hears?: boolean } = {}) => {
    const state = {
      /** The address in use, that which the system would choose, and all that there are. */
      used: 'A',
      chosen: 'A' as string | undefined,
      own: ['A', 'B'],
      looks: 0,
      moves: [] as string[],
      errors: [] as unknown[],
      deaf: [] as string[],
      now: 0,
      listening: 0,
      closed: false,
      kernel: undefined as NetworkChanges | undefined,
    }
    const listen = (kernel: NetworkChanges) => {
      state.kernel = kernel
      return {
        listen: () => {
          state.listening++
        },
        close: async () => {
          state.closed = true
        },
      }
    }
    const watch = new NetworkWatch({
      path: () => ({ local: { host: state.used, port: 1 }, remote: REMOTE }),
      move: async () => {
        state.moves.push(String(state.chosen))
        if (options.moves !== false) state.used = String(state.chosen)
        return options.moves !== false
      },
      onError: error => state.errors.push(error),
      chosenAddress: async () => {
        state.looks++
        return state.chosen
      },
      ownAddresses: () => state.own,
      onDeaf: why => state.deaf.push(why),
      listen: options.hears ? listen : () => 'nothing is heard here',
      ...(options.hears ? { now: () => state.now } : { lookMs: 5, now: () => 5 * state.looks }),
    })
    watches.push(watch)
    const looks = async (count: number) => {
      const goal = state.looks + count
      await until(() => state.looks >= goal)
    }
    /** A change is heard, and the look that follows has been. */
    const change = async (chosen: string, afterMs: number) => {
      state.now += afterMs
      state.chosen = chosen
      const goal = state.looks + 1
      state.kernel?.onChange()
      await until(() => state.looks >= goal)
      // What comes of it.
      await new Promise(resolve => setImmediate(resolve))
    }
    return { state, looks, watch, change }
  }

  it('moves when the system chooses another address, twice in a row', async () => {
    const { state, looks } = start()
    await looks(3)
    expect(state.moves).to.deep.equal([])
    state.chosen = 'B'
    await until(() => state.moves.length > 0)
    await looks(5)
    expect(state.moves).to.deep.equal(['B'])
  })

  it('moves at once when the address in use is none of this machine any more', async () => {
    const { state, looks } = start()
    state.own = ['B']
    state.chosen = 'B'
    await looks(2)
    expect(state.moves).to.deep.equal(['B'])
  })

  it('waits while there is no network', async () => {
    const { state, looks } = start()
    state.own = []
    state.chosen = undefined
    await looks(5)
    expect(state.moves).to.deep.equal([])
    state.chosen = 'A'
    await looks(3)
    expect(state.moves).to.deep.equal([])
  })

  it('does not move while no two looks agree, as with an interface that comes and goes', async () => {
    const { state, looks } = start()
    for (let i = 0; i < 20; i++) {
      state.chosen = i % 2 === 0 ? 'B' : 'C'
      await looks(1)
    }
    expect(state.moves).to.deep.equal([])
  })

  it('waits before it tries again what has failed, unless the address is another one', async () => {
    const { state, looks } = start({ moves: false })
    state.chosen = 'B'
    await looks(20)
    expect(state.moves).to.deep.equal(['B'])
    state.chosen = 'C'
    await looks(20)
    expect(state.moves).to.deep.equal(['B', 'C'])
  })

  it('tells what goes wrong, and looks on', async () => {
    const { state, looks, watch } = start()
    expect(watch).to.equal(watches[0])
    Object.defineProperty(state, 'own', {
      get: () => {
        throw new Error('a bug')
      },
    })
    state.chosen = 'B'
    await looks(1)
    await until(() => state.errors.length > 0)
    await looks(3)
    expect(String(state.errors[0])).to.equal('Error: a bug')
  })

  describe('that hears what changes', () => {
    it('leaves an address that has stood at once, when a second look agrees, and listens before each look', async () => {
      const { state, change } = start({ hears: true })
      await change('A', 0)
      expect([state.looks, state.listening]).to.deep.equal([1, 1])
      await change('B', 5000)
      expect(state.moves).to.deep.equal([])
      state.now += 25
      // Nothing more is heard.
      await until(() => state.moves.length > 0)
      expect(state).to.deep.include({ moves: ['B'], looks: 3, listening: 3 })
    })

    it('leaves an address that is none of this machine any more at the first look', async () => {
      const { state, change } = start({ hears: true })
      await change('A', 0)
      state.own = ['B']
      await change('B', 5000)
      expect(state).to.deep.include({ moves: ['B'], looks: 2 })
    })

    it('makes one move, and looks no oftener than every 25 ms, for what comes and goes ten times a second', async () => {
      const { state, change } = start({ hears: true })
      await change('A', 0)
      const [before, beganAt] = [state.looks, performance.now()]
      await change('B', 5000)
      state.now += 25
      await until(() => state.moves.length > 0)
      // Later than half a second after that move.
      state.now += 1000
      for (let i = 0; i < 30; i++) {
        await change(i % 2 === 0 ? 'A' : 'B', 100)
        // Of one change the kernel says much.
        for (let j = 0; j < 1000; j++) state.kernel?.onChange()
      }
      expect(state.moves).to.deep.equal(['B'])
      expect(state.looks - before).to.be.at.most(1 + (performance.now() - beganAt) / 24)
      // It stays.
      await change('A', 100)
      state.now += 500
      await until(() => state.moves.length > 1)
      expect(state.moves).to.deep.equal(['B', 'A'])
    })

    it('moves no more than twice a second when one address after the other goes', async () => {
      const { state, change } = start({ hears: true })
      await change('A', 0)
      for (let i = 1; i <= 40; i++) {
        state.own = [`A${i}`]
        await change(`A${i}`, 100)
      }
      expect(state.moves.length).to.be.within(7, 9)
    })

    it('looks again when something has changed during a look', async () => {
      const { state, change } = start({ hears: true })
      Object.defineProperty(state, 'used', {
        get: () => {
          if (state.looks < 3) state.kernel?.onChange()
          return 'A'
        },
      })
      await change('A', 0)
      await until(() => state.looks === 3)
    })

    it('looks on when it hears no more, and says so once', async () => {
      const { state, change, watch } = start({ hears: true })
      await change('A', 0)
      state.kernel?.onDeaf('the socket has ended')
      expect(state.deaf).to.deep.equal(['the socket has ended'])
      state.own = ['B']
      state.chosen = 'B'
      await until(() => state.moves.length > 0)
      await watch.stop()
      expect(state.closed).to.equal(true)
    })
  })
})
