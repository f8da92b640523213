import { expect } from 'chai'
import fc from 'fast-check'
import { DecodeError } from '../../../src/bytes/errors.ts'
import { TlsAlert } from '../../../src/tls/alert.ts'
import { ExtensionType } from '../../../src/tls/extensions/extensions.ts'
import { decodeCertificate, encodeCertificate, MAX_CERTIFICATES } from '../../../src/tls/messages/certificate.ts'
import { decodeCertificateRequest, encodeCertificateRequest } from '../../../src/tls/messages/certificate-request.ts'
import {
  decodeCertificateVerify,
  encodeCertificateVerify,
  signedContent,
} from '../../../src/tls/messages/certificate-verify.ts'
import {
  decodeClientHello,
  encodeClientHello,
  encodeSupportedVersions,
} from '../../../src/tls/messages/client-hello.ts'
import { decodeEncryptedExtensions, encodeEncryptedExtensions } from '../../../src/tls/messages/encrypted-extensions.ts'
import { checkFinished, encodeFinished } from '../../../src/tls/messages/finished.ts'
import { HandshakeType, handshakeMessage, MessageBuffer } from '../../../src/tls/messages/handshake-message.ts'
import { decodeNewSessionTicket, encodeNewSessionTicket } from '../../../src/tls/messages/new-session-ticket.ts'
import { decodeServerHello, encodeServerHello } from '../../../src/tls/messages/server-hello.ts'
import { bringsBack, bytes, plain, refusesTheRest, u16, u32 } from '../decoders.ts'
import { expectAlert } from '../expect-alert.ts'
import { SIMPLE } from '../rfc8448.ts'

const bodyOf = (message: Uint8Array): Uint8Array => message.subarray(4)
/** None of the types that decoders look into. */
const extensionType = u16.filter(type => type < 10 || type > 60)
const extensions = fc.uniqueArray(fc.tuple(extensionType, bytes(0, 20)), { maxLength: 8, selector: ([type]) => type })

describe('the messages of the handshake', () => {
  it('are those of RFC 8448 §3 when decoded', () => {
    const hello = decodeClientHello(bodyOf(SIMPLE.clientHello))
    expect(hello.cipherSuites).to.deep.equal([0x1301, 0x1303, 0x1302])
    expect([...hello.extensions.keys()]).to.deep.equal([0, 0xff01, 10, 35, 51, 43, 13, 45, 28])
    const answer = decodeServerHello(bodyOf(SIMPLE.serverHello))
    expect([answer.isRetry, answer.cipherSuite, [...answer.extensions.keys()]]).to.deep.equal([false, 0x1301, [51]])
    expect([...decodeEncryptedExtensions(bodyOf(SIMPLE.encryptedExtensions)).keys()]).to.deep.equal([10, 28, 0])
    expect(decodeCertificate(bodyOf(SIMPLE.certificate)).map(({ length }) => length)).to.deep.equal([432])
    const { scheme, signature } = decodeCertificateVerify(bodyOf(SIMPLE.certificateVerify))
    expect([scheme, signature.length]).to.deep.equal([0x0804, 128])
    // Its early data is one that QUIC does not have.
    expect(() => decodeNewSessionTicket(bodyOf(SIMPLE.newSessionTicket))).to.throw(TlsAlert)
    const ticket = decodeNewSessionTicket(Uint8Array.of(...bodyOf(SIMPLE.newSessionTicket).subarray(0, -10), 0, 0))
    expect([ticket.lifetimeSeconds, ticket.ageAdd, ticket.ticket.length]).to.deep.equal([30, 0xfad6aac5, 178])
    expect(plain(ticket.nonce)).to.deep.equal(SIMPLE.ticketNonce)
  })

  it('come back as they were: ClientHello', () => {
    const hello = fc.record({
      random: bytes(32, 32),
      cipherSuites: fc.array(u16, { minLength: 1, maxLength: 10 }),
      extensions: extensions.map(
        list => new Map([...list, [ExtensionType.supported_versions, encodeSupportedVersions()]]),
      ),
    })
    bringsBack(hello, encodeClientHello, message => decodeClientHello(bodyOf(message)))
    refusesTheRest(decodeClientHello, bodyOf(SIMPLE.clientHello))
  })

  it('come back as they were: ServerHello and HelloRetryRequest', () => {
    const hello = fc.record({
      isRetry: fc.constant(false),
      random: bytes(32, 32),
      cipherSuite: u16,
      extensions: extensions.map(list => new Map(list)),
    })
    bringsBack(hello, encodeServerHello, message => decodeServerHello(bodyOf(message)))
    const retry = decodeServerHello(bodyOf(encodeServerHello({ isRetry: true, cipherSuite: 1, extensions: new Map() })))
    expect(retry.isRetry).to.equal(true)
    refusesTheRest(decodeServerHello, bodyOf(SIMPLE.serverHello))
  })

  it('come back as they were: EncryptedExtensions', () => {
    const maps = extensions.map(list => new Map(list))
    bringsBack(maps, encodeEncryptedExtensions, message => decodeEncryptedExtensions(bodyOf(message)))
    refusesTheRest(decodeEncryptedExtensions, bodyOf(SIMPLE.encryptedExtensions))
  })

  it('come back as they were: CertificateRequest', () => {
    const schemes = fc.array(u16, { minLength: 1, maxLength: 20 })
    bringsBack(schemes, encodeCertificateRequest, message => decodeCertificateRequest(bodyOf(message)))
    refusesTheRest(decodeCertificateRequest, bodyOf(encodeCertificateRequest([0x0403, 0x0804])))
    expect(() => decodeCertificateRequest(Uint8Array.of(0, 0, 0))).to.throw(TlsAlert, 'signature_algorithms')
  })

  it('come back as they were: Certificate, of so many at most', () => {
    const chain = fc.array(bytes(1, 50), { maxLength: MAX_CERTIFICATES })
    bringsBack(chain, encodeCertificate, message => decodeCertificate(bodyOf(message)))
    refusesTheRest(decodeCertificate, bodyOf(SIMPLE.certificate))
    const tooMany = Array.from({ length: MAX_CERTIFICATES + 1 }, () => Uint8Array.of(1))
    expect(() => decodeCertificate(bodyOf(encodeCertificate(tooMany)))).to.throw(TlsAlert)
    const withContext = Uint8Array.of(1, 7, ...bodyOf(SIMPLE.certificate).subarray(1))
    expect(() => decodeCertificate(withContext)).to.throw(TlsAlert, 'context')
    const withExtension = Uint8Array.of(0, 0, 0, 10, 0, 0, 1, 1, 0, 4, 0, 5, 0, 0)
    expect(() => decodeCertificate(withExtension)).to.throw(TlsAlert, 'not asked for')
  })

  it('come back as they were: CertificateVerify', () => {
    const value = fc.record({ scheme: u16, signature: bytes(0, 300) })
    bringsBack(value, encodeCertificateVerify, message => decodeCertificateVerify(bodyOf(message)))
    refusesTheRest(decodeCertificateVerify, bodyOf(SIMPLE.certificateVerify))
    const content = signedContent('server', new Uint8Array(32).fill(1))
    // The beginning of the example of RFC 8446 §4.4.3.
    const text = `${' '.repeat(64)}TLS 1.3, server CertificateVerify\0`
    expect(Buffer.from(content).toString('latin1')).to.equal(text + '\x01'.repeat(32))
  })

  it('come back as they were: NewSessionTicket', () => {
    const value = fc.record({
      lifetimeSeconds: fc.nat(604_800),
      ageAdd: u32,
      nonce: bytes(0, 255),
      ticket: bytes(1, 500),
    })
    bringsBack(value, encodeNewSessionTicket, message => decodeNewSessionTicket(bodyOf(message)))
    const good = { lifetimeSeconds: 1, ageAdd: 2, nonce: new Uint8Array(3), ticket: new Uint8Array(4) }
    refusesTheRest(decodeNewSessionTicket, bodyOf(encodeNewSessionTicket(good)))
  })

  it('come back as they were: Finished, which is compared whole', () => {
    const expected = Uint8Array.from({ length: 32 }, (_, i) => i)
    checkFinished(bodyOf(encodeFinished(expected)), expected)
    for (let at = 0; at < 32; at++) {
      const changed = Uint8Array.from(expected)
      changed[at] ^= 0x80
      expect(() => checkFinished(changed, expected)).to.throw(TlsAlert)
    }
    expect(() => checkFinished(expected.subarray(1), expected)).to.throw(DecodeError)
  })

  it('say what TLS 1.3 wants in the fields of older versions', () => {
    const edited = (body: Uint8Array, at: number, ...bytes: number[]): Uint8Array => {
      const changed = Uint8Array.from(body)
      changed.set(bytes, at)
      return changed
    }
    const inserted = (body: Uint8Array, at: number, remove: number, ...bytes: number[]): Uint8Array =>
      Uint8Array.of(...body.subarray(0, at), ...bytes, ...body.subarray(at + remove))
    const server = bodyOf(SIMPLE.serverHello)
    const client = bodyOf(SIMPLE.clientHello)
    const [sessionId, compression] = [2 + 32, 2 + 32 + 1 + 2]
    const version = server.length - 2
    expectAlert('protocol_version', () => decodeServerHello(edited(server, 0, 3, 2)))
    expectAlert('illegal_parameter', () => decodeServerHello(edited(server, version, 3, 3)))
    // supported_versions becomes an extension that nobody knows.
    expectAlert('protocol_version', () => decodeServerHello(edited(server, version - 4, 0x0a, 0x0a)))
    expectAlert('illegal_parameter', () => decodeServerHello(inserted(server, sessionId, 1, 1, 7)))
    expectAlert('illegal_parameter', () => decodeServerHello(edited(server, compression, 1)))
    const suites = 2 + 3 * 2
    const clientCompression = sessionId + 1 + suites
    expectAlert('illegal_parameter', () => decodeClientHello(edited(client, clientCompression, 1, 1)))
    expectAlert('illegal_parameter', () => decodeClientHello(inserted(client, clientCompression, 1, 2, 1)))
    const request = bodyOf(encodeCertificateRequest([0x0403]))
    expectAlert('illegal_parameter', () => decodeCertificateRequest(inserted(request, 0, 1, 1, 7)))
  })

  describe('in a stream of bytes', () => {
    const types = [HandshakeType.encrypted_extensions, HandshakeType.certificate, HandshakeType.finished]
    const message = fc
      .tuple(fc.constantFrom(...types), bytes(0, 60))
      .map(([type, body]) => handshakeMessage(type, body))

    it('are found whichever pieces it comes in', () => {
      fc.assert(
        fc.property(
          fc.array(message, { maxLength: 6 }),
          fc.array(fc.nat(40), { minLength: 1, maxLength: 9 }),
          (sent, cuts) => {
            const stream = Uint8Array.from(sent.flatMap(one => [...one]))
            const buffer = new MessageBuffer()
            const found: Uint8Array[] = []
            for (let at = 0, turn = 0; at < stream.length; turn++) {
              const length = 1 + cuts[turn % cuts.length]
              buffer.push(stream.subarray(at, at + length))
              at += length
              for (let next = buffer.next(types); next !== undefined; next = buffer.next(types)) found.push(next)
            }
            expect(found).to.deep.equal(sent)
            expect(buffer.isEmpty).to.equal(true)
          },
        ),
      )
    })

    it('are refused by their type at the first byte, by their length at the header', () => {
      const buffer = new MessageBuffer()
      buffer.push(Uint8Array.of(HandshakeType.key_update))
      expect(() => buffer.next(types)).to.throw(TlsAlert, 'handshake message 24')
      const other = new MessageBuffer()
      other.push(Uint8Array.of(HandshakeType.certificate, 0, 0x80))
      expect(other.next(types)).to.equal(undefined)
      other.push(Uint8Array.of(1))
      expect(() => other.next(types)).to.throw(TlsAlert, '32769 bytes')
    })

    it('do not keep the bytes that were handed in, which their owner may use again', () => {
      const buffer = new MessageBuffer()
      const data = handshakeMessage(HandshakeType.finished, new Uint8Array(32).fill(1))
      buffer.push(data)
      data.fill(9)
      expect(buffer.next(types)).to.deep.equal(handshakeMessage(HandshakeType.finished, new Uint8Array(32).fill(1)))
    })
  })
})
