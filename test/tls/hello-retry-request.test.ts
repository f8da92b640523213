import { expect } from 'chai'
import { type Extensions, ExtensionType } from '../../src/tls/extensions/extensions.ts'
import { encodeKeyShares, encodeSelectedGroup } from '../../src/tls/extensions/key-share.ts'
import { NamedGroup, newKeyPair } from '../../src/tls/key-exchange.ts'
import { type ClientHello, decodeClientHello, encodeClientHello } from '../../src/tls/messages/client-hello.ts'
import { encodeServerHello } from '../../src/tls/messages/server-hello.ts'
import { vector } from '../../src/tls/vectors.ts'
import { expectAlert } from './expect-alert.ts'
import { deliver, type Material, newClient, newMaterial, newPair, run } from './in-memory.ts'

const { x25519, secp256r1 } = NamedGroup

describe('HelloRetryRequest', () => {
  let material: Material
  before(async () => {
    material = await newMaterial()
  })

  const retry = (extensions: Extensions, cipherSuite = 0x1301): Uint8Array =>
    encodeServerHello({ isRetry: true, cipherSuite, extensions })
  const selected = (group: number): [number, Uint8Array] => [ExtensionType.key_share, encodeSelectedGroup(group)]

  it('asks for the key share that the server wants, and the handshake goes on with it', () => {
    for (const suite of [0x1301, 0x1302] as const) {
      const { client, server } = newPair(material, { suites: [suite] }, { groups: [secp256r1] })
      run({ client, server })
      expect(client.tls.complete && server.tls.complete).to.equal(true)
      expect(client.sink.story.filter(step => step === 'message 1 on 0')).to.have.length(2)
      expect(server.sink.story.filter(step => step === 'message 2 on 0')).to.have.length(2)
      expect(client.sink.secrets.get('read 2')).to.deep.equal(server.sink.secrets.get('write 2'))
    }
  })

  it('works with a resumption, too', () => {
    const first = newPair(material, { groups: [x25519, secp256r1] }, { groups: [secp256r1] })
    run(first)
    const ticket = first.client.sink.tickets[0]
    const second = newPair(material, { groups: [x25519, secp256r1], ticket }, first.context)
    run(second)
    expect(second.client.tls.resumed && second.server.tls.resumed).to.equal(true)
    expect(second.client.sink.story.filter(step => step === 'message 1 on 0')).to.have.length(2)
  })

  it('brings a cookie back', () => {
    const { tls, sink } = newClient(material)
    tls.start()
    sink.outgoing.splice(0)
    const cookie = vector(2, Uint8Array.of(1, 2, 3))
    tls.receive(0, retry(new Map([[ExtensionType.cookie as number, cookie]])))
    const hello = decodeClientHello(sink.outgoing[0].data.subarray(4))
    expect(hello.extensions.get(ExtensionType.cookie)).to.deep.equal(cookie)
  })

  it('is refused by the client when it is not to be followed', () => {
    const answer = (message: Uint8Array) => () => {
      const { tls } = newClient(material)
      tls.start()
      tls.receive(0, message)
    }
    // §4.1.4: it changes nothing; §4.2.8: the group was not offered, or its key share is there already.
    expectAlert('illegal_parameter', answer(retry(new Map())))
    expectAlert('illegal_parameter', answer(retry(new Map([selected(0x18)]))))
    expectAlert('illegal_parameter', answer(retry(new Map([selected(x25519)]))))
    expectAlert('illegal_parameter', answer(retry(new Map([selected(secp256r1)]), 0x1304)))
    const alpn: [number, Uint8Array] = [ExtensionType.application_layer_protocol_negotiation, new Uint8Array(0)]
    expectAlert('illegal_parameter', answer(retry(new Map([selected(secp256r1), alpn]))))
    expectAlert('unsupported_extension', answer(retry(new Map([selected(secp256r1), [99, new Uint8Array(0)]]))))
  })

  it('comes once, and keeps the suite', () => {
    const { tls } = newClient(material)
    tls.start()
    tls.receive(0, retry(new Map([selected(secp256r1)])))
    expectAlert('unexpected_message', () => tls.receive(0, retry(new Map([selected(x25519)]))))

    const { client, server } = newPair(material, {}, { groups: [secp256r1] })
    client.tls.start()
    deliver(client, server)
    deliver(server, client)
    deliver(client, server)
    const change = (message: Uint8Array): Uint8Array => {
      const changed = Uint8Array.from(message)
      // The suite is behind header, version, random and the empty session id.
      changed[4 + 2 + 32 + 1 + 1] = 0x02
      return changed
    }
    expectAlert('illegal_parameter', () => deliver(server, client, change))
  })

  it('is answered by the same ClientHello but for the key share, and by one of the group that was asked for', () => {
    const { publicKey } = newKeyPair(secp256r1)
    const changes: ((hello: ClientHello) => ClientHello)[] = [
      hello => ({ ...hello, random: new Uint8Array(32) }),
      hello => ({ ...hello, cipherSuites: [0x1301] }),
      hello => ({
        ...hello,
        extensions: new Map([...hello.extensions, [ExtensionType.server_name, new Uint8Array(0)]]),
      }),
      hello => ({
        ...hello,
        extensions: new Map([...hello.extensions].filter(([type]) => type !== ExtensionType.server_name)),
      }),
      hello => {
        const shares = encodeKeyShares([newKeyPair(x25519), { group: secp256r1, publicKey }])
        return { ...hello, extensions: new Map([...hello.extensions, [ExtensionType.key_share, shares]]) }
      },
      hello => {
        const shares = encodeKeyShares([{ group: secp256r1, publicKey }, newKeyPair(x25519)])
        return { ...hello, extensions: new Map([...hello.extensions, [ExtensionType.key_share, shares]]) }
      },
      hello => {
        const shares = encodeKeyShares([newKeyPair(x25519)])
        return { ...hello, extensions: new Map([...hello.extensions, [ExtensionType.key_share, shares]]) }
      },
    ]
    for (const change of changes) {
      const { client, server } = newPair(material, {}, { groups: [secp256r1] })
      client.tls.start()
      deliver(client, server)
      deliver(server, client)
      expectAlert('illegal_parameter', () =>
        deliver(client, server, message => encodeClientHello(change(decodeClientHello(message.subarray(4))))),
      )
    }
  })
})
