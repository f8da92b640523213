/**
 * Does the protocol survive what IP allows a network to do: reordering, duplication, corruption, loss?
 *
 *     labs/lab-03-protocol/netem/check.sh [--backend auto|emulator|kernel]
 *
 * Datagrams of random content go through the tunnel to an echo service and back (echoes.ts), over the profile beside this,
 * first in QUIC datagrams, then in DATAGRAM capsules on the request stream. What is a matter of chance fails a correct
 * implementation once in 10 000 runs at most.
 */
import { fileURLToPath } from 'node:url'
import { loadProfile } from '../../../src/link/profile/load-profile.ts'
import { acceptRate } from '../../../src/stats/acceptance.ts'
import type { Cleanup } from '../../kit/check/cleanup.ts'
import { type ImpairedLink, openImpairedLink } from '../../kit/check/impaired-link.ts'
import { type Expect, netemScript, type ScriptOptions } from '../../kit/check/netem-script.ts'
import type { Echoes } from './echoes.ts'

const COUNT = 600
const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url))

await netemScript(
  {
    description:
      'A tunnel over a link that reorders, duplicates, corrupts and loses: does everything arrive whole, or not at all?',
  },
  check,
)

async function check(_: string[], options: ScriptOptions, cleanup: Cleanup, expect: Expect): Promise<void> {
  const profile = loadProfile(here('hostile.toml'))
  const link = await openImpairedLink({ profile, ...options }, cleanup)
  console.log(`${link.backend}${link.reason === undefined ? '' : ` (${link.reason})`}: ${profile.title}`)

  console.log(`QUIC datagrams: ${COUNT} there and back …`)
  const datagrams = await echoes(link, 'datagram')
  expectControlPlane(datagrams, expect)
  expectWhole(datagrams, expect)
  // Lost or damaged, on one way or the other. A duplicate saves some: that makes it less.
  const { loss, corrupt } = profile.up
  const passes = (1 - (loss.model === 'random' ? loss.rate : 0)) * (1 - corrupt.rate)
  const missing = acceptRate({
    name: 'datagrams that did not come back',
    successes: datagrams.sent - datagrams.whole,
    n: datagrams.sent,
    expected: { min: 0.5 * (1 - passes ** 2), max: 1.5 * (1 - passes ** 2) },
  })
  expect(missing.accepted, `lost and damaged packets are dropped, others are not: ${missing.text}`)
  expect(datagrams.overtaken > 0, `a datagram may overtake another: ${datagrams.overtaken} did`)

  console.log(`DATAGRAM capsules on the stream: ${COUNT} there and back …`)
  const capsules = await echoes(link, 'single-stream')
  expectControlPlane(capsules, expect)
  expectWhole(capsules, expect)
  expect(capsules.whole === capsules.sent, `the stream brings every capsule: ${capsules.whole} of ${capsules.sent}`)
  expect(capsules.overtaken === 0, `and in order: ${capsules.overtaken} overtook another`)

  const counters = await link.counters()
  if (counters === undefined) return
  for (const kind of ['reordered', 'duplicated', 'corrupted', 'lost'] as const) {
    const packets = counters.up[0][kind] + counters.down[0][kind]
    expect(packets > 0, `the link did it: ${packets} packets ${kind}`)
  }
}

async function echoes(link: ImpairedLink, encapsulation: 'datagram' | 'single-stream'): Promise<Echoes> {
  const output = await link.runClient([
    '--import',
    'tsx',
    here('echoes.ts'),
    link.clientConfig(encapsulation),
    String(COUNT),
  ])
  return JSON.parse(output.trim().split('\n').at(-1) ?? '') as Echoes
}

/** ADDRESS_ASSIGN and ROUTE_ADVERTISEMENT, on a stream: QUIC sends again what the link has damaged. */
function expectControlPlane({ assigned, routes }: Echoes, expect: Expect): void {
  expect(
    assigned.length === 2 && routes > 0,
    `capsules arrive whole: ${assigned.join(', ')} assigned, ${routes} routes`,
  )
}

/** AEAD drops what was damaged (RFC 9001 §5.5), packet numbers what came twice (RFC 9000 §12.3). */
function expectWhole({ strange, invalid, repeated, whole }: Echoes, expect: Expect): void {
  expect(
    whole > 0 && strange === 0 && invalid === 0,
    `nothing damaged is delivered: ${whole} whole, ${strange + invalid} damaged`,
  )
  expect(repeated === 0, `nothing is delivered twice: ${repeated} were`)
}
