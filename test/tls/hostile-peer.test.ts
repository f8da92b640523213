import { expect } from 'chai'
import fc from 'fast-check'
import { type AlertName, TlsAlert } from '../../src/tls/alert.ts'
import { encodeAlpn } from '../../src/tls/extensions/alpn.ts'
import { ExtensionType } from '../../src/tls/extensions/extensions.ts'
import { encodeKeyShare, encodeKeyShares } from '../../src/tls/extensions/key-share.ts'
import { newKeyPair } from '../../src/tls/key-exchange.ts'
import { encodeCertificate } from '../../src/tls/messages/certificate.ts'
import { type ClientHello, decodeClientHello, encodeClientHello } from '../../src/tls/messages/client-hello.ts'
import { decodeEncryptedExtensions, encodeEncryptedExtensions } from '../../src/tls/messages/encrypted-extensions.ts'
import { HandshakeType, handshakeMessage } from '../../src/tls/messages/handshake-message.ts'
import { encodeNewSessionTicket } from '../../src/tls/messages/new-session-ticket.ts'
import { decodeServerHello, encodeServerHello, type ServerHello } from '../../src/tls/messages/server-hello.ts'
import type { EncryptionLevel } from '../../src/tls/tls.ts'
import { expectAlert } from './expect-alert.ts'
import {
  deliver,
  type End,
  type Material,
  newContext,
  newMaterial,
  newPair,
  newServer,
  type Pair,
  run,
} from './in-memory.ts'

const PROTOCOL_VIOLATION = 0x0a
const E = ExtensionType
const NONE = new Uint8Array(0)

/** Bytes that are not what was sent. */
const change: fc.Arbitrary<(message: Uint8Array) => Uint8Array> = fc.oneof(
  fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })).map(([at, by]) => (message: Uint8Array) => {
    const changed = Uint8Array.from(message)
    changed[at % changed.length] ^= by
    return changed
  }),
  fc.nat().map(at => (message: Uint8Array) => message.slice(0, at % message.length)),
  fc.tuple(fc.nat(), fc.uint8Array({ minLength: 1, maxLength: 40 })).map(([at, more]) => (message: Uint8Array) => {
    const where = at % message.length
    return Uint8Array.from([...message.subarray(0, where), ...more, ...message.subarray(where)])
  }),
  // The same with a header that says how long it is then: what comes in is read to its end.
  fc.tuple(fc.nat(), fc.uint8Array({ maxLength: 40 }), fc.nat(20)).map(([at, more, less]) => (message: Uint8Array) => {
    const where = 4 + (at % (message.length - 4))
    const body = [...message.subarray(4, where), ...more, ...message.subarray(where + less)]
    return handshakeMessage(message[0], Uint8Array.from(body))
  }),
)

describe('a hostile peer', () => {
  let material: Material
  before(async () => {
    material = await newMaterial()
  })

  const bothComplete = ({ client, server }: Pair): boolean => client.tls.complete && server.tls.complete

  for (const [title, options] of [
    ['a handshake with client certificates', { clientCertificate: 'required' }],
    ['a handshake with HelloRetryRequest', { groups: [0x17] }],
    ['a resumption', {}],
  ] as const) {
    it(`that changes one message of ${title} gets an alert, or waits: it is never completed, and nothing else is thrown`, () => {
      const context = newContext(material, options)
      const first = newPair(material, material.client, context)
      run(first)
      const ticket = title === 'a resumption' ? { ticket: first.client.sink.tickets[0] } : {}
      const seen = new Map<string, number>()
      fc.assert(
        fc.property(fc.nat(9), change, fc.constantFrom(1, 7, 5000), (which, mutate, piece) => {
          const pair = newPair(material, { ...material.client, ...ticket }, context)
          let count = 0
          let isChanged = false
          let isOver = false
          const tamper = (message: Uint8Array): Uint8Array => {
            if (count++ !== which) return message
            const changed = mutate(message)
            isChanged = Buffer.compare(changed, message) !== 0
            return changed
          }
          try {
            pair.client.tls.start()
            while (pair.client.sink.outgoing.length + pair.server.sink.outgoing.length > 0) {
              deliver(pair.client, pair.server, tamper, piece)
              deliver(pair.server, pair.client, message => (message[0] === 4 ? message : tamper(message)), piece)
            }
          } catch (error) {
            if (!(error instanceof TlsAlert)) throw error
            seen.set(error.message, (seen.get(error.message) ?? 0) + 1)
            // Also where the change was to put something behind the last message.
            isOver = true
          }
          expect(bothComplete(pair) && !isOver).to.equal(!isChanged)
        }),
        { numRuns: 400 },
      )
      expect(seen.size, [...seen.keys()].join('\n')).to.be.greaterThan(10)
    })
  }

  it('that sends anything at all to either end gets an alert, and nothing else happens', () => {
    const anything = fc.uint8Array({ maxLength: 200 })
    const types = fc.constantFrom(...Object.values(HandshakeType))
    const message = fc.tuple(types, anything).map(([type, body]) => handshakeMessage(type, body))
    const level = fc.constantFrom<EncryptionLevel>(0, 1, 2)
    fc.assert(
      fc.property(
        fc.array(fc.tuple(level, fc.oneof(anything, message)), { maxLength: 4 }),
        fc.nat(3),
        (parts, steps) => {
          for (const side of ['client', 'server'] as const) {
            const pair = newPair(material)
            pair.client.tls.start()
            for (let step = 0; step < steps; step++) {
              if (step % 2 === 0) deliver(pair.client, pair.server)
              else deliver(pair.server, pair.client)
            }
            try {
              for (const [at, data] of parts) pair[side].tls.receive(at, data)
            } catch (error) {
              if (!(error instanceof TlsAlert)) throw error
            }
          }
        },
      ),
      { numRuns: 200 },
    )
  })

  it('that sends messages out of turn, or on another level, gets unexpected_message', () => {
    const finished = handshakeMessage(HandshakeType.finished, new Uint8Array(32))
    const pair = newPair(material)
    pair.client.tls.start()
    expectAlert('unexpected_message', () => newServer(pair.context).tls.receive(0, finished))
    // At its first byte: nothing is kept of what is not expected.
    expectAlert('unexpected_message', () => newServer(pair.context).tls.receive(0, finished.subarray(0, 1)))
    expectAlert('unexpected_message', () => newServer(pair.context).tls.receive(1, finished), PROTOCOL_VIOLATION)
    deliver(pair.client, pair.server)
    const hello = pair.server.sink.outgoing[0].data
    // RFC 9001 §4.1.3: what is left of a level when there are keys for the next.
    expectAlert('unexpected_message', () => pair.client.tls.receive(0, Uint8Array.of(...hello, 8)), PROTOCOL_VIOLATION)
  })

  it('that goes on with handshake messages afterwards gets unexpected_message: no KeyUpdate, no second handshake', () => {
    const message = (type: number): Uint8Array => handshakeMessage(type, Uint8Array.of(0))
    for (const type of [HandshakeType.key_update, HandshakeType.certificate_request, HandshakeType.client_hello]) {
      for (const side of ['client', 'server'] as const) {
        const pair = newPair(material)
        run(pair)
        // RFC 9001 §4.4: this one has an error of its own.
        const isRequest = type === HandshakeType.certificate_request && side === 'client'
        const code = isRequest ? PROTOCOL_VIOLATION : undefined
        expectAlert('unexpected_message', () => pair[side].tls.receive(2, message(type)), code)
      }
    }
    const pair = newPair(material)
    run(pair)
    const ticket = { lifetimeSeconds: 1, ageAdd: 0, nonce: NONE, ticket: Uint8Array.of(1) }
    expectAlert('unexpected_message', () => pair.server.tls.receive(2, encodeNewSessionTicket(ticket)))
    const other = newPair(material)
    run(other)
    expectAlert('unexpected_message', () => other.client.tls.receive(1, message(20)), PROTOCOL_VIOLATION)
  })

  it('that puts a byte behind its Finished gets PROTOCOL_VIOLATION, also when it comes later (RFC 9001 §4.1.3)', () => {
    for (const piece of [1, Number.POSITIVE_INFINITY]) {
      const { client, server } = newPair(material)
      client.tls.start()
      deliver(client, server)
      deliver(server, client)
      const change = (message: Uint8Array): Uint8Array => Uint8Array.of(...message, 20)
      expectAlert('unexpected_message', () => deliver(client, server, change, piece), PROTOCOL_VIOLATION)
    }
  })

  it('that announces a message too large gets illegal_parameter at once: nothing is waited for', () => {
    const { tls } = newServer(newContext(material))
    tls.receive(0, Uint8Array.of(HandshakeType.client_hello, 0))
    expectAlert('illegal_parameter', () => tls.receive(0, Uint8Array.of(0x40, 1)))
  })

  it('that sends a hundred certificates gets bad_certificate', () => {
    const certificates = Array.from({ length: 100 }, () => Uint8Array.of(1))
    const pair = newPair(material)
    pair.client.tls.start()
    deliver(pair.client, pair.server)
    expectAlert('bad_certificate', () =>
      deliver(pair.server, pair.client, message =>
        message[0] === HandshakeType.certificate ? encodeCertificate(certificates) : message,
      ),
    )
  })

  describe('as a client', () => {
    const send = (edit: (hello: ClientHello) => ClientHello): (() => void) => {
      return () => {
        const { client, server } = newPair(material)
        client.tls.start()
        deliver(client, server, message => encodeClientHello(edit(decodeClientHello(message.subarray(4)))))
      }
    }
    const without = (type: number) => (hello: ClientHello) => ({
      ...hello,
      extensions: new Map([...hello.extensions].filter(([other]) => other !== type)),
    })
    const withExtension = (type: number, data: Uint8Array) => (hello: ClientHello) => ({
      ...hello,
      extensions: new Map([...hello.extensions, [type, data]]),
    })

    const cases: [string, AlertName, (hello: ClientHello) => ClientHello][] = [
      ['no transport parameters (RFC 9001 §8.2)', 'missing_extension', without(E.quic_transport_parameters)],
      ['no supported_groups (RFC 8446 §9.2)', 'missing_extension', without(E.supported_groups)],
      ['no key_share (§9.2)', 'missing_extension', without(E.key_share)],
      ['no signature_algorithms (§9.2)', 'missing_extension', without(E.signature_algorithms)],
      ['no protocols (RFC 9001 §8.1)', 'no_application_protocol', without(E.application_layer_protocol_negotiation)],
      ['TLS 1.2 (§4.2.1)', 'protocol_version', without(E.supported_versions)],
      ['another version (§4.2.1)', 'protocol_version', withExtension(E.supported_versions, Uint8Array.of(2, 3, 3))],
      ['an odd list of groups', 'decode_error', withExtension(E.supported_groups, Uint8Array.of(0, 1, 0))],
      ['a byte too many', 'decode_error', withExtension(E.supported_groups, Uint8Array.of(0, 2, 0, 29, 0))],
      ['an empty server name (RFC 6066 §3)', 'decode_error', withExtension(E.server_name, Uint8Array.of(0, 0))],
      [
        'a key share of a group that it has not (§4.2.8)',
        'illegal_parameter',
        hello => {
          return withExtension(E.supported_groups, Uint8Array.of(0, 2, 0, 23))(hello)
        },
      ],
      [
        'two key shares of one group (§4.2.8)',
        'illegal_parameter',
        hello => {
          return withExtension(E.key_share, encodeKeyShares([newKeyPair(29), newKeyPair(29)]))(hello)
        },
      ],
      [
        'a key of zeros (§7.4.2)',
        'illegal_parameter',
        hello => {
          return withExtension(E.key_share, encodeKeyShares([{ group: 29, publicKey: new Uint8Array(32) }]))(hello)
        },
      ],
      [
        'tickets that are not at the end (§4.2.11)',
        'illegal_parameter',
        hello => ({
          ...hello,
          extensions: new Map([[E.pre_shared_key as number, NONE], ...hello.extensions]),
        }),
      ],
      [
        'only signatures that we cannot make',
        'handshake_failure',
        withExtension(E.signature_algorithms, Uint8Array.of(0, 2, 4, 1)),
      ],
    ]
    for (const [title, alert, edit] of cases) {
      it(`sends ${title}: ${alert}`, () => expectAlert(alert, send(edit)))
    }

    const offer = (identities: number[], binders: number[]): Uint8Array => {
      const list = (lengths: number[], each: (length: number) => number[]): number[] => {
        const bytes = lengths.flatMap(each)
        return [bytes.length >> 8, bytes.length & 255, ...bytes]
      }
      return Uint8Array.from([
        ...list(identities, length => [length >> 8, length & 255, ...new Array<number>(length).fill(1), 0, 0, 0, 0]),
        ...list(binders, length => [length, ...new Array<number>(length).fill(2)]),
      ])
    }

    it('sends tickets whose form is wrong: decode_error or illegal_parameter', () => {
      expectAlert('decode_error', send(withExtension(E.pre_shared_key, NONE)))
      expectAlert('decode_error', send(withExtension(E.pre_shared_key, offer([10], [31]))))
      expectAlert('illegal_parameter', send(withExtension(E.pre_shared_key, offer([10, 10], [32]))))
      expectAlert(
        'missing_extension',
        send(hello => withExtension(E.pre_shared_key, offer([10], [32]))(without(E.psk_key_exchange_modes)(hello))),
      )
    })

    it('sends a hundred tickets: four of them are looked at', () => {
      const { client, server, context } = newPair(material)
      const open = context.tickets.open.bind(context.tickets)
      let opened = 0
      context.tickets.open = ticket => {
        opened++
        return open(ticket)
      }
      const many = withExtension(
        E.pre_shared_key,
        offer(new Array<number>(100).fill(60), new Array<number>(100).fill(32)),
      )
      client.tls.start()
      deliver(client, server, message => encodeClientHello(many(decodeClientHello(message.subarray(4)))))
      expect(opened).to.equal(4)
      expect(server.sink.story).to.include('message 11 on 1')
    })

    it('sends a session id, as if there were middleboxes: PROTOCOL_VIOLATION (RFC 9001 §8.4)', () => {
      const { client, server } = newPair(material)
      client.tls.start()
      expectAlert(
        'illegal_parameter',
        () =>
          deliver(client, server, message => {
            const at = 4 + 2 + 32
            const body = [...message.subarray(4, at), 1, 0xaa, ...message.subarray(at + 1)]
            return handshakeMessage(HandshakeType.client_hello, Uint8Array.from(body))
          }),
        PROTOCOL_VIOLATION,
      )
    })

    it('sends an extension twice: illegal_parameter (§4.2)', () => {
      const { client, server } = newPair(material)
      client.tls.start()
      expectAlert('illegal_parameter', () =>
        deliver(client, server, message => {
          const at = Buffer.from(message).indexOf(Buffer.from('002b0003020304', 'hex'))
          const changed = [...message.subarray(4, at), ...message.subarray(at, at + 7), ...message.subarray(at)]
          const extensionsAt = 2 + 32 + 1 + 2 + 6 + 2
          const length = changed.length - extensionsAt - 2
          changed[extensionsAt] = length >> 8
          changed[extensionsAt + 1] = length & 255
          return handshakeMessage(HandshakeType.client_hello, Uint8Array.from(changed))
        }),
      )
    })

    it('sends extensions, suites and groups that nobody knows: they are passed over', () => {
      const pair = newPair(material)
      pair.client.tls.start()
      deliver(pair.client, pair.server, message => {
        const hello = decodeClientHello(message.subarray(4))
        const extensions = new Map([[0x0a0a, Uint8Array.of(1)], ...hello.extensions])
        extensions.set(E.supported_groups, Uint8Array.of(0, 4, 0x1a, 0x1a, 0, 29))
        return encodeClientHello({ ...hello, cipherSuites: [0x0a0a, ...hello.cipherSuites], extensions })
      })
      expect(pair.server.sink.secrets.has('write 2')).to.equal(true)
    })
  })

  describe('as a server', () => {
    const answer = (edit: (message: Uint8Array) => Uint8Array): (() => void) => {
      return () => {
        const { client, server } = newPair(material)
        client.tls.start()
        deliver(client, server)
        deliver(server as End<never>, client, edit)
      }
    }
    const helloWith = (edit: (hello: ServerHello) => ServerHello) =>
      answer(message => (message[0] === 2 ? encodeServerHello(edit(decodeServerHello(message.subarray(4)))) : message))
    const extensionsWith = (edit: (extensions: Map<number, Uint8Array>) => void) =>
      answer(message => {
        if (message[0] !== HandshakeType.encrypted_extensions) return message
        const extensions = new Map(decodeEncryptedExtensions(message.subarray(4)))
        edit(extensions)
        return encodeEncryptedExtensions(extensions)
      })
    const share = (group: number): [number, Uint8Array] => [E.key_share, encodeKeyShare(newKeyPair(group))]

    const cases: [string, AlertName, () => void][] = [
      [
        'a suite that was not offered (§4.1.3)',
        'illegal_parameter',
        helloWith(hello => ({ ...hello, cipherSuite: 0x1304 })),
      ],
      [
        'a key share of another group (§4.2.8)',
        'illegal_parameter',
        helloWith(hello => ({ ...hello, extensions: new Map([share(0x17)]) })),
      ],
      [
        'a key share that is said to be of another group (§4.2.8)',
        'illegal_parameter',
        helloWith(hello => ({
          ...hello,
          extensions: new Map([[E.key_share, encodeKeyShare({ ...newKeyPair(0x1d), group: 0x17 })]]),
        })),
      ],
      ['no key share', 'missing_extension', helloWith(hello => ({ ...hello, extensions: new Map() }))],
      [
        'a ticket that was not offered (§4.2.11)',
        'unsupported_extension',
        helloWith(hello => ({ ...hello, extensions: new Map([share(0x1d), [E.pre_shared_key, Uint8Array.of(0, 0)]]) })),
      ],
      [
        'its protocol in ServerHello (§4.2)',
        'illegal_parameter',
        helloWith(hello => ({
          ...hello,
          extensions: new Map([share(0x1d), [E.application_layer_protocol_negotiation, NONE]]),
        })),
      ],
      [
        'no transport parameters (RFC 9001 §8.2)',
        'missing_extension',
        extensionsWith(e => e.delete(E.quic_transport_parameters)),
      ],
      [
        'no protocol (RFC 9001 §8.1)',
        'no_application_protocol',
        extensionsWith(e => e.delete(E.application_layer_protocol_negotiation)),
      ],
      [
        'a protocol that was not offered (RFC 9001 §8.1)',
        'no_application_protocol',
        extensionsWith(e => e.set(E.application_layer_protocol_negotiation, Uint8Array.of(0, 2, 1, 0x78))),
      ],
      [
        'two protocols (RFC 7301 §3.1)',
        'illegal_parameter',
        extensionsWith(e => e.set(E.application_layer_protocol_negotiation, encodeAlpn(['h3', 'h3']))),
      ],
      ['an extension that was not asked for (§4.2)', 'unsupported_extension', extensionsWith(e => e.set(0x0a0a, NONE))],
      ['early data (§4.2.10)', 'unsupported_extension', extensionsWith(e => e.set(E.early_data, NONE))],
      ['a key share in EncryptedExtensions (§4.2)', 'illegal_parameter', extensionsWith(e => e.set(E.key_share, NONE))],
      [
        'no certificate (§4.4.2.4)',
        'decode_error',
        answer(message => (message[0] === 11 ? encodeCertificate([]) : message)),
      ],
      [
        'no X.509 certificate',
        'bad_certificate',
        answer(message => (message[0] === 11 ? encodeCertificate([Uint8Array.of(1, 2)]) : message)),
      ],
      [
        'a signature with an old algorithm (§4.4.3)',
        'illegal_parameter',
        answer(message => {
          const changed = Uint8Array.from(message)
          if (message[0] === 15) changed.set([4, 1], 4)
          return changed
        }),
      ],
      ['no CertificateVerify', 'unexpected_message', answer(message => (message[0] === 15 ? NONE : message))],
      [
        'a Finished of another length',
        'decode_error',
        answer(message => (message[0] === 20 ? handshakeMessage(20, new Uint8Array(31)) : message)),
      ],
      [
        'a Finished that does not verify',
        'decrypt_error',
        answer(message => (message[0] === 20 ? handshakeMessage(20, new Uint8Array(32)) : message)),
      ],
    ]
    for (const [title, alert, attempt] of cases) it(`sends ${title}: ${alert}`, () => expectAlert(alert, attempt))

    const resumes = (edit: (extensions: Map<number, Uint8Array>) => void) => () => {
      const context = newContext(material)
      const first = newPair(material, {}, context)
      run(first)
      const { client, server } = newPair(material, { ticket: first.client.sink.tickets[0] }, context)
      client.tls.start()
      deliver(client, server)
      expectAlert('illegal_parameter', () =>
        deliver(server, client, message => {
          const hello = decodeServerHello(message.subarray(4))
          const extensions = new Map(hello.extensions)
          edit(extensions)
          return encodeServerHello({ ...hello, extensions })
        }),
      )
    }

    it(
      'resumes with a ticket that is another one of the list: illegal_parameter (§4.2.11)',
      resumes(extensions => extensions.set(E.pre_shared_key, Uint8Array.of(0, 1))),
    )

    it(
      'resumes without the key exchange that was asked for: illegal_parameter (§4.2.11)',
      resumes(extensions => extensions.delete(E.key_share)),
    )

    it('sends tickets: what is wrong ends the connection, what is large or ends at once is not kept', () => {
      const ticket = { lifetimeSeconds: 100, ageAdd: 1, nonce: NONE, ticket: Uint8Array.of(1) }
      const ticketsAfter = (message: Uint8Array): number => {
        const pair = newPair(material, {}, { ticketLifetimeSeconds: 0 })
        run(pair)
        pair.client.tls.receive(2, message)
        return pair.client.sink.tickets.length
      }
      expect(ticketsAfter(encodeNewSessionTicket(ticket))).to.equal(1)
      expect(ticketsAfter(encodeNewSessionTicket({ ...ticket, lifetimeSeconds: 0 }))).to.equal(0)
      expect(ticketsAfter(encodeNewSessionTicket({ ...ticket, ticket: new Uint8Array(4097) }))).to.equal(0)
      expectAlert('illegal_parameter', () =>
        ticketsAfter(encodeNewSessionTicket({ ...ticket, lifetimeSeconds: 604_801 })),
      )
      // RFC 9001 §4.6.1: early data of 1 byte.
      const body = encodeNewSessionTicket(ticket).subarray(4, -2)
      const withEarlyData = handshakeMessage(4, Uint8Array.of(...body, 0, 8, 0, 42, 0, 4, 0, 0, 0, 1))
      expectAlert('illegal_parameter', () => ticketsAfter(withEarlyData), PROTOCOL_VIOLATION)
    })
  })
})
