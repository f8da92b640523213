import { expect } from 'chai'
import { type AlertName, TlsAlert } from '../../src/tls/alert.ts'
import { NamedGroup } from '../../src/tls/key-exchange.ts'
import { identityOf, issueRoot, issueServer, type KeyKind, keyPemOf, pemOf } from './certificates.ts'
import { expectAlert } from './expect-alert.ts'
import {
  CLIENT_PARAMETERS,
  deliver,
  type Material,
  newClient,
  newContext,
  newMaterial,
  newPair,
  newServer,
  type Pair,
  run,
  SERVER_PARAMETERS,
  withOtherSignature,
} from './in-memory.ts'

function expectSameSecrets({ client, server }: Pair): void {
  expect(client.tls.complete && server.tls.complete).to.equal(true)
  for (const level of [1, 2]) {
    expect(client.sink.secrets.get(`read ${level}`)).to.deep.equal(server.sink.secrets.get(`write ${level}`))
    expect(client.sink.secrets.get(`write ${level}`)).to.deep.equal(server.sink.secrets.get(`read ${level}`))
  }
}

describe('the TLS 1.3 handshake', () => {
  let material: Material
  before(async () => {
    material = await newMaterial()
  })

  it('gives both ends the same secrets, protocol and transport parameters', () => {
    const pair = newPair(material, { alpn: ['other', 'h3'] })
    const { client, server } = pair
    run(pair)
    expectSameSecrets(pair)
    expect([client.tls.alpn, server.tls.alpn]).to.deep.equal(['h3', 'h3'])
    expect([client.tls.resumed, server.tls.resumed]).to.deep.equal([false, false])
    expect(client.sink.peerTransportParameters).to.deep.equal(SERVER_PARAMETERS)
    expect(server.sink.peerTransportParameters).to.deep.equal(CLIENT_PARAMETERS)
    const secrets = [...client.sink.secrets.values()].map(({ secret }) => Buffer.from(secret).toString('hex'))
    expect(new Set(secrets).size).to.equal(4)
  })

  it('tells of everything in an order with which QUIC can send and receive', () => {
    const { client, server } = newPair(material)
    run({ client, server })
    expect(client.sink.story).to.deep.equal([
      'message 1 on 0',
      'write 1',
      'read 1',
      'parameters',
      'message 20 on 1',
      'write 2',
      'read 2',
      'complete',
    ])
    expect(server.sink.story).to.deep.equal([
      'parameters',
      'message 2 on 0',
      'write 1',
      'read 1',
      ...[8, 11, 15, 20].map(type => `message ${type} on 1`),
      'write 2',
      // RFC 9001 §5.7: nothing in 1-RTT is read before the handshake is complete.
      'read 2',
      'complete',
      'message 4 on 2',
    ])
  })

  for (const suite of [0x1301, 0x1302, 0x1303] as const) {
    for (const group of Object.values(NamedGroup)) {
      it(`works with suite 0x${suite.toString(16)} and group ${group}`, () => {
        const pair = newPair(material, { suites: [suite], groups: [group] })
        run(pair)
        expectSameSecrets(pair)
        expect(pair.client.sink.secrets.get('read 2')?.suite).to.equal(suite)
        expect(pair.client.sink.secrets.get('read 2')?.secret).to.have.length(suite === 0x1302 ? 48 : 32)
      })
    }
  }

  for (const key of ['P-256', 'P-384', 'Ed25519', 'RSA-2048'] as KeyKind[]) {
    it(`works with a ${key} key of the server`, () => {
      const root = issueRoot()
      const leaf = issueServer(root, { key })
      const pair = newPair(material, { ca: pemOf(root.der), serverName: 'proxy.example' }, identityOf(leaf))
      run(pair)
      expectSameSecrets(pair)
      expect(Buffer.from(pair.client.tls.peerCertificate!)).to.deep.equal(Buffer.from(leaf.der))
    })
  }

  it('works with messages in pieces of one byte', () => {
    const pair = newPair(material)
    run(pair, 1)
    expectSameSecrets(pair)
  })

  it('goes by the preference of the server among what the client offers', () => {
    const pair = newPair(
      material,
      { suites: [0x1303, 0x1301], alpn: ['a', 'b'] },
      { suites: [0x1302, 0x1301, 0x1303], alpn: ['b', 'a'] },
    )
    run(pair)
    expect(pair.client.tls.alpn).to.equal('b')
    expect(pair.client.sink.secrets.get('read 2')?.suite).to.equal(0x1301)
  })

  it('logs its secrets, both ends the same lines', () => {
    const pair = newPair(material)
    run(pair)
    const { keyLog } = pair.client.sink
    expect(keyLog).to.deep.equal(pair.server.sink.keyLog)
    expect(keyLog.map(line => line.split(' ')[0])).to.deep.equal([
      'CLIENT_HANDSHAKE_TRAFFIC_SECRET',
      'SERVER_HANDSHAKE_TRAFFIC_SECRET',
      'CLIENT_TRAFFIC_SECRET_0',
      'SERVER_TRAFFIC_SECRET_0',
      'EXPORTER_SECRET',
    ])
    for (const line of keyLog) expect(line).to.match(/^[A-Z_0-9]+ [0-9a-f]{64} [0-9a-f]{64}$/)
    const secret = Buffer.from(pair.client.sink.secrets.get('write 2')!.secret).toString('hex')
    expect(keyLog[2].split(' ')[2]).to.equal(secret)
  })

  it('sends a name as SNI, an address not', () => {
    const hasName = (serverName: string): boolean => {
      const { tls, sink } = newClient(material, { serverName })
      tls.start()
      return Buffer.from(sink.outgoing[0].data).includes(serverName)
    }
    expect(hasName('localhost')).to.equal(true)
    expect(hasName('127.0.0.1')).to.equal(false)
    expect(hasName('::1')).to.equal(false)
  })

  it('is alike for the same randomness, up to what signs it', () => {
    const hello = (): Uint8Array => {
      const { tls, sink } = newClient(material, { random: length => new Uint8Array(length).fill(7) })
      tls.start()
      return sink.outgoing[0].data
    }
    expect(hello()).to.deep.equal(hello())
  })

  describe('does not take place', () => {
    const cases: [
      string,
      AlertName,
      'client' | 'server',
      Parameters<typeof newPair>[1],
      Parameters<typeof newPair>[2],
    ][] = [
      ['without a common protocol', 'no_application_protocol', 'server', { alpn: ['x'] }, {}],
      ['without a common suite', 'handshake_failure', 'server', { suites: [0x1301] }, { suites: [0x1302] }],
      ['without a common group', 'handshake_failure', 'server', { groups: [0x17] }, { groups: [0x1d] }],
      ['with a server of another name', 'bad_certificate', 'client', { serverName: 'other.example' }, {}],
      ['with a server of another address', 'bad_certificate', 'client', { serverName: '192.0.2.1' }, {}],
      ['with a certificate that has expired', 'certificate_expired', 'client', { unixMs: () => Date.UTC(2100, 0) }, {}],
      ['with an authority that is not trusted', 'unknown_ca', 'client', { ca: undefined }, {}],
    ]
    for (const [title, alert, who, clientOptions, serverOptions] of cases) {
      it(`${title}: ${alert} of the ${who}`, () => {
        const { client, server } = newPair(material, clientOptions, serverOptions)
        client.tls.start()
        if (who === 'server') expectAlert(alert, () => deliver(client, server))
        else {
          deliver(client, server)
          expectAlert(alert, () => deliver(server, client))
        }
        expect([client.tls.complete, server.tls.complete]).to.deep.equal([false, false])
        expect(client.sink.secrets.has('read 2')).to.equal(false)
      })
    }
  })

  it('takes whoever the server is with `any`, and still looks at its signature', () => {
    const other = newContext(material, identityOf(issueServer(issueRoot())))
    const pair = newPair(material, { verify: 'any' }, other)
    run(pair)
    expectSameSecrets(pair)

    const { client, server } = newPair(material, { verify: 'any' }, other)
    client.tls.start()
    deliver(client, server)
    expectAlert('decrypt_error', () => deliver(server, client, withOtherSignature))
  })

  it('lets out what the receiver of the transport parameters throws', () => {
    const { client, server } = newPair(material)
    server.sink.onPeerTransportParameters = () => {
      throw new RangeError('no such parameter')
    }
    client.tls.start()
    expect(() => deliver(client, server)).to.throw(RangeError, 'no such parameter')
  })

  it('has nothing more to say after an alert', () => {
    const server = newServer(newContext(material))
    expect(() => server.tls.receive(0, Uint8Array.of(99))).to.throw(TlsAlert)
    const { tls, sink } = newClient(material)
    tls.start()
    server.tls.receive(0, sink.outgoing[0].data)
    expect(server.sink.outgoing).to.deep.equal([])
  })

  it('is refused at once with keys and certificates that are of no use', () => {
    const other = keyPemOf(issueRoot().key)
    expect(() => newContext(material, { key: other })).to.throw('the key is not that of the certificate')
    expect(() => newContext(material, { certificateChain: Buffer.from('') })).to.throw('no certificate')
    expect(() => newContext(material, { ca: Buffer.from(''), clientCertificate: 'required' })).to.throw(
      'no certificate',
    )
    expect(() => newClient(material, { ca: Buffer.from('') })).to.throw('no certificate')
  })
})
