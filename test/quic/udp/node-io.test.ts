import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { expect } from 'chai'
import { NODE_IO } from '../../../src/quic/udp/node-io.ts'
import { bindSocket } from '../../../src/quic/udp/open-socket.ts'

const AT = { host: '127.0.0.1', port: 0 }

describe("Node's clock and timers", () => {
  for (const choice of ['auto', 'dgram']) {
    it(`ring after what waits in a socket (MASQUE_UDP=${choice}) was read, when the process had to wait for both`, async () => {
      const order: string[] = []
      const socket = await bindSocket(AT, { choice })
      const sender = createSocket('udp4')
      try {
        socket.start({ onPacket: () => order.push('packet'), onError() {} })
        sender.bind(0, AT.host)
        await once(sender, 'listening')
        const rung = new Promise<void>(resolve => {
          NODE_IO.setTimer(() => {
            order.push('timer')
            resolve()
          }, 20)
        })
        // It is in the socket when this is over: the kernel hands it over at once.
        sender.send('x', socket.local.port, AT.host)
        await new Promise(process.nextTick)
        const until = performance.now() + 40
        while (performance.now() < until);
        await rung
        expect(order).to.deep.equal(['packet', 'timer'])
      } finally {
        sender.close()
        await socket.close()
      }
    })
  }

  it('do not ring once they were stopped, and be it in the moment in which they would', async () => {
    let rings = 0
    const stop = NODE_IO.setTimer(() => rings++, 1)
    // Behind the other, and due when that is: the process is kept from both until then.
    setTimeout(stop, 1)
    const until = performance.now() + 10
    while (performance.now() < until);
    await new Promise(resolve => setTimeout(resolve, 20))
    expect(rings).to.equal(0)
  })
})
