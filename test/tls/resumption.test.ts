import { expect } from 'chai'
import fc from 'fast-check'
import type { TlsClientOptions } from '../../src/tls/client.ts'
import { obfuscatedAge } from '../../src/tls/client-resumption.ts'
import { purposeOf, usableSession } from '../../src/tls/client-ticket.ts'
import { ExtensionType } from '../../src/tls/extensions/extensions.ts'
import { decodeClientHello, encodeClientHello } from '../../src/tls/messages/client-hello.ts'
import { HandshakeType } from '../../src/tls/messages/handshake-message.ts'
import { decodeServerHello, encodeServerHello } from '../../src/tls/messages/server-hello.ts'
import { TlsServer, type TlsServerContext } from '../../src/tls/server.ts'
import { TicketSealer } from '../../src/tls/server-ticket.ts'
import { expectAlert } from './expect-alert.ts'
import {
  deliver,
  type Material,
  newClient,
  newContext,
  newMaterial,
  newPair,
  type Pair,
  RecordingSink,
  run,
} from './in-memory.ts'

const HOUR_MS = 3_600_000
const DAY_SECONDS = 86_400

describe('resumption', () => {
  let material: Material
  before(async () => {
    material = await newMaterial()
  })

  function ticketOf(context: TlsServerContext, options: Partial<TlsClientOptions> = {}): Uint8Array {
    const pair = newPair(material, options, context)
    run(pair)
    expect(pair.client.sink.tickets).to.have.length(1)
    return pair.client.sink.tickets[0]
  }

  function resume(context: TlsServerContext, ticket: Uint8Array, options: Partial<TlsClientOptions> = {}): Pair {
    const pair = newPair(material, { ticket, ...options }, context)
    run(pair)
    expect(pair.client.tls.complete && pair.server.tls.complete).to.equal(true)
    expect(pair.client.tls.resumed).to.equal(pair.server.tls.resumed)
    expect(pair.client.sink.secrets.get('read 2')).to.deep.equal(pair.server.sink.secrets.get('write 2'))
    expect(pair.client.sink.secrets.get('write 2')).to.deep.equal(pair.server.sink.secrets.get('read 2'))
    return pair
  }

  for (const suite of [0x1301, 0x1302, 0x1303] as const) {
    it(`goes without certificates: suite 0x${suite.toString(16)}`, () => {
      const context = newContext(material, { suites: [suite] })
      const { client, server } = resume(context, ticketOf(context))
      expect(client.tls.resumed).to.equal(true)
      expect(server.sink.story.filter(step => step.startsWith('message'))).to.deep.equal([
        'message 2 on 0',
        'message 8 on 1',
        'message 20 on 1',
        'message 4 on 2',
      ])
      expect(client.tls.alpn).to.equal('h3')
      expect(client.sink.peerTransportParameters).to.not.equal(undefined)
    })
  }

  it('gives other secrets each time, also with the same ticket, and tickets for the next time', () => {
    const context = newContext(material)
    const ticket = ticketOf(context)
    const [a, b] = [resume(context, ticket), resume(context, ticket)]
    expect(a.client.tls.resumed && b.client.tls.resumed).to.equal(true)
    expect(a.client.sink.secrets.get('read 2')).to.not.deep.equal(b.client.sink.secrets.get('read 2'))
    expect(resume(context, a.client.sink.tickets[0]).client.tls.resumed).to.equal(true)
  })

  it('knows who the peers are from the first time', () => {
    const context = newContext(material, { clientCertificate: 'required' })
    const first = newPair(material, material.client, context)
    run(first)
    const { client, server } = resume(context, first.client.sink.tickets[0], material.client)
    expect(client.tls.resumed).to.equal(true)
    expect(Buffer.from(server.tls.peerCertificate!)).to.deep.equal(Buffer.from(first.server.tls.peerCertificate!))
    expect(Buffer.from(client.tls.peerCertificate!)).to.deep.equal(Buffer.from(first.client.tls.peerCertificate!))
  })

  it('may go on with another suite of the same hash', () => {
    const ticket = (context: TlsServerContext): Uint8Array => ticketOf(context, { suites: [0x1301] })
    const context = newContext(material)
    expect(resume(context, ticket(context), { suites: [0x1301, 0x1303] }).client.tls.resumed).to.equal(true)
  })

  describe('becomes a whole handshake', () => {
    it('for a ticket of another server, of no use, or of no sense', () => {
      const context = newContext(material)
      const ticket = ticketOf(context)
      const others = [ticketOf(newContext(material)), Uint8Array.of(1, 2, 3), new Uint8Array(0), ticket.subarray(0, -1)]
      for (const other of others) expect(resume(context, other).client.tls.resumed).to.equal(false)
    })

    it('when the ticket is too old, for the client and for the server', () => {
      let now = Date.now()
      const unixMs = (): number => now
      const context = newContext(material, { unixMs })
      const ticket = ticketOf(context, { unixMs })
      now += 2 * HOUR_MS - 1000
      expect(resume(context, ticket, { unixMs }).client.tls.resumed).to.equal(true)
      const slow = (): number => now - HOUR_MS
      now += 2000
      expect(resume(context, ticket, { unixMs }).client.tls.resumed).to.equal(false)
      // A client whose clock is slow offers it.
      const pair = resume(context, ticket, { unixMs: slow })
      expect(pair.client.tls.resumed).to.equal(false)
      expect(pair.server.sink.story).to.include('message 11 on 1')
    })

    it('when the clock of the client says that the ticket is still to come', () => {
      const context = newContext(material)
      const ticket = ticketOf(context)
      expect(resume(context, ticket, { unixMs: () => Date.now() - HOUR_MS / 6 }).client.tls.resumed).to.equal(false)
    })

    it('when the ticket was for another name, authority or certificate, or for whoever it is', () => {
      const context = newContext(material, { clientCertificate: 'optional' })
      const ticket = ticketOf(context)
      expect(resume(context, ticket).client.tls.resumed).to.equal(true)
      const otherwise: Partial<TlsClientOptions>[] = [
        { serverName: '127.0.0.1' },
        { verify: 'any' },
        { ca: Buffer.concat([material.ca, Buffer.from('\n')]) },
        material.client,
      ]
      for (const options of otherwise) expect(resume(context, ticket, options).client.tls.resumed).to.equal(false)
      const careless = ticketOf(context, { verify: 'any' })
      expect(resume(context, careless).client.tls.resumed).to.equal(false)
    })

    it('when the certificate of the server has expired since', () => {
      let now = Date.now()
      const unixMs = (): number => now
      const context = newContext(material, { unixMs, ticketLifetimeSeconds: 7 * DAY_SECONDS })
      now += 29 * 24 * HOUR_MS
      const ticket = ticketOf(context, { unixMs })
      now += 20 * HOUR_MS
      expect(resume(context, ticket, { unixMs }).client.tls.resumed).to.equal(true)
      now += 24 * HOUR_MS
      expectAlert('certificate_expired', () => resume(context, ticket, { unixMs }))
    })

    it('when the certificate of the client has expired since', () => {
      let now = Date.now()
      const unixMs = (): number => now
      const context = newContext(material, {
        unixMs,
        clientCertificate: 'required',
        ticketLifetimeSeconds: 7 * DAY_SECONDS,
      })
      now += 29 * 24 * HOUR_MS
      const ticket = ticketOf(context, { unixMs, ...material.client })
      now += 20 * HOUR_MS
      const then = now
      // A client whose clock is slow offers it.
      const options = { unixMs: () => then, ...material.client }
      expect(resume(context, ticket, options).server.tls.resumed).to.equal(true)
      now += 24 * HOUR_MS
      expectAlert('certificate_expired', () => resume(context, ticket, options))
    })

    it('when the suite has another hash', () => {
      const context = newContext(material, { suites: [0x1302, 0x1301] })
      const ticket = ticketOf(context, { suites: [0x1301] })
      expect(resume(context, ticket, { suites: [0x1301, 0x1302] }).client.tls.resumed).to.equal(false)
      expect(resume(context, ticket, { suites: [0x1302] }).client.tls.resumed).to.equal(false)
    })
  })

  it('is for the purpose only that the server has given the ticket for', () => {
    const context = newContext(material)
    const between = (serverPurpose: string, ticket?: Uint8Array): Pair => {
      const sink = new RecordingSink()
      const server = {
        tls: new TlsServer({ sink, context, transportParameters: Uint8Array.of(4, 5), purpose: serverPurpose }),
        sink,
      }
      const pair = { client: newClient(material, { purpose: 'quic', ...(ticket && { ticket }) }), server }
      run(pair)
      return pair
    }
    const [ticket] = between('quic').client.sink.tickets
    expect(between('quic', ticket).server.tls.resumed).to.equal(true)
    expect(between('quicv2', ticket).server.tls.resumed).to.equal(false)
  })

  describe('is not asked for', () => {
    const offers = (message: Uint8Array): boolean =>
      decodeClientHello(message.subarray(4)).extensions.has(ExtensionType.pre_shared_key)

    it('with a suite that the client does not want now', () => {
      const ticket = ticketOf(newContext(material), { suites: [0x1301] })
      for (const suites of [[0x1301], [0x1302]] as const) {
        const { tls, sink } = newClient(material, { ticket, suites })
        tls.start()
        expect(offers(sink.outgoing[0].data)).to.equal(suites[0] === 0x1301)
      }
    })

    it('for another purpose than it was given for', () => {
      const ticket = ticketOf(newContext(material), { purpose: 'quic' })
      for (const purpose of ['quic', 'quicv2']) {
        const { tls, sink } = newClient(material, { ticket, purpose })
        tls.start()
        expect(offers(sink.outgoing[0].data)).to.equal(purpose === 'quic')
      }
    })

    it('again after a HelloRetryRequest with another hash', () => {
      const ticket = ticketOf(newContext(material), { suites: [0x1301] })
      for (const suite of [0x1301, 0x1302] as const) {
        const { client, server } = newPair(material, { ticket }, { suites: [suite], groups: [0x17] })
        client.tls.start()
        expect(offers(client.sink.outgoing[0].data)).to.equal(true)
        deliver(client, server)
        deliver(server, client)
        expect(offers(client.sink.outgoing[0].data)).to.equal(suite === 0x1301)
      }
    })
  })

  it('with a suite of another hash than that of the ticket is refused by the client: illegal_parameter (§4.2.11)', () => {
    const context = newContext(material)
    const { client, server } = newPair(material, { ticket: ticketOf(context) }, context)
    client.tls.start()
    deliver(client, server)
    expectAlert('illegal_parameter', () =>
      deliver(server, client, message =>
        encodeServerHello({ ...decodeServerHello(message.subarray(4)), cipherSuite: 0x1302 }),
      ),
    )
  })

  it('without a new key exchange is not what the server does (§4.2.9)', () => {
    const context = newContext(material)
    const { client, server } = newPair(material, { ticket: ticketOf(context) }, context)
    client.tls.start()
    deliver(client, server, message => {
      const hello = decodeClientHello(message.subarray(4))
      const modes = new Map(hello.extensions).set(ExtensionType.psk_key_exchange_modes, Uint8Array.of(1, 0))
      return encodeClientHello({ ...hello, extensions: modes })
    })
    expect(server.tls.resumed).to.equal(false)
    expect(server.sink.story).to.include('message 11 on 1')
  })

  it('gives no tickets when their lifetime is 0', () => {
    const pair = newPair(material, {}, { ticketLifetimeSeconds: 0 })
    run(pair)
    expect(pair.client.sink.tickets).to.deep.equal([])
  })

  it('is not prepared for a client that cannot do it with a new key exchange', () => {
    class WithoutModes extends TlsServer {
      protected override onMessage(type: number, body: Uint8Array, message: Uint8Array): void {
        if (type !== HandshakeType.client_hello) return super.onMessage(type, body, message)
        const hello = decodeClientHello(body)
        const extensions = new Map(hello.extensions)
        extensions.delete(ExtensionType.psk_key_exchange_modes)
        super.onMessage(type, encodeClientHello({ ...hello, extensions }).subarray(4), message)
      }
    }
    const { client, server, context } = newPair(material)
    const tls = new WithoutModes({ sink: server.sink, context, transportParameters: new Uint8Array(0) })
    run({ client, server: { tls, sink: server.sink } })
    expect(tls.complete && client.tls.complete).to.equal(true)
    expect(client.sink.tickets).to.deep.equal([])
  })

  it('needs the key of the ticket, not only the ticket: decrypt_error', () => {
    const context = newContext(material)
    const ticket = Uint8Array.from(ticketOf(context))
    // Form, purpose, suite and one length are in front of the key.
    ticket[1 + 32 + 2 + 1] ^= 1
    const { client, server } = newPair(material, { ticket }, context)
    client.tls.start()
    expectAlert('decrypt_error', () => deliver(client, server))
  })

  it('hides the age of a ticket', () => {
    const session = { receivedMs: 1_000_000, ageAdd: 0xffff_ffff }
    const base = {
      suite: 0x1301 as const,
      psk: new Uint8Array(32),
      ticket: Uint8Array.of(1),
      lifetimeSeconds: 7200,
      purpose: new Uint8Array(32),
      serverCertificate: new Uint8Array(0),
    }
    expect(obfuscatedAge({ ...base, ...session }, 1_000_500)).to.equal(499)
  })

  describe('the ticket of a server', () => {
    const sealer = new TicketSealer(length => crypto.getRandomValues(new Uint8Array(length)))

    it('brings back what was sealed', () => {
      fc.assert(
        fc.property(
          fc.constantFrom(0x1301, 0x1302, 0x1303) as fc.Arbitrary<0x1301 | 0x1302 | 0x1303>,
          fc.nat(0xffff_ffff),
          fc.uint8Array({ minLength: 32, maxLength: 48 }),
          fc.option(fc.uint8Array({ minLength: 1, maxLength: 2048 }), { nil: undefined }),
          (suite, expires, psk, clientCertificate) => {
            const opened = sealer.open(sealer.seal({ suite, expires, psk, clientCertificate })!)!
            expect({
              ...opened,
              psk: Uint8Array.from(opened.psk),
              clientCertificate: opened.clientCertificate && Uint8Array.from(opened.clientCertificate),
            }).to.deep.equal({ suite, expires, psk, clientCertificate })
          },
        ),
      )
    })

    it('is not opened when it was changed, cut, or is something else', () => {
      const ticket = sealer.seal({ suite: 0x1301, expires: 1, psk: new Uint8Array(32), clientCertificate: undefined })!
      for (let at = 0; at < ticket.length; at++) {
        const changed = Uint8Array.from(ticket)
        changed[at] ^= 1
        expect(sealer.open(changed)).to.equal(undefined)
        expect(sealer.open(ticket.subarray(0, at))).to.equal(undefined)
      }
      fc.assert(fc.property(fc.uint8Array({ maxLength: 4000 }), bytes => sealer.open(bytes) === undefined))
    })

    it('is for one purpose, such as a version of QUIC (RFC 9369 §5)', () => {
      const session = { suite: 0x1301 as const, expires: 1, psk: new Uint8Array(32), clientCertificate: undefined }
      const ticket = sealer.seal(session, 'quic')!
      expect(sealer.open(ticket, 'quic')).to.not.equal(undefined)
      for (const purpose of ['quicv2', '', undefined]) expect(sealer.open(ticket, purpose)).to.equal(undefined)
    })

    it('is not made when it would be large', () => {
      const session = { suite: 0x1301 as const, expires: 1, psk: new Uint8Array(32) }
      expect(sealer.seal({ ...session, clientCertificate: new Uint8Array(2048) })).to.not.equal(undefined)
      expect(sealer.seal({ ...session, clientCertificate: new Uint8Array(2049) })).to.equal(undefined)
    })
  })

  it('ignores whatever else is taken for the ticket of a client', () => {
    const context = newContext(material)
    const purpose = purposeOf('x')
    const good = ticketOf(context)
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 500 }),
          fc.nat(good.length).map(n => good.subarray(0, n)),
        ),
        bytes => {
          expect(usableSession(bytes, purpose, Date.now())).to.equal(undefined)
        },
      ),
    )
  })
})
