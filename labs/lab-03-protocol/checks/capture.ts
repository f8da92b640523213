/**
 * Task 11: reading a recorded session.
 *
 * The session is made afresh, from the name that the student gives: the same name gives the same facts. So nothing has to be
 * handed in with the answers; and because the name has to be that of whoever hands in, nobody's answers are right for somebody else.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { errorName, H3ErrorCode } from '../../../src/http3/error-codes.ts'
import type { IpAddress } from '../../../src/ip/address.ts'
import { expectEach } from '../../kit/check/questions.ts'
import type { CheckContext, Feedback } from '../../kit/lab/types.ts'
import { type Facts, type Recording, record } from '../recorder.ts'
import { askTshark } from '../tshark.ts'

const HANDOUT = 'labs/lab-03-protocol/README.md, "Reading the capture"'
/** The name in the reference solution. */
const REFERENCE_NAME = 'reference'
/** Seeds of what is graded here without having been handed in. */
const OURS = /^(reference|start|mutant|mutation)\b/

export async function check(context: CheckContext): Promise<Feedback> {
  const { answers } = context
  const given = answers.name ?? ''
  context.expect('the name is your own', given !== REFERENCE_NAME || OURS.test(context.seed), {
    expected: 'a name of your own in answers.toml, under [capture]',
    found: `the name "${given}", which is that of the reference solution`,
    read: [HANDOUT],
  })
  const known = context.mode === 'live' || given === '' || OURS.test(context.seed) || isNameOf(given, context.seed)
  context.expect('and the one under which you hand in', known, {
    expected: `in answers.toml, under [capture], the name under which this was handed in, or a part of it: "${context.seed}"`,
    found: `the name "${given}"`,
    read: [HANDOUT],
  })
  const name = given === '' ? context.seed : given
  const recording = await context.do(`record the session of "${name}"`, () => record(name, context))
  if (context.mode === 'live') await context.do('write it to exercises/capture', () => write(context, name, recording))
  context.expect('you say whose session it is', given !== '', {
    expected: `name = "${name}" (or another name, by which your instructor knows you) in answers.toml, under [capture]`,
    found: 'no name yet',
    misconception: 'The session depends on the name. With another name it is another session, also when it is graded.',
    read: [HANDOUT],
  })
  const { facts } = recording
  const judgements = [expectStream, expectSettings, expectAddress, expectContext, expectDatagrams, expectError]
  expectEach(
    context,
    judgements.map(judge => each => judge(each, facts)),
  )
  const agreed = context.mode === 'live' ? await crossCheck(context, recording) : ''
  return {
    passed: true,
    expected: 'the session read from its bytes',
    found: `the session of "${name}": request on stream ${facts.streamId}, address ${facts.assigned}, ended with ${errorName(facts.errorCode)}${agreed}`,
    read: [HANDOUT],
  }
}

/**
 * Does this name belong to whoever handed in a folder of that name? `ada`, `Ada Lovelace` and `lovelace` are all of
 * `Lovelace_Ada_4711`. Accents and capitals count for nothing; of less than three letters, it has to be the whole.
 */
export function isNameOf(given: string, folder: string): boolean {
  const words = (text: string) =>
    text
      .normalize('NFKD')
      .toLowerCase()
      .replace(/\p{M}/gu, '')
      .split(/[^\p{L}\p{N}]+/u)
      .filter(word => word !== '')
  const [own, all] = [words(given), words(folder)]
  if (own.join('') === all.join('')) return own.length > 0
  return own.join('').length >= 3 && own.every(word => all.includes(word))
}

/** An existing capture of the same name is left alone: the student may have it open. */
function write(context: CheckContext, name: string, { pcapng, keyLog, text }: Recording): void {
  const folder = join(context.exercises, 'capture')
  const listing = join(folder, 'session.txt')
  const heading = text.slice(0, text.indexOf('\n'))
  if (
    existsSync(listing) &&
    readFileSync(listing, 'utf8').startsWith(heading) &&
    existsSync(join(folder, 'session.pcapng'))
  ) {
    return
  }
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'session.pcapng'), pcapng)
  writeFileSync(join(folder, 'session.keys'), keyLog, { mode: 0o600 })
  writeFileSync(listing, text)
  context.show('capture', { name, folder })
}

function expectStream(context: CheckContext, { streamId }: Facts): void {
  const found = numberIn(context.answers.stream)
  context.expect('you found the stream of the CONNECT-IP request', found === streamId, {
    expected: 'the id of the stream on which the request with :protocol connect-ip is',
    found: quotedNumber(context.answers.stream),
    ...(found === streamId / 4
      ? {
          misconception:
            'That is the Quarter Stream ID, as it is in the datagrams. The stream id is four times as much.',
        }
      : found === 0
        ? {
            misconception: 'On stream 0 there is a request, but a plain GET. Look for :protocol in the HEADERS frames.',
          }
        : {}),
    read: [HANDOUT, 'RFC 9000 §2.1 Stream Types and Identifiers'],
  })
}

function expectSettings(context: CheckContext, facts: Facts): void {
  const found = numberIn(context.answers.settings)
  context.expect('you read the SETTINGS of the client', found === facts.clientFieldSectionSize, {
    expected: 'the value of SETTINGS_MAX_FIELD_SECTION_SIZE (0x06) that the client announces',
    found: quotedNumber(context.answers.settings),
    ...(found !== undefined && found === facts.proxyFieldSectionSize
      ? {
          misconception:
            'That is what the proxy announces. Each side has SETTINGS of its own: the client sends its on stream 2.',
        }
      : found === facts.clientFieldSectionSize + 0x4000
        ? { misconception: 'The value is a varint: the two upper bits of its first byte are its length.' }
        : {}),
    read: [HANDOUT, 'RFC 9114 §7.2.4 SETTINGS'],
  })
}

function expectAddress(context: CheckContext, facts: Facts): void {
  const found = (context.answers.address ?? '').replace(/\/32$/, '')
  const is = (address: IpAddress) => found === address.toString()
  context.expect('you found the assigned address', is(facts.assigned), {
    expected: 'the IPv4 address that the proxy assigns to the client',
    found: quoted(context.answers.address),
    ...(is(facts.pinged)
      ? {
          misconception:
            'That is the host that is pinged. The assigned address is in the ADDRESS_ASSIGN capsule (type 0x01), and the source of the pings.',
        }
      : found === '0.0.0.0'
        ? {
            misconception:
              'That is what the client asked for: any address. The answer is in the ADDRESS_ASSIGN capsule.',
          }
        : found.startsWith('192.0.2.') || found.startsWith('198.51.100.')
          ? { misconception: 'That is an address outside of the tunnel. What is assigned is for the packets inside.' }
          : {}),
    read: [HANDOUT, 'RFC 9484 §4.7.1 ADDRESS_ASSIGN Capsule'],
  })
}

function expectContext(context: CheckContext, { contextId, streamId }: Facts): void {
  const found = numberIn(context.answers.context)
  context.expect('you found the datagram that is no IP packet', found === contextId, {
    expected: 'the Context ID of the one datagram of the client that is not an IP packet',
    found: quotedNumber(context.answers.context),
    ...(found === 0
      ? { misconception: 'Context ID 0 is for IP packets. One datagram has another one.' }
      : found === streamId / 4
        ? { misconception: 'That is the Quarter Stream ID, which comes first. The Context ID is behind it.' }
        : found !== undefined && (found === contextId + 0x4000 || found === contextId >> 8)
          ? {
              misconception:
                'The Context ID is a varint: the two upper bits of its first byte say how many bytes it has.',
            }
          : {}),
    read: [HANDOUT, 'RFC 9484 §6 HTTP Datagram Payload Format'],
  })
}

function expectDatagrams(context: CheckContext, facts: Facts): void {
  const found = numberIn(context.answers.datagrams)
  context.expect('you counted the datagrams', found === facts.datagramsSent, {
    expected: 'how many DATAGRAM frames the client sends',
    found: quotedNumber(context.answers.datagrams),
    ...(found === facts.datagramsSent + facts.datagramsReceived
      ? { misconception: 'That is how many there are in both directions. Asked for are those of the client.' }
      : found === facts.datagramsSent - 1
        ? { misconception: 'A datagram with an unknown Context ID is a datagram too.' }
        : {}),
    read: [HANDOUT, 'RFC 9221 §4 Datagram Frame Types'],
  })
}

function expectError(context: CheckContext, { errorCode }: Facts): void {
  const answer = (context.answers.error ?? '').trim()
  const byName = (H3ErrorCode as Readonly<Record<string, number>>)[answer.toUpperCase()]
  const found = byName ?? numberIn(answer)
  context.expect('you read how it ended', found === errorCode, {
    expected: 'the error code with which the client closes the connection, such as 0x100',
    found: byName === undefined ? quotedNumber(answer, 'a number only, or a name of RFC 9114 §8.1') : quoted(answer),
    ...(found === 0x1d
      ? {
          misconception:
            'That is the type of the frame: CONNECTION_CLOSE of an application. The error code follows it.',
        }
      : found === errorCode + 0x4000
        ? { misconception: 'The error code is a varint: the two upper bits of its first byte are its length.' }
        : {}),
    read: [HANDOUT, 'RFC 9000 §19.19 CONNECTION_CLOSE Frames', 'RFC 9114 §8.1 HTTP/3 Error Codes'],
  })
}

/** Where tshark is installed, it is asked too. It may be of any version, so it is heard, not obeyed. */
async function crossCheck(context: CheckContext, { facts, pcapng }: Recording): Promise<string> {
  const file = join(await context.scratch(), 'session.pcapng')
  writeFileSync(file, pcapng)
  const found = await askTshark(file, context.signal)
  if (found === undefined) return ''
  const agrees = found.datagramsSent === facts.datagramsSent && found.errorCode === facts.errorCode
  return agrees ? '; tshark says the same' : ''
}

/** `268`, `0x10c`. */
function numberIn(answer: string | undefined): number | undefined {
  const text = (answer ?? '').trim().toLowerCase()
  return /^(0x[0-9a-f]+|\d+)$/.test(text) ? Number(text) : undefined
}

function quoted(answer: string | undefined): string {
  return answer === undefined || answer === '' ? 'no answer yet' : `the answer "${answer}"`
}

/** The same where a number is asked for: `8 bytes` is none. */
function quotedNumber(answer: string | undefined, form = 'a number only, such as 268 or 0x10c'): string {
  const isOther = answer !== undefined && answer !== '' && numberIn(answer) === undefined
  return quoted(answer) + (isOther ? `; ${form}` : '')
}
