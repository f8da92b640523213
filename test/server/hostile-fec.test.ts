import { expect } from 'chai'
import { decodeAddressAssign } from '../../src/connect-ip/address-assign.ts'
import { CapsuleType } from '../../src/connect-ip/capsule.ts'
import { FecEncoder } from '../../src/connect-ip/fec/encoder.ts'
import { FEC_FIELD, readFecField } from '../../src/connect-ip/fec/negotiation.ts'
import type { Header } from '../../src/http/header.ts'
import type { MasqueServer } from '../../src/server/server.ts'
import { ping as echoRequest, packet } from '../connect-ip/packets.ts'
import { bytes, CONNECT_IP, hex, varint } from '../http3/conversation.ts'
import { closeHostilePeers, HostileClient } from '../support/hostile-peer.ts'
import { closeLoopback, startServer, until } from '../support/loopback.ts'

const asking = (value: string): Header[] => [...CONNECT_IP, [FEC_FIELD, value]]

describe('a proxy with forward error correction and a hostile client', () => {
  let server: MasqueServer

  beforeEach(async () => {
    server = await startServer({ tunnel: { fec: true }, limits: { retry: 'never' } })
  })

  afterEach(async () => {
    await closeHostilePeers()
    await closeLoopback()
  })

  it('says nothing of what is asked for and cannot be meant, and opens the tunnel without it', async () => {
    const peer = await HostileClient.connect(server)
    for (const value of ['8;context=3', '8;context=0', '1;context=2', '8', '"8";context=2']) {
      const { status, headers } = await peer.openTunnel(asking(value))
      expect(status).to.equal('200')
      expect(headers.filter(([name]) => name === FEC_FIELD)).to.deep.equal([])
    }
  })

  it('AT-33 drops and counts what comes on the context and is no FEC, forwards nothing that may not be sent, and goes on', async () => {
    const peer = await HostileClient.connect(server)
    const tunnel = await peer.openTunnel(asking('8;context=64'))
    expect(readFecField(tunnel.headers)).to.deep.equal({ groupSize: 8, contextId: 64 })
    const own = String(decodeAddressAssign(await tunnel.capsule(CapsuleType.ADDRESS_ASSIGN))[0].prefix.address)
    const send = (payload: Uint8Array) => peer.quic.sendDatagram(bytes(varint(tunnel.streamId / 4), payload))
    const dropped = () => server.status().packets.dropped
    const encoder = new FecEncoder({ contextId: 64, groupSize: 32 })
    /** Only the parity of a group of one packet: the packet itself "was lost". */
    const sendParityOf = (ip: Uint8Array) => {
      encoder.sent(ip, 0)
      send((encoder.flush() as Uint8Array).slice())
    }
    for (const garbage of [
      '4040',
      '4040 000000',
      '4040 000000 20 45',
      '4040 000000 ff 0000',
      '80000040 000000 81 00',
    ]) {
      send(hex(garbage))
    }
    await until(() => dropped().malformed === 5)
    sendParityOf(packet('192.0.2.1', '10.90.0.1'))
    await until(() => dropped()['source-policy'] === 1)
    // Beside the pings with which the proxy tries the link, which go on the context, too.
    const replies = () => peer.recorder.datagrams.filter(received => Buffer.from(received).includes(echoData)).length
    sendParityOf(echoRequest(own, '10.90.0.1', 333))
    await until(() => replies() > 0)
    send(bytes([0], echoRequest(own, '10.90.0.1', 333)))
    await until(() => replies() > 1)
    expect(server.status().fec.recovered).to.equal(2)
  })
})

/** What `echoRequest` puts into a ping of 333 bytes. */
const echoData = Buffer.alloc(333, 0xaa)
