import { expect } from 'chai'
import { ClientError } from '../../src/client/errors.ts'
import { decodeAddressAssign } from '../../src/connect-ip/address-assign.ts'
import { encodeAddressRequest } from '../../src/connect-ip/address-request.ts'
import { CapsuleType } from '../../src/connect-ip/capsule.ts'
import { IpPrefix } from '../../src/ip/prefix.ts'
import { closeHostilePeers, HostileClient } from '../support/hostile-peer.ts'
import {
  closeLoopback,
  connectClient,
  failure,
  itOverAll,
  newClient,
  ping,
  startServer,
  until,
} from '../support/loopback.ts'

const SMALL = { pool: { ipv4: IpPrefix.parse('10.89.0.0/30') }, hosts: [] }
const entries = (value: Uint8Array) =>
  decodeAddressAssign(value).map(({ requestId, prefix }) => `${requestId} ${prefix}`)
const request = (...wishes: [id: number, prefix: string][]) =>
  encodeAddressRequest(wishes.map(([id, prefix]) => ({ requestId: BigInt(id), prefix: IpPrefix.parse(prefix) })))

describe('the pools of a proxy', () => {
  afterEach(async () => {
    await closeHostilePeers()
    await closeLoopback()
  })

  itOverAll('CIP-13 refuse when they are exhausted, which the client says in one sentence', async () => {
    const server = await startServer(SMALL)
    const { info } = await connectClient(server)
    expect(info.assigned.map(String)).to.deep.equal(['10.89.0.2/32'])
    const error = await failure((await newClient(server)).connect(), ClientError)
    expect(error).to.include({ kind: 'tunnel', retryable: true })
    expect(error.message).to.match(/no address for us: its pool is exhausted/)
    expect(server.status().pools).to.deep.equal([{ family: 4, prefix: '10.89.0.0/30', used: 1, total: 1 }])
  })

  it('say how many addresses they have to the last digit, as text where a number would lose some', async () => {
    const pool = { ipv4: IpPrefix.parse('10.89.0.0/30'), ipv6: IpPrefix.parse('fd00:89::/64') }
    const { pools } = (await startServer({ pool, hosts: [] })).status()
    expect(pools.map(({ total }) => total)).to.deep.equal([1, String(2n ** 64n - 2n)])
  })

  itOverAll('CIP-11 get an address back when its tunnel ends, and lease it again', async () => {
    const server = await startServer(SMALL)
    for (let i = 0; i < 3; i++) {
      const { client, info } = await connectClient(server)
      expect(info.assigned.map(String)).to.deep.equal(['10.89.0.2/32'])
      await ping(client, '10.89.0.1')
      await client.close()
      await until(() => server.status().pools[0].used === 0)
    }
  })

  itOverAll('lease different addresses to several clients, and the one just given back last', async () => {
    const server = await startServer()
    const [a, b, c] = await Promise.all([1, 2, 3].map(() => connectClient(server)))
    const all = [a, b, c].flatMap(({ info }) => info.assigned.map(String))
    expect(new Set(all).size).to.equal(6)
    await a.client.close()
    await until(() => server.status().tunnels === 2)
    const { info } = await connectClient(server)
    expect(info.assigned.map(String)).to.deep.equal(['10.89.0.5/32', 'fd00:89::5/128'])
  })

  it('CIP-12 CIP-13 answer each request with its id, a refusal included, and tell refusals once', async () => {
    const peer = await HostileClient.connect(await startServer(SMALL))
    const tunnel = await peer.openTunnel()
    expect(entries(await tunnel.capsule(CapsuleType.ADDRESS_ASSIGN))).to.deep.equal(['0 10.89.0.2/32'])
    peer.sendData(tunnel.streamId, request([70, '0.0.0.0/32'], [71, '0.0.0.0/32'], [72, '::/128']))
    expect(entries(await tunnel.capsule(CapsuleType.ADDRESS_ASSIGN, 1))).to.deep.equal([
      '70 10.89.0.2/32',
      '71 0.0.0.0/32',
      '72 ::/128',
    ])
    peer.sendData(tunnel.streamId, request([73, '::/128']))
    expect(entries(await tunnel.capsule(CapsuleType.ADDRESS_ASSIGN, 2))).to.deep.equal(['70 10.89.0.2/32', '73 ::/128'])
  })

  it('CIP-13 answer a request for any address with the one that was assigned unprompted', async () => {
    const peer = await HostileClient.connect(await startServer())
    const tunnel = await peer.openTunnel()
    const [unprompted] = entries(await tunnel.capsule(CapsuleType.ADDRESS_ASSIGN))
    expect(unprompted).to.equal('0 10.89.0.2/32')
    peer.sendData(tunnel.streamId, request([70, '0.0.0.0/32']))
    expect(entries(await tunnel.capsule(CapsuleType.ADDRESS_ASSIGN, 1))).to.include('70 10.89.0.2/32')
  })

  it('CIP-13 lease the address that is asked for when it is free, and another when it is not', async () => {
    const server = await startServer()
    const [a, b] = [await HostileClient.connect(server), await HostileClient.connect(server)]
    const [first, second] = [await a.openTunnel(), await b.openTunnel()]
    a.sendData(first.streamId, request([1, '10.89.0.99/32']))
    expect(entries(await first.capsule(CapsuleType.ADDRESS_ASSIGN, 1))).to.include('1 10.89.0.99/32')
    b.sendData(second.streamId, request([1, '10.89.0.99/32'], [2, '10.89.0.1/32']))
    const answer = entries(await second.capsule(CapsuleType.ADDRESS_ASSIGN, 1))
    expect(answer.some(entry => /^1 10\.89\.0\.\d+\/32$/.test(entry))).to.equal(true)
    expect(answer).not.to.include('1 10.89.0.99/32')
    // The proxy's own.
    expect(answer).not.to.include('2 10.89.0.1/32')
  })

  it('CIP-18 give one client a few addresses and no more', async () => {
    const server = await startServer()
    const peer = await HostileClient.connect(server)
    const tunnel = await peer.openTunnel()
    peer.sendData(
      tunnel.streamId,
      request(...Array.from({ length: 50 }, (_, i): [number, string] => [i + 1, '0.0.0.0/32'])),
    )
    const answer = entries(await tunnel.capsule(CapsuleType.ADDRESS_ASSIGN, 1))
    expect(answer.filter(entry => entry.endsWith(' 0.0.0.0/32')).length).to.equal(46)
    expect(server.status().pools[0].used).to.equal(4)
  })
})
