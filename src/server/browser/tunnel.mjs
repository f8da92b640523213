// The tunnel: a CONNECT-IP session inside a WebTransport session (docs/webtransport.md).
//
//   the first bidirectional stream, which we open: capsules
//   datagrams: a context id, here 0, and an IP packet
//   packets that are too large for a datagram: in a DATAGRAM capsule on the stream

import { concat, encodeVarint, equal, Reader } from './bytes.mjs'
import { CapsuleParser, CapsuleType, encodeCapsule, parseAddressAssign, parseRouteAdvertisement } from './capsules.mjs'
import { echoPacket, readEcho, readPacket } from './packets.mjs'

/** A whole IP packet follows (RFC 9484 §6). */
const IP_PACKET = 0

const PING_TIMEOUT_MS = 2000
const PING_DATA = new TextEncoder().encode('masque-lab, from a browser')

/**
 * Once it has begun, `listener` hears:
 * - onAddresses(list), onRoutes(list): what the proxy has assigned and advertised, the whole list each time;
 * - onPacket('in' | 'out', bytes): each packet that passes;
 * - onClosed(sentence): the end, once.
 */
export class Tunnel {
  addresses = []
  #session
  #capsules
  #stream
  #datagrams
  #listener
  #isClosed = false
  #pings = new Map()
  #nextSequence = 1
  #identifier = Math.floor(Math.random() * 0x10000)

  /** Opens a session. Rejects when the proxy cannot be reached or refuses: a browser does not tell which. */
  static async open(url, certificateHash) {
    const hashes = certificateHash && [{ algorithm: 'sha-256', value: certificateHash }]
    const session = new WebTransport(url, hashes ? { serverCertificateHashes: hashes } : {})
    // Where `ready` is rejected `closed` is, too, and says no more.
    session.closed.catch(() => {})
    await session.ready
    const stream = await session.createBidirectionalStream()
    return new Tunnel(session, stream)
  }

  constructor(session, stream) {
    this.#session = session
    this.#capsules = stream
    this.#stream = stream.writable.getWriter()
    this.#datagrams = session.datagrams.writable.getWriter()
  }

  /**
   * Asks for addresses, and reads. Not earlier, and so not by itself: what has arrived already is heard before `open` has told its caller that
   * there is a tunnel.
   */
  begin(listener) {
    this.#listener = listener
    this.#session.closed.then(
      ({ closeCode, reason }) =>
        this.#ended(`the proxy closed the tunnel${reason ? `: ${reason} (${closeCode})` : ''}`),
      error => this.#ended(`the connection to the proxy was lost: ${error.message}`),
    )
    // A stream comes into being with its first bytes. These ask for an address of each version (RFC 9484 §4.7.2).
    this.#sendCapsule(CapsuleType.ADDRESS_REQUEST, concat(anyAddress(1, 4), anyAddress(2, 6)))
    this.#readCapsules(this.#capsules.readable.getReader()).catch(error => this.#fail(error))
    this.#readDatagrams(this.#session.datagrams.readable.getReader()).catch(error => this.#fail(error))
  }

  /** The largest packet that travels as a datagram, in bytes; one byte is the context id. */
  get datagramRoom() {
    return this.#session.datagrams.maxDatagramSize - 1
  }

  close() {
    this.#ended('closed by this page')
    this.#session.close({ closeCode: 0, reason: '' })
  }

  /** Pings an address (bytes). Resolves with { ms }, or with { problem }: a sentence. */
  ping(destination) {
    const source = this.addresses.find(({ address }) => address.length === destination.length)?.address
    if (this.#isClosed) return Promise.resolve({ problem: 'there is no tunnel' })
    if (source === undefined) return Promise.resolve({ problem: 'the proxy has assigned no address of this version' })
    const sequence = this.#nextSequence++ & 0xffff
    const sentAt = performance.now()
    const answered = new Promise(resolve => {
      const timer = setTimeout(() => {
        this.#pings.delete(sequence)
        resolve({ problem: `no answer within ${PING_TIMEOUT_MS} ms` })
      }, PING_TIMEOUT_MS)
      this.#pings.set(sequence, { destination, sentAt, resolve, timer })
    })
    this.#send(echoPacket({ source, destination, isRequest: true, id: this.#identifier, sequence, data: PING_DATA }))
    return answered
  }

  // -- out -----------------------------------------------------------------------------------------------------

  #send(packet) {
    this.#listener.onPacket('out', packet)
    const payload = concat(encodeVarint(IP_PACKET), packet)
    if (packet.length > this.datagramRoom) this.#sendCapsule(CapsuleType.DATAGRAM, payload)
    else this.#write(this.#datagrams, payload)
  }

  #sendCapsule(type, value) {
    this.#write(this.#stream, encodeCapsule(type, value))
  }

  #write(writer, bytes) {
    // What cannot be written any more has a reason, and `closed` of the session tells it.
    writer.write(bytes).catch(() => {})
  }

  // -- in ------------------------------------------------------------------------------------------------------

  async #readCapsules(reader) {
    const parser = new CapsuleParser()
    for (;;) {
      const { value, done } = await reader.read()
      if (done) return
      for (const capsule of parser.push(value)) this.#receiveCapsule(capsule)
    }
  }

  #receiveCapsule({ type, value }) {
    switch (type) {
      case CapsuleType.ADDRESS_ASSIGN:
        this.addresses = parseAddressAssign(value)
        this.#listener.onAddresses(this.addresses)
        break
      case CapsuleType.ROUTE_ADVERTISEMENT:
        this.#listener.onRoutes(parseRouteAdvertisement(value))
        break
      case CapsuleType.DATAGRAM:
        this.#receiveDatagram(value)
        break
      // Others are for others: RFC 9297 §3.2 asks to skip them.
    }
  }

  async #readDatagrams(reader) {
    for (;;) {
      const { value, done } = await reader.read()
      if (done) return
      this.#receiveDatagram(value)
    }
  }

  #receiveDatagram(bytes) {
    const reader = new Reader(bytes)
    if (reader.remaining === 0 || reader.varint() !== IP_PACKET) return
    const bytesOfPacket = reader.take(reader.remaining).slice()
    this.#listener.onPacket('in', bytesOfPacket)
    const packet = readPacket(bytesOfPacket)
    const echo = packet && readEcho(packet)
    if (echo === undefined || !this.#isOurs(packet.destination)) return
    if (echo.isRequest)
      this.#send(echoPacket({ ...echo, source: packet.destination, destination: packet.source, isRequest: false }))
    else this.#answered(packet, echo)
  }

  #isOurs(address) {
    return this.addresses.some(assigned => equal(assigned.address, address))
  }

  #answered({ source }, { id, sequence, data }) {
    const ping = this.#pings.get(sequence)
    if (ping === undefined || id !== this.#identifier || !equal(source, ping.destination) || !equal(data, PING_DATA))
      return
    this.#pings.delete(sequence)
    clearTimeout(ping.timer)
    ping.resolve({ ms: performance.now() - ping.sentAt })
  }

  // -- the end -------------------------------------------------------------------------------------------------

  /** A reader fails because the session has ended, which `closed` explains, or because of what the proxy has sent. */
  #fail(error) {
    if (error instanceof WebTransportError) return
    this.#ended(`the proxy has sent something that makes no sense: ${error.message}`)
    this.#session.close({ closeCode: 1, reason: 'malformed' })
  }

  #ended(why) {
    if (this.#isClosed) return
    this.#isClosed = true
    for (const { resolve, timer } of this.#pings.values()) {
      clearTimeout(timer)
      resolve({ problem: 'the tunnel has ended' })
    }
    this.#pings.clear()
    this.#listener.onClosed(why)
  }
}

/** One entry of an ADDRESS_REQUEST: any address, all zeros, of this version. */
function anyAddress(requestId, version) {
  const length = version === 4 ? 4 : 16
  return concat(encodeVarint(requestId), [version], new Uint8Array(length), [length * 8])
}
