import { closeSync, openSync } from 'node:fs'
import { expect } from 'chai'
import { TunError } from '../../../../src/hosts/tun/errors.ts'
import { RouteSocket } from '../../../../src/hosts/tun/linux/route-socket.ts'

describe('a routing socket', () => {
  before(function () {
    if (process.platform === 'linux') return
    console.log('      skipped: routing sockets of this kind are for Linux')
    this.skip()
  })

  it('is not used any more when it is closed: its number may be that of somebody else by then', () => {
    const routes = new RouteSocket()
    expect(routes.link('lo')).to.include({ name: 'lo', tun: undefined })
    routes.close()
    const another = openSync('/dev/null', 'r+')
    try {
      expect(() => routes.link('lo')).to.throw(TunError, 'interface lo: the device is closed')
      routes.close()
    } finally {
      // Still open: it was not closed in passing.
      closeSync(another)
    }
  })
})
