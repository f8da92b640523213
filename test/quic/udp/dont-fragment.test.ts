import type { Socket } from 'node:dgram'
import { expect } from 'chai'
import { loadLibrary } from '../../../src/net/libc.ts'
import { bindUdp } from '../../../src/net/udp.ts'
import { descriptorOf, setDontFragment } from '../../../src/quic/udp/dont-fragment.ts'

/** <linux/in.h>, <linux/in6.h>: IP_MTU_DISCOVER and IPV6_MTU_DISCOVER, each with its level, and what they are to be. */
const IPV4 = [0, 10]
const IPV6 = [41, 23]
const PROBE = 3

function optionOf(socket: Socket, [level, option]: number[]): number {
  const libc = loadLibrary(null)
  if (typeof libc === 'string') throw new Error(libc)
  const getOption = libc.func('int getsockopt(int fd, int level, int option, void *value, void *length)')
  const value = Int32Array.of(-1)
  expect(getOption(descriptorOf(socket), level, option, value, Uint32Array.of(4))).to.equal(0)
  return value[0]
}

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
        // An IPv6 socket may send to IPv4 addresses too.
        const families = host.includes(':') ? [IPV4, IPV6] : [IPV4]
        expect(families.map(family => optionOf(socket, family))).to.deep.equal(families.map(() => PROBE))
      } finally {
        socket.close()
      }
    })
  }
})
