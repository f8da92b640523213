import { expect } from 'chai'
import { isLoopback, networkOf } from '../../../src/server/api/addresses.ts'

describe('addresses of those who ask the REST API', () => {
  it('are one network for who has them all: this machine, a /64 of IPv6, an address of IPv4 in either form', () => {
    for (const own of ['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1']) expect(networkOf(own)).to.equal('loopback')
    expect(networkOf('2001:db8::1')).to.equal(networkOf('2001:db8::ffff:0:0:1'))
    expect(networkOf('fe80::1%eth0')).to.equal(networkOf('fe80::2%eth1'))
    expect(networkOf('2001:db8::1')).to.not.equal(networkOf('2001:db8:0:1::1'))
    expect(networkOf('192.0.2.1')).to.not.equal(networkOf('192.0.2.2'))
    expect(networkOf('::ffff:192.0.2.1')).to.not.equal(networkOf('::ffff:192.0.2.2'))
  })

  it('are of this machine only when they are written as addresses', () => {
    const others = [
      'localhost',
      '127.1',
      '127.0.0.1.evil.example',
      '128.0.0.1',
      '::2',
      '::ffff:128.0.0.1',
      '',
      '0.0.0.0',
    ]
    expect(others.filter(isLoopback)).to.deep.equal([])
  })
})
