/** Task 2: the incremental capsule parser. */

import { type CallGroup, describeOutcome, expectGroups, isMalformed, manners, sources } from '../../kit/check/calls.ts'
import { format, same } from '../../kit/check/format.ts'
import type { Seeded } from '../../kit/check/seeded.ts'
import type { CheckContext, Feedback } from '../../kit/lab/types.ts'
import type { Outcome, StudentObject } from '../../kit/student-code/student-code.ts'
import { briefly, inBytes, type ReadField, showMessage } from '../byte-view.ts'
import { encoded } from './varint.ts'

const FILE = 'capsules.ts'
const READ = ['RFC 9297 §3.2 The Capsule Protocol', 'RFC 9297 §3.3 Error Handling']

const KNOWN_TYPES = 4
const RANDOM_CUTS = 16
/** The longest value that a parser takes which was not told another limit. */
const DEFAULT_LIMIT = 65_536
const LARGEST = (1n << 62n) - 1n

export interface Capsule {
  type: bigint
  value: Uint8Array
}

// Cases ---------------------------------------------------------------------------------------------------------------

const known = (random: Seeded, length: number, type = random.int(0, 3)): Capsule => ({
  type: BigInt(type),
  value: random.bytes(length),
})

const unknown = (random: Seeded, length: number): Capsule => ({
  type: unknownType(random),
  value: random.bytes(length),
})

const EMPTY: Capsule = { type: 1n, value: new Uint8Array(0) }

function unknownType(random: Seeded): bigint {
  return random.pick([
    () => BigInt(random.int(4, 63)),
    () => BigInt(random.int(64, 16_383)),
    () => random.bigintBetween(1n << 30n, LARGEST),
  ])()
}

function encoding(random: Seeded): CallGroup {
  const capsules = [3, 0, 63, 64].map(length => known(random, length))
  return {
    text: 'writes type, length and value',
    file: FILE,
    name: 'encodeCapsule',
    calls: [...capsules, unknown(random, random.int(200, 300))].map(({ type, value }) => ({
      about: `${value.length} bytes of value`,
      args: [type, value],
      returns: encodeCapsule(type, value),
    })),
    misconceptions: [
      {
        says: 'Capsule Length counts the bytes of the value alone, not those of type and length.',
        would: (type: bigint, value: Uint8Array) => {
          const header = encoded(type).length + encoded(BigInt(value.length)).length
          return Uint8Array.from([...encoded(type), ...encoded(BigInt(value.length + header)), ...value])
        },
      },
      {
        says: 'The length is a varint like the type: from 64 on it takes more than one byte.',
        would: (type: bigint, value: Uint8Array) => Uint8Array.from([...encoded(type), value.length, ...value]),
      },
    ],
    read: READ,
    show: inBytes(call => viewStream([{ type: call.args[0] as bigint, value: call.args[1] as Uint8Array }], undefined)),
  }
}

// Reference -----------------------------------------------------------------------------------------------------------

export function encodeCapsule(type: bigint, value: Uint8Array): Uint8Array {
  return Uint8Array.from([...encoded(type), ...encoded(BigInt(value.length)), ...value])
}

function stream(capsules: readonly Capsule[]): Uint8Array {
  return Uint8Array.from(capsules.flatMap(({ type, value }) => [...encodeCapsule(type, value)]))
}

// Judgement -----------------------------------------------------------------------------------------------------------

export async function check(context: CheckContext): Promise<Feedback> {
  await expectGroups(context, 'capsules', random => [encoding(random)])
  for (const random of sources(context, 'capsules')) await expectStreams(context, random)
  for (const random of sources(context, 'capsules, at the edge')) {
    const type = unknownType(random)
    await expectNothingKept(context, type)
    await expectLimit(context, random)
    await expectEnd(context, random, type)
  }
  return {
    passed: true,
    expected: 'a parser that survives any split and skips what it does not know',
    found:
      'the same capsules from random splits, byte by byte, and from two streams in turn; a capsule of 2^62-1 bytes skipped with nothing kept',
    read: READ,
  }
}

async function expectStreams(context: CheckContext, random: Seeded): Promise<void> {
  // Whole capsules first: what is wrong here has nothing to do with splitting.
  const one = [known(random, 5)]
  await expectStream(context, 'parses one capsule that arrives whole', one, [stream(one)])
  await expectStream(context, 'gives out a capsule without a value', [EMPTY], [stream([EMPTY])], {
    because: 'Length 0 is allowed: an empty ADDRESS_ASSIGN, for instance, takes all addresses away.',
  })
  const several = [3, 0, 2].map(type => known(random, random.int(1, 9), type))
  several.splice(1, 0, EMPTY, known(random, 70))
  await expectStream(context, 'parses several capsules that arrive in one piece', several, [stream(several)], {
    because: 'One piece may hold more than one capsule: go on until nothing complete is left.',
  })
  const skipped = [
    unknown(random, random.int(3, 20)),
    known(random, 4),
    unknown(random, 0),
    unknown(random, 200),
    known(random, 1),
    // The first type that is not known.
    { type: BigInt(KNOWN_TYPES), value: random.bytes(3) },
  ]
  await expectStream(context, 'skips capsules of unknown types', skipped, [stream(skipped)], {
    because:
      'A capsule of an unknown type is dropped silently and skipped (RFC 9297 §3.2): that is how the protocol can be extended. It is neither given out nor an error, and what follows it counts.',
  })

  const split = [known(random, 3), unknown(random, 6), known(random, random.int(64, 80)), { ...EMPTY, type: 2n }]
  const bytes = stream(split)
  const because =
    'QUIC gives you bytes as they arrive; the cut may be anywhere. Keep what is not complete, and continue with it at the next call.'
  const byByte = [...bytes].map(byte => Uint8Array.of(byte))
  await expectStream(context, 'parses a stream that arrives byte by byte', split, byByte, { because })
  for (const cut of random.shuffle(Array.from({ length: bytes.length - 1 }, (_, i) => i + 1)).slice(0, RANDOM_CUTS)) {
    const pieces = [bytes.slice(0, cut), bytes.slice(cut)]
    await expectStream(context, `parses a stream cut after ${cut} bytes`, split, pieces, { because, silent: true })
  }
  const long = random.list(40, () =>
    random.int(0, 3) === 0 ? unknown(random, random.int(0, 300)) : known(random, random.int(0, 100)),
  )
  for (const longest of [3, 50, 400]) {
    const pieces = random.split(stream(long), longest)
    await expectStream(context, `parses 40 capsules in pieces of up to ${longest} bytes`, long, pieces, { because })
  }
  await expectApart(context, [split, [known(random, 30), unknown(random, 40), known(random, 5)]])
}

/** The capsules of known types come out, in order, however the stream was cut; and nothing stays behind. */
async function expectStream(
  context: CheckContext,
  text: string,
  capsules: readonly Capsule[],
  pieces: readonly Uint8Array[],
  options: { because?: string; silent?: boolean } = {},
): Promise<void> {
  const parser = await newParser(context)
  const outcomes = await pushAll(parser, pieces)
  const buffered = await parser.get('buffered')
  const expected = capsules.filter(capsule => capsule.type < KNOWN_TYPES)
  const found: Outcome = outcomes.find(outcome => !outcome.ok) ?? { ok: true, value: outcomes.flatMap(capsulesOf) }
  if (!options.silent) showStream(context, text, capsules, found)
  const right = found.ok && same(found.value, expected)
  if (right && options.silent && buffered === 0) return
  context.expect(text, right, () => ({
    expected: `${describeCapsules(expected)} from ${describePieces(pieces)}${options.because ? `. ${options.because}` : ''}`,
    found: found.ok ? describeCapsules(found.value as Capsule[]) : describeOutcome(found),
    ...explainMissing(found, expected),
    read: READ,
  }))
  context.expect('and keeps nothing afterwards', buffered === 0, {
    expected: 'buffered to be 0 between two capsules',
    found: `${format(buffered)}`,
    misconception:
      'What was given out or skipped has to be forgotten, or memory grows for as long as the tunnel lives.',
    read: READ,
  })
}

const SKIPPED: Readonly<Record<string, string>> = {
  0: 'DATAGRAM has the type 0, which is a known one: an HTTP Datagram on the stream (RFC 9297 §3.5).',
  1: 'ADDRESS_ASSIGN has the type 1, which is a known one.',
  2: 'ADDRESS_REQUEST has the type 2, which is a known one.',
  3: 'ROUTE_ADVERTISEMENT has the type 3, which is a known one.',
}

/** Says so when all is right but for the capsules of one known type, which are missing. */
function explainMissing(found: Outcome, expected: readonly Capsule[]): { misconception?: string } {
  if (!found.ok) return manners(found)
  const missing = Object.keys(SKIPPED).find(type => {
    const others = expected.filter(capsule => String(capsule.type) !== type)
    return others.length < expected.length && same(found.value, others)
  })
  return missing === undefined ? {} : { misconception: SKIPPED[missing] }
}

/** Two streams, a byte of one and a byte of the other: each in a parser of its own. */
async function expectApart(context: CheckContext, streams: readonly (readonly Capsule[])[]): Promise<void> {
  const turns = streams.map(capsules => [...stream(capsules)].map(byte => Uint8Array.of(byte)))
  const parsers = [await newParser(context), await newParser(context)]
  const outcomes: Outcome[][] = [[], []]
  for (let at = 0; at < Math.max(...turns.map(pieces => pieces.length)); at++) {
    for (const [i, pieces] of turns.entries()) {
      if (at < pieces.length) outcomes[i].push(...(await pushAll(parsers[i], [pieces[at]])))
    }
  }
  for (const [i, capsules] of streams.entries()) {
    const expected = capsules.filter(({ type }) => type < KNOWN_TYPES)
    const failed = outcomes[i].find(outcome => !outcome.ok)
    const given = outcomes[i].flatMap(capsulesOf)
    context.expect('keeps two streams apart, each in a parser of its own', !failed && same(given, expected), () => ({
      expected: `${describeCapsules(expected)} from one parser, while another one parses another stream`,
      found: failed ? describeOutcome(failed) : describeCapsules(given),
      misconception:
        'Alone, each parser is right. What a parser remembers belongs to that parser: in fields of the object, not in `static` ones or in variables of the file.',
      read: READ,
    }))
  }
}

async function expectNothingKept(context: CheckContext, type: bigint): Promise<void> {
  for (const [length, about] of [
    [1n << 40n, 'a terabyte'],
    [LARGEST, '2^62 - 1 bytes'],
  ] as const) {
    const parser = await newParser(context)
    const header = Uint8Array.from([...encoded(type), ...encoded(length)])
    // Were these bytes read as capsules, the first ones would be known and empty.
    const chunk = new Uint8Array(16_384).fill(0xff, 8)
    const outcomes = await pushAll(parser, [header.slice(0, 3), header.slice(3), ...new Array(16).fill(chunk)])
    const buffered = Number(await parser.get('buffered'))
    const failed = outcomes.find(outcome => !outcome.ok)
    context.expect(`takes an unknown capsule that announces ${about}`, failed === undefined, () => ({
      expected: 'the bytes of the unknown capsule to be skipped as they arrive',
      found: describeOutcome(failed!),
      misconception:
        'The limit is for what has to be kept. A capsule of an unknown type is skipped, and its length may have up to 62 bits: keep it a bigint.',
      read: READ,
    }))
    const given = outcomes.flatMap(capsulesOf)
    context.expect('gives nothing out in the middle of it', given.length === 0, {
      expected: `nothing from the first ${16 * 16_384} bytes of a value of ${length} bytes`,
      found: describeCapsules(given),
      misconception:
        'The length of a capsule may have 62 bits. As a 32-bit number, or by & and |, it becomes another length: keep it a bigint.',
      read: READ,
    })
    context.expect('and keeps none of it', buffered <= 16, {
      expected: 'at most 16 bytes buffered of an unknown capsule: its type and its length',
      found: `${buffered} bytes buffered after ${16 * 16_384} bytes of its value`,
      misconception: 'A parser that buffers what it will throw away lets a peer fill its memory.',
      read: [...READ, 'RFC 9297 §4 Security Considerations'],
    })
  }
}

async function expectLimit(context: CheckContext, random: Seeded): Promise<void> {
  await expectLimitOf(context, random, random.int(100, 5000))
  await expectLimitOf(context, random, DEFAULT_LIMIT, 'new CapsuleParser()')
}

async function expectLimitOf(
  context: CheckContext,
  random: Seeded,
  limit: number,
  made = `new CapsuleParser(${limit})`,
): Promise<void> {
  const limits = limit === DEFAULT_LIMIT ? [] : [limit]
  const allowed: Capsule = { type: 1n, value: random.bytes(limit) }
  const parser = await newParser(context, ...limits)
  const [taken] = await pushAll(parser, [stream([allowed])])
  context.expect('takes a capsule of exactly the limit', taken.ok && same(taken.value, [allowed]), () => ({
    expected: `a known capsule of ${limit} bytes to be accepted by ${made}`,
    found: taken.ok ? describeCapsules(taken.value as Capsule[]) : describeOutcome(taken),
    misconception: '`maxLength` is the longest value that is accepted: it is itself inside the limit.',
    read: READ,
  }))
  for (const length of [BigInt(limit + 1), 1n << 33n, LARGEST]) {
    const strict = await newParser(context, ...limits)
    const header = Uint8Array.from([...encoded(BigInt(random.int(0, 3))), ...encoded(length)])
    const [refused] = await pushAll(strict, [header])
    context.expect(`refuses a known capsule of ${length} bytes at once`, isMalformed(refused), () => ({
      expected: `MalformedError when a known capsule announces ${length} bytes and the limit is ${limit}`,
      found: refused.ok
        ? `${describeCapsules(refused.value as Capsule[])}, and it waits for more`
        : describeOutcome(refused),
      misconception:
        'A known capsule is kept until it is complete. Without a limit, or with one that is looked at only then, the peer decides how much memory you use.',
      read: [...READ, 'RFC 9297 §4 Security Considerations'],
    }))
  }
}

async function expectEnd(context: CheckContext, random: Seeded, unknownType: bigint): Promise<void> {
  const complete = stream([{ type: 1n, value: random.bytes(3) }])
  const between = await newParser(context)
  const [, ended] = [await pushAll(between, [complete]), (await between.batch('end', [[]]))[0]]
  context.expect('the stream may end between two capsules', ended.ok, () => ({
    expected: 'end() to return when the last capsule is complete',
    found: describeOutcome(ended),
    read: READ,
  }))
  const skipping = Uint8Array.from([...encoded(unknownType), ...encoded(100n), ...random.bytes(99)])
  const cases: [about: string, bytes: Uint8Array][] = [
    ['inside the length', Uint8Array.of(0x01, 0x40)],
    ['after the type', Uint8Array.of(0x02)],
    ['inside the value', complete.slice(0, -1)],
    ['inside an unknown capsule', skipping],
  ]
  for (const [about, bytes] of cases) {
    const parser = await newParser(context)
    await pushAll(parser, [bytes])
    const [outcome] = await parser.batch('end', [[]])
    context.expect(`the stream must not end ${about}`, isMalformed(outcome), () => ({
      expected: `end() to throw MalformedError when the stream ends ${about}`,
      found: outcome.ok ? 'it returned, as if all was well' : describeOutcome(outcome),
      misconception:
        'A stream that ends inside a capsule was cut off: RFC 9297 §3.3 calls it malformed. It is inside a capsule from the first byte of the type to the last byte of the value, also of a value that is only skipped.',
      read: READ,
    }))
  }
}

async function newParser(context: CheckContext, ...args: unknown[]): Promise<StudentObject> {
  return await context.student.create(FILE, 'CapsuleParser', ...args)
}

async function pushAll(parser: StudentObject, pieces: readonly Uint8Array[]): Promise<Outcome[]> {
  return await parser.batch(
    'push',
    pieces.map(piece => [piece]),
  )
}

/** The capsules of one call; whatever else it returned is shown as it is. */
function capsulesOf(outcome: Outcome): Capsule[] {
  if (!outcome.ok) return []
  return Array.isArray(outcome.value) ? (outcome.value as Capsule[]) : [outcome.value as Capsule]
}

function describeCapsules(capsules: readonly Capsule[]): string {
  if (capsules.length === 0) return 'no capsule'
  const each = capsules.slice(0, 4).map(capsule => {
    if (!(capsule?.value instanceof Uint8Array)) return format(capsule)
    return `type ${format(capsule.type)} with ${capsule.value.length} bytes`
  })
  const more = capsules.length > 4 ? ` and ${capsules.length - 4} more` : ''
  return `${capsules.length === 1 ? 'one capsule' : `${capsules.length} capsules`} (${each.join(', ')}${more})`
}

function describePieces(pieces: readonly Uint8Array[]): string {
  if (pieces.length === 1) return `${format(pieces[0])} in one piece`
  const lengths = pieces.slice(0, 6).map(piece => piece.length)
  return `pieces of ${lengths.join(', ')}${pieces.length > 6 ? ' …' : ''} bytes`
}

function showStream(context: CheckContext, text: string, capsules: readonly Capsule[], found: Outcome): void {
  const view = viewStream(capsules, found.ok ? (found.value as Capsule[]) : undefined)
  showMessage(context, {
    title: text,
    bytes: view.bytes,
    fields: view.fields.map(field => ({
      name: field.name,
      length: field.length,
      reference: field.text,
      student: found.ok ? (field.student ?? '') : briefly(found.error),
    })),
  })
}

function viewStream(capsules: readonly Capsule[], found: readonly Capsule[] | undefined) {
  const fields: (ReadField & { student?: string })[] = []
  let index = 0
  for (const { type, value } of capsules.slice(0, 6)) {
    const known = type < KNOWN_TYPES
    const own = known ? found?.[index++] : undefined
    const student = (text: string | undefined) =>
      found === undefined ? {} : { student: known ? (text ?? 'nothing') : 'skipped' }
    const skip = (text: string) => (known ? text : 'skipped')
    fields.push(
      {
        name: 'Capsule Type',
        length: encoded(type).length,
        text: skip(`${type}n`),
        ...student(own && format(own.type)),
      },
      { name: 'Capsule Length', length: encoded(BigInt(value.length)).length, text: `${value.length}` },
    )
    if (value.length === 0) continue
    fields.push({
      name: 'Capsule Value',
      length: value.length,
      text: skip(format(value)),
      ...student(own && format(own.value)),
    })
  }
  return { bytes: stream(capsules.slice(0, 6)), fields }
}
