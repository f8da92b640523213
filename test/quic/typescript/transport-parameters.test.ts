import { expect } from 'chai'
import fc from 'fast-check'
import { encodeVarint } from '../../../src/bytes/varint.ts'
import { TRANSPORT_PARAMETER_ERROR, TransportError } from '../../../src/quic/typescript/transport-error.ts'
import {
  DEFAULT_TRANSPORT_PARAMETERS,
  decodeTransportParameters,
  encodeTransportParameters,
  type TransportParameters,
} from '../../../src/quic/typescript/transport-parameters.ts'

const integer = fc.oneof(fc.nat(1000), fc.maxSafeNat(), fc.constant(2 ** 62))
const streams = fc.oneof(fc.nat(1000), fc.constant(2 ** 60))
const id = fc.uint8Array({ maxLength: 20 })
const version = fc.integer({ min: 1, max: 0xffffffff })
const token = fc.uint8Array({ minLength: 16, maxLength: 16 })
const bytesOf = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })

const clientParameters = {
  maxIdleTimeout: integer,
  maxUdpPayloadSize: fc.integer({ min: 1200, max: 65527 }),
  initialMaxData: integer,
  initialMaxStreamDataBidiLocal: integer,
  initialMaxStreamDataBidiRemote: integer,
  initialMaxStreamDataUni: integer,
  initialMaxStreamsBidi: streams,
  initialMaxStreamsUni: streams,
  ackDelayExponent: fc.nat(20),
  maxAckDelay: fc.nat(2 ** 14 - 1),
  disableActiveMigration: fc.boolean(),
  activeConnectionIdLimit: fc.oneof(fc.integer({ min: 2, max: 10 }), fc.constant(2 ** 62)),
  initialSourceConnectionId: id,
  maxDatagramFrameSize: fc.oneof(fc.nat(65535), fc.constant(2 ** 62)),
  versionInformation: fc.record({ chosen: version, available: fc.array(version, { maxLength: 5 }) }),
}

const serverParameters = {
  ...clientParameters,
  originalDestinationConnectionId: id,
  retrySourceConnectionId: id,
  statelessResetToken: token,
  preferredAddress: fc.record({
    ipv4: bytesOf(4),
    ipv4Port: fc.nat(65535),
    ipv6: bytesOf(16),
    ipv6Port: fc.nat(65535),
    connectionId: fc.uint8Array({ minLength: 1, maxLength: 20 }),
    resetToken: token,
  }),
}

function parameter(id: number, value: Uint8Array): Uint8Array {
  const out = new Uint8Array(16 + value.length)
  const offset = encodeVarint(value.length, out, encodeVarint(id, out, 0))
  out.set(value, offset)
  return out.subarray(0, offset + value.length)
}

function integerParameter(id: number, value: number | bigint): Uint8Array {
  const out = new Uint8Array(8)
  return parameter(id, out.subarray(0, encodeVarint(value, out, 0)))
}

function concat(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts))
}

function expectRefused(bytes: Uint8Array, from: 'client' | 'server', what: string): void {
  try {
    decodeTransportParameters(bytes, from)
  } catch (error) {
    expect(error, what).to.be.instanceOf(TransportError)
    expect((error as TransportError).code).to.equal(TRANSPORT_PARAMETER_ERROR)
    return
  }
  expect.fail(`accepted: ${what}`)
}

describe('transport parameters', () => {
  it('come back, from either role', () => {
    const grease = fc.option(fc.uint8Array({ minLength: 1, maxLength: 16 }), { nil: undefined })
    fc.assert(
      fc.property(fc.record(clientParameters, { requiredKeys: [] }), grease, (parameters, grease) => {
        const read = decodeTransportParameters(encodeTransportParameters(parameters, grease), 'client')
        expect(read).to.deep.equal({ ...DEFAULT_TRANSPORT_PARAMETERS, ...parameters })
      }),
    )
    fc.assert(
      fc.property(fc.record(serverParameters, { requiredKeys: [] }), grease, (parameters, grease) => {
        const read = decodeTransportParameters(encodeTransportParameters(parameters, grease), 'server')
        expect(read).to.deep.equal({ ...DEFAULT_TRANSPORT_PARAMETERS, ...parameters })
      }),
    )
  })

  it('that are not sent are what RFC 9000 §18.2 says', () => {
    const read = decodeTransportParameters(new Uint8Array(0), 'client')
    expect(read).to.deep.equal(DEFAULT_TRANSPORT_PARAMETERS)
    expect(read).to.include({
      maxUdpPayloadSize: 65527,
      ackDelayExponent: 3,
      maxAckDelay: 25,
      activeConnectionIdLimit: 2,
    })
    expect(encodeTransportParameters(DEFAULT_TRANSPORT_PARAMETERS).length).to.equal(0)
  })

  it('of any bytes are read, or refused with TRANSPORT_PARAMETER_ERROR', () => {
    const known = fc.tuple(fc.nat(0x21), fc.uint8Array({ maxLength: 45 })).map(([id, value]) => parameter(id, value))
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.array(known).map(parts => concat(...parts)),
    )
    fc.assert(
      fc.property(bytes, fc.constantFrom('client' as const, 'server' as const), (bytes, from) => {
        try {
          decodeTransportParameters(bytes, from)
        } catch (error) {
          expect(error).to.be.instanceOf(TransportError)
          expect((error as TransportError).code).to.equal(TRANSPORT_PARAMETER_ERROR)
        }
      }),
      { numRuns: 1000 },
    )
  })

  it('are refused out of range', () => {
    const wrong: [string, number, number | bigint][] = [
      ['max_udp_payload_size of 1199', 0x03, 1199],
      ['ack_delay_exponent of 21', 0x0a, 21],
      ['max_ack_delay of 2^14', 0x0b, 2 ** 14],
      ['active_connection_id_limit of 1', 0x0e, 1],
      ['initial_max_streams_bidi above 2^60', 0x08, (1n << 60n) + 1n],
      ['initial_max_streams_uni of 2^62-1', 0x09, (1n << 62n) - 1n],
      ['max_ack_delay of 2^62-1', 0x0b, (1n << 62n) - 1n],
    ]
    for (const [what, id, value] of wrong) expectRefused(integerParameter(id, value), 'server', what)
  })

  it('are refused with a value of the wrong length', () => {
    for (const id of [0x01, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0e, 0x20]) {
      expectRefused(parameter(id, new Uint8Array(0)), 'server', `no value of ${id}`)
      expectRefused(parameter(id, Uint8Array.of(0x40)), 'server', `half a value of ${id}`)
      expectRefused(parameter(id, Uint8Array.of(0x44, 0xb0, 0)), 'server', `a value and more of ${id}`)
    }
    for (const id of [0x00, 0x0f, 0x10])
      expectRefused(parameter(id, new Uint8Array(21)), 'server', `id of 21 bytes ${id}`)
    for (const length of [0, 15, 17]) expectRefused(parameter(0x02, new Uint8Array(length)), 'server', 'reset token')
    expectRefused(parameter(0x0c, new Uint8Array(1)), 'server', 'disable_active_migration with a value')
  })

  it('are refused when they are cut short', () => {
    const whole = encodeTransportParameters({ initialMaxData: 1000, initialSourceConnectionId: new Uint8Array(8) })
    let refused = 0
    for (let length = 1; length < whole.length; length++) {
      try {
        decodeTransportParameters(whole.subarray(0, length), 'client')
      } catch (error) {
        expect((error as TransportError).code).to.equal(TRANSPORT_PARAMETER_ERROR)
        refused++
      }
    }
    expect(refused, 'all but where one ends').to.equal(whole.length - 2)
    expectRefused(concat(Uint8Array.of(1), new Uint8Array(8).fill(0xff)), 'client', 'a length of 2^62-1')
  })

  it('are refused when one is sent twice, known or not', () => {
    expectRefused(concat(integerParameter(0x04, 1), integerParameter(0x04, 1)), 'client', 'initial_max_data')
    expectRefused(concat(integerParameter(0x1234, 1), integerParameter(0x1234, 1)), 'client', 'an unknown one')
  })

  it('are refused from a client when only servers send them', () => {
    const all = encodeTransportParameters({ initialSourceConnectionId: new Uint8Array(4) })
    for (const parameters of [
      { originalDestinationConnectionId: new Uint8Array(8) },
      { statelessResetToken: new Uint8Array(16) },
      { retrySourceConnectionId: new Uint8Array(8) },
      {
        preferredAddress: {
          ipv4: new Uint8Array(4),
          ipv4Port: 1,
          ipv6: new Uint8Array(16),
          ipv6Port: 1,
          connectionId: new Uint8Array(4),
          resetToken: new Uint8Array(16),
        },
      },
    ] satisfies Partial<TransportParameters>[]) {
      const bytes = concat(all, encodeTransportParameters(parameters))
      decodeTransportParameters(bytes, 'server')
      expectRefused(bytes, 'client', Object.keys(parameters)[0])
    }
  })

  it('with version information that is cut short, or with version 0, are refused (RFC 9368 §4)', () => {
    for (const value of [[], [0, 0, 1], [0, 0, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 1, 0, 0, 0, 0]]) {
      for (const from of ['client', 'server'] as const)
        expectRefused(parameter(0x11, Uint8Array.from(value)), from, `${value}`)
    }
  })

  it('with a preferred address without a connection id, or too long, are refused', () => {
    const fixed = new Uint8Array(4 + 2 + 16 + 2)
    const tokenBytes = new Uint8Array(16)
    expectRefused(parameter(0x0d, concat(fixed, Uint8Array.of(0), tokenBytes)), 'server', 'no id')
    expectRefused(
      parameter(0x0d, concat(fixed, Uint8Array.of(21), new Uint8Array(21), tokenBytes)),
      'server',
      '21 bytes',
    )
    expectRefused(
      parameter(0x0d, concat(fixed, Uint8Array.of(1, 7), tokenBytes, Uint8Array.of(0))),
      'server',
      'too long',
    )
    decodeTransportParameters(parameter(0x0d, concat(fixed, Uint8Array.of(1, 7), tokenBytes)), 'server')
  })

  it('that are reserved or unknown are passed over (§18.1, §7.4.2)', () => {
    const reserved = [27, 27 + 31 * 7].map(id => parameter(id, Uint8Array.of(1, 2, 3)))
    const largest = new Uint8Array(9).fill(0xff)
    largest[8] = 0
    const read = decodeTransportParameters(concat(...reserved, largest, integerParameter(0x04, 5), largest), 'client')
    expect(read).to.deep.equal({ ...DEFAULT_TRANSPORT_PARAMETERS, initialMaxData: 5 })
  })

  it('keep none of the bytes they are read from', () => {
    const bytes = encodeTransportParameters({ initialSourceConnectionId: Uint8Array.of(1, 2) })
    const read = decodeTransportParameters(bytes, 'client')
    bytes.fill(0)
    expect([...read.initialSourceConnectionId!]).to.deep.equal([1, 2])
  })
})
