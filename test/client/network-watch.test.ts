import { expect } from 'chai'
import { NetworkWatch } from '../../src/client/network-watch.ts'
import { until } from '../support/loopback.ts'

const REMOTE = { host: '192.0.2.1', port: 4433 }

describe('the watch on the network', () => {
  const watches: NetworkWatch[] = []
  afterEach(() => {
    for (const watch of watches.splice(0)) watch.stop()
  })

  const start = (options: { moves?: boolean } = {}) => {
    const state = {
      /** The address in use, that which the system would choose, and all that there are. */
      used: 'A',
      chosen: 'A' as string | undefined,
      own: ['A', 'B'],
      looks: 0,
      moves: [] as string[],
      errors: [] as unknown[],
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
      lookMs: 5,
    })
    watches.push(watch)
    const looks = async (count: number) => {
      const goal = state.looks + count
      await until(() => state.looks >= goal)
    }
    return { state, looks, watch }
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
})
