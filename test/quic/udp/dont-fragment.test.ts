import { expect } from 'chai'
import { bindUdp } from '../../../src/net/udp.ts'
import { setDontFragment } from '../../../src/quic/udp/dont-fragment.ts'

describe("Don't Fragment", () => {
  for (const host of ['127.0.0.1', '::1', '::']) {
    it(`Q-01 can be set on a socket at ${host}`, async function () {
      if (process.platform !== 'linux') this.skip()
      const socket = await bindUdp({ host, port: 0 })
      try {
        const reason = setDontFragment(socket)
        if (reason?.includes("Cannot find module 'koffi'")) {
          console.log('      skipped: koffi is not installed (npm ci)')
          this.skip()
        }
        expect(reason).to.equal(undefined)
      } finally {
        socket.close()
      }
    })
  }
})
