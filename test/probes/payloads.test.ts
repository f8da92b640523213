import { expect } from 'chai'
import fc from 'fast-check'
import { DecodeError } from '../../src/bytes/errors.ts'
import {
  decodeGreedyAck,
  decodeGreedyData,
  encodeGreedyAck,
  GREEDY_ACK_LENGTH,
  SHORTEST_GREEDY_DATA,
  writeGreedyData,
} from '../../src/probes/greedy-packets.ts'
import {
  decodeRequest,
  decodeSegment,
  encodeRequest,
  encodeSegment,
  LONGEST_RESPONSE,
  LONGEST_SEGMENT,
  SHORTEST_SEGMENT,
  segmentCount,
  segmentDataLength,
} from '../../src/probes/request-packets.ts'

const u32 = fc.integer({ min: 0, max: 2 ** 32 - 1 })
const time = fc.double({ min: -1e15, max: 1e15, noNaN: true })

const ack = fc
  .record({ flowId: u32, token: u32, sequence: u32, highest: u32, delayUs: time, before: fc.tuple(u32, u32) })
  .map(fields => ({ ...fields, sequence: Math.min(fields.sequence, fields.highest) }))

const request = fc
  .record({
    id: u32,
    token: u32,
    responseLength: fc.integer({ min: 0, max: LONGEST_RESPONSE }),
    segmentLength: fc.integer({ min: SHORTEST_SEGMENT, max: LONGEST_SEGMENT }),
    first: fc.nat(),
    wanted: fc.tuple(u32, u32),
  })
  .map(fields => ({ ...fields, first: fields.first % segmentCount(fields.responseLength, fields.segmentLength) }))

const DECODERS = { decodeGreedyData, decodeGreedyAck, decodeRequest, decodeSegment }

function error(run: () => unknown): unknown {
  try {
    run()
  } catch (thrown) {
    return thrown
  }
  return undefined
}

describe('Payloads of the probes', () => {
  it('come out of the decoder as they went in', () => {
    const data = fc.record({ flowId: u32, token: u32, sequence: u32, sentUs: time })
    const options = { numRuns: 200 }
    fc.assert(
      fc.property(data, fields => {
        const payload = new Uint8Array(SHORTEST_GREEDY_DATA + 5)
        writeGreedyData(fields, payload)
        expect(decodeGreedyData(payload)).to.deep.equal(fields)
      }),
      options,
    )
    fc.assert(
      fc.property(ack, fields => {
        expect(decodeGreedyAck(encodeGreedyAck(fields))).to.deep.equal(fields)
      }),
      options,
    )
    fc.assert(
      fc.property(request, fields => {
        expect(decodeRequest(encodeRequest(fields))).to.deep.equal(fields)
      }),
      options,
    )
    fc.assert(
      fc.property(request, fields => {
        const { id, token, first, responseLength, segmentLength } = fields
        const segment = decodeSegment(encodeSegment(fields, first))
        expect(segment).to.deep.include({ id, token, index: first })
        expect(segment.data.length).to.equal(segmentDataLength(responseLength, segmentLength, first))
      }),
      options,
    )
  })

  it('of any other bytes are refused with DecodeError, and nothing else', () => {
    const magics = ['mlgd', 'mlga', 'mlrq', 'mlrs'].map(text => new TextEncoder().encode(text))
    const bytes = fc.uint8Array({ maxLength: 60 })
    const input = fc.oneof(
      bytes,
      fc.tuple(fc.constantFrom(...magics), bytes).map(([magic, rest]) => Uint8Array.of(...magic, ...rest)),
    )
    fc.assert(
      fc.property(input, payload => {
        for (const decode of Object.values(DECODERS)) {
          const thrown = error(() => decode(payload))
          if (thrown !== undefined) expect(thrown).to.be.instanceOf(DecodeError)
        }
      }),
      { numRuns: 500 },
    )
  })

  it('are refused when cut short at whatever byte', () => {
    const fields = { flowId: 1, token: 2, sequence: 3, highest: 4, delayUs: 5, before: [6, 7] as [number, number] }
    const whole = encodeGreedyAck(fields)
    expect(whole).to.have.length(GREEDY_ACK_LENGTH)
    for (let length = 0; length < whole.length; length++) {
      expect(error(() => decodeGreedyAck(whole.subarray(0, length)))).to.be.instanceOf(DecodeError)
    }
    const asked = encodeRequest({ id: 1, token: 2, responseLength: 3, segmentLength: 400, first: 0, wanted: [1, 0] })
    for (let length = 0; length < asked.length; length++) {
      expect(error(() => decodeRequest(asked.subarray(0, length)))).to.be.instanceOf(DecodeError)
    }
  })

  it('that ask for too much, or contradict themselves, are refused', () => {
    const fields = { id: 1, token: 2, responseLength: 3, segmentLength: 400, first: 0, wanted: [1, 0] as const }
    for (const change of [
      { responseLength: LONGEST_RESPONSE + 1 },
      { segmentLength: SHORTEST_SEGMENT - 1 },
      { segmentLength: LONGEST_SEGMENT + 1 },
      { first: 1 },
    ]) {
      expect(() => decodeRequest(encodeRequest({ ...fields, ...change }))).to.throw(DecodeError)
    }
    const beyond = { flowId: 1, token: 2, sequence: 5, highest: 4, delayUs: 5, before: [6, 7] as const }
    expect(() => decodeGreedyAck(encodeGreedyAck(beyond))).to.throw(DecodeError, 'beyond the highest')
    const timeless = { ...beyond, highest: 9, delayUs: Number.NaN }
    expect(() => decodeGreedyAck(encodeGreedyAck(timeless))).to.throw(DecodeError, 'time NaN')
  })
})
