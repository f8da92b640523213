import { expect } from 'chai'
import { reachesItself } from '../../../src/link/emulator/own-address.ts'

describe('a link that leads to itself', () => {
  const mine = ['192.0.2.7', '2001:db8::7', 'fe80::7']
  const reaches = (own: string, to: string, toPort = 4000): boolean =>
    reachesItself({ host: own, port: 4000 }, { host: to, port: toPort }, mine)

  it('AT-21 is one whose server is the very address it listens on', () => {
    expect(reaches('127.0.0.1', '127.0.0.1')).to.equal(true)
    expect(reaches('::1', '0:0:0:0:0:0:0:1')).to.equal(true)
    expect(reaches('127.0.0.1', '::ffff:127.0.0.1')).to.equal(true)
    expect(reaches('127.0.0.1', '::ffff:7f00:1')).to.equal(true)
  })

  it('AT-21 is one that listens everywhere and whose server is any address of this machine', () => {
    for (const to of ['127.0.0.1', '127.9.9.9', '192.0.2.7', '0.0.0.0'])
      expect(reaches('0.0.0.0', to), to).to.equal(true)
    for (const to of ['127.0.0.1', '192.0.2.7', '::1', '2001:db8::7', 'fe80::7%eth0', '::']) {
      expect(reaches('::', to), to).to.equal(true)
    }
  })

  it('AT-21 is one whose server is "any address", which means loopback to the sender', () => {
    expect(reaches('127.0.0.1', '0.0.0.0')).to.equal(true)
    expect(reaches('::1', '::')).to.equal(true)
  })

  it('is none where the port or the address is another', () => {
    expect(reaches('127.0.0.1', '127.0.0.1', 4001)).to.equal(false)
    expect(reaches('127.0.0.2', '127.0.0.1')).to.equal(false)
    expect(reaches('0.0.0.0', '192.0.2.8')).to.equal(false)
    expect(reaches('0.0.0.0', '::1')).to.equal(false)
    expect(reaches('192.0.2.7', '127.0.0.1')).to.equal(false)
  })
})
