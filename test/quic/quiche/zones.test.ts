import { expect } from 'chai'
import { Zones } from '../../../src/quic/quiche/zones.ts'

describe('zones of IPv6 link-local addresses', () => {
  it('AT-02 become part of the address and come out again, each its own', () => {
    const zones = new Zones()
    const hosts = ['fe80::1%eth0', 'fe80::1%eth1', 'fe80::ff:fe00:1%eth0', 'fe80::%eth1', 'fe80::1:2:3:4%12']
    const embedded = hosts.map(host => zones.embed(host) as string)
    expect(embedded).to.deep.equal(['fe80:1::1', 'fe80:2::1', 'fe80:1::ff:fe00:1', 'fe80:2::', 'fe80:3::1:2:3:4'])
    expect(embedded.map(host => zones.restore(host))).to.deep.equal(hosts)
  })

  it('AT-02 are refused where the address has no room for them', () => {
    const zones = new Zones()
    expect(zones.embed('fe80:1::1%eth0')).to.equal(undefined)
    expect(zones.embed('fe90::1%eth0')).to.equal(undefined)
  })

  it('leave every other address alone', () => {
    const zones = new Zones()
    for (const host of ['127.0.0.1', '::1', '2001:db8::1', '::ffff:192.0.2.1', 'fe80::1']) {
      expect(zones.embed(host)).to.equal(host)
      expect(zones.restore(host)).to.equal(host)
    }
  })
})
