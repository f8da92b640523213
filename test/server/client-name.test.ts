import { expect } from 'chai'
import { CLIENT_NAME_HEADER } from '../../src/carriers/client-name.ts'
import { H3ServerConnection } from '../../src/carriers/h3/server-connection.ts'
import { encodeAddressRequest } from '../../src/connect-ip/address-request.ts'
import type { Header } from '../../src/http/header.ts'
import { FrameType } from '../../src/http3/frames.ts'
import { IpAddress } from '../../src/ip/address.ts'
import { IpPrefix } from '../../src/ip/prefix.ts'
import { type HandlerContext, MasqueHandler } from '../../src/server/masque-handler.ts'
import { CONNECT_IP, controlStream, frame, headersFrame } from '../http3/conversation.ts'
import { FakeQuic } from '../support/fake-quic.ts'
import { newHandlerContext } from '../support/handler-context.ts'

const NAME = 'c2VjcmV0LW9mLWEtY2xpZQ'
const settle = () => new Promise(resolve => setImmediate(resolve))

describe('a client that comes back while the proxy still has its tunnel', () => {
  /** A proxy to which clients come by connections of their own. `who` is the identity of the next one. */
  const proxy = (changes: Partial<HandlerContext> = {}) => {
    const state = { who: undefined as string | undefined }
    let connections = 0
    const { context, pools, tunnels } = newHandlerContext({
      authorise: () => ({ allowed: true, identity: state.who, maxTunnels: 1 }),
      ...changes,
    })
    context.tunnelsOf = identity => [...tunnels.values()].filter(tunnel => tunnel.identity === identity).length
    /** A tunnel is asked for by a new connection, and this address for it. */
    const come = async (name: string | undefined, address = '0.0.0.0', target = '*') => {
      const quic = Object.assign(new FakeQuic('server'), { id: String(++connections) })
      const transport = new H3ServerConnection(quic)
      new MasqueHandler(transport, context)
      transport.onEstablished()
      transport.onStreamData(2, controlStream([0x33, 1]), false)
      const asked = CONNECT_IP.map(
        ([key, value]): Header => [key, key === ':path' ? value.replace('*', target) : value],
      )
      const headers: Header[] = name === undefined ? asked : [...asked, [CLIENT_NAME_HEADER, name]]
      transport.onStreamData(0, headersFrame(headers), false)
      await settle()
      const request = encodeAddressRequest([{ requestId: 1n, prefix: IpPrefix.parse(`${address}/32`) }])
      transport.onStreamData(0, frame(FrameType.DATA, [...request]), false)
      await settle()
      return quic
    }
    const addresses = () => [...tunnels.values()].flatMap(({ proxyTunnel }) => proxyTunnel.addresses.map(String))
    return { state, come, addresses, pools, tunnels }
  }
  const reset = ({ commands }: FakeQuic) => commands.some(command => command.startsWith('reset 0 '))

  for (const who of [undefined, 'alice']) {
    it(`gets its addresses, and the tunnel before ends, ${who === undefined ? 'without an identity' : 'even where it may have one tunnel only'}`, async () => {
      const { state, come, addresses, pools } = proxy()
      state.who = who
      const first = await come(NAME)
      const before = addresses()
      const second = await come(NAME, before[0])
      expect(addresses()).to.deep.equal(before)
      expect([reset(first), reset(second)]).to.deep.equal([true, false])
      expect(pools[4].used).to.equal(1)
    })
  }

  it('ends no tunnel of another identity, whose name it has got to know', async () => {
    const { state, come, addresses, tunnels } = proxy()
    state.who = 'alice'
    const first = await come(NAME)
    const [before] = addresses()
    state.who = 'mallory'
    await come(NAME, before)
    expect(reset(first)).to.equal(false)
    expect(addresses()[0]).to.equal(before)
    expect(tunnels.size).to.equal(2)
  })

  for (const [title, name] of [
    ['without a name', undefined],
    ['with another name', 'YW5vdGhlci1jbGllbnQtaQ'],
    ['with what is no name', 'x'],
    ['with a list of names', `${NAME}, ${NAME}`],
  ] as const) {
    it(`ends no tunnel ${title}`, async () => {
      const { come, addresses, tunnels } = proxy({
        authorise: () => ({ allowed: true, identity: undefined, maxTunnels: 9 }),
      })
      const first = await come(NAME)
      await come(name, addresses()[0])
      expect(reset(first)).to.equal(false)
      expect(tunnels.size).to.equal(2)
    })
  }

  it('has the addresses of the tunnel before at once, so that nobody else can ask for them first', async () => {
    const { come, addresses } = proxy({ authorise: () => ({ allowed: true, identity: undefined, maxTunnels: 9 }) })
    await come(undefined)
    await come(NAME)
    const [other, before] = [addresses().slice(0, 2), addresses().slice(2)]
    await come(NAME)
    expect(addresses()).to.deep.equal([...other, ...before])
  })

  it('ends no tunnel by a request that has waited since before that was asked for', async () => {
    let found = (_: IpAddress[]): void => {}
    const { come, tunnels } = proxy({
      authorise: () => ({ allowed: true, identity: undefined, maxTunnels: 9 }),
      resolve: () =>
        new Promise(resolve => {
          found = resolve
        }),
    })
    await come(NAME, '0.0.0.0', 'slow.example')
    const later = await come(NAME)
    found([IpAddress.parse('10.90.0.1')])
    await settle()
    await settle()
    expect(reset(later)).to.equal(false)
    expect(tunnels.size).to.equal(2)
  })

  it('ends no tunnel when its request is refused', async () => {
    let allowed = true
    const { come, addresses } = proxy({
      authorise: () =>
        allowed
          ? { allowed, identity: undefined, maxTunnels: 9 }
          : { allowed: false, status: 403, reason: 'this identity may not' },
    })
    const first = await come(NAME)
    allowed = false
    await come(NAME)
    expect(reset(first)).to.equal(false)
    expect(addresses().length).to.equal(1)
  })
})
