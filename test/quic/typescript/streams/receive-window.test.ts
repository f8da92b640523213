import { expect } from 'chai'
import { ReceiveWindow } from '../../../../src/quic/typescript/streams/receive-window.ts'
import { FLOW_CONTROL_ERROR } from '../../../../src/quic/typescript/transport-error.ts'
import { codeOf } from './stream-ends.ts'

class Owner {
  now = 0
  updates = 0
  readonly rttMs = (): number => 100
  wantsUpdate(): void {
    this.updates++
  }
}

function windowOf(owner: Owner): ReceiveWindow {
  return new ReceiveWindow(1000, 4000, undefined, owner)
}

describe('receive window', () => {
  it('lets no more come than it says', () => {
    const window = windowOf(new Owner())
    window.onReceived(1000)
    expect(codeOf(() => window.onReceived(1))).to.equal(FLOW_CONTROL_ERROR)
  })

  it('moves on when half of it was read', () => {
    const owner = new Owner()
    const window = windowOf(owner)
    window.onReceived(1000)
    window.onRead(500)
    expect([owner.updates, window.limit]).to.deep.equal([0, 1000])
    owner.now = 1000
    window.onRead(1)
    expect([owner.updates, window.limit]).to.deep.equal([1, 1501])
  })

  it('doubles when half of it was read within two round trips, up to its maximum', () => {
    const owner = new Owner()
    const window = windowOf(owner)
    const sizes: number[] = []
    let read = 0
    for (let i = 0; i < 4; i++) {
      owner.now += 150
      const bytes = window.limit - read
      window.onReceived(bytes)
      window.onRead(bytes)
      read += bytes
      sizes.push(window.limit - read)
    }
    expect(sizes).to.deep.equal([2000, 4000, 4000, 4000])
  })

  it('stays as it is when it is read slowly', () => {
    const owner = new Owner()
    const window = windowOf(owner)
    window.onRead(0)
    owner.now = 300
    window.onReceived(1000)
    window.onRead(1000)
    expect(window.limit).to.equal(2000)
  })

  it('is told anew when the frame was lost, but not when nothing more will come', () => {
    const owner = new Owner()
    const window = windowOf(owner)
    window.onLost()
    expect([owner.updates, window.wantsToSend]).to.deep.equal([1, true])
    window.close()
    window.onLost()
    expect([owner.updates, window.wantsToSend]).to.deep.equal([1, false])
  })
})
