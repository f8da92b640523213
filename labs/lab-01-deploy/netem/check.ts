/**
 * Does a deployed tunnel come up over an impaired link, and are its pings as slow as the link makes them, and no slower?
 *
 *     labs/lab-01-deploy/netem/check.sh [PROFILE...] [--backend auto|emulator|kernel]
 *
 * The proxy and the client are the programs of `npm run server` and `npm run client`. What to expect is computed from the
 * profile (expected.ts); each expectation that is a matter of chance fails a correct tunnel once in 10 000 runs at most.
 */
import { loadProfile } from '../../../src/link/profile/load-profile.ts'
import type { Profile } from '../../../src/link/profile/profile.ts'
import { acceptPercentile, acceptRate } from '../../../src/stats/acceptance.ts'
import type { Cleanup } from '../../kit/check/cleanup.ts'
import { openImpairedLink, projectCommand } from '../../kit/check/impaired-link.ts'
import { type Expect, netemScript, type ScriptOptions } from '../../kit/check/netem-script.ts'
import { expectedPings } from './expected.ts'

/** Pings to each of the two addresses. */
const COUNT = 60
const TARGETS = { IPv4: '10.90.0.1', IPv6: 'fd00:90::1' }

/** What two busy processes, their timers and the tunnel itself may add to a lower quartile, in ms. */
const ALLOWANCE_MS = 25
/** What the link may be off to the other side: timers that round, a simulation that is a sample itself. */
const TOLERANCE = 0.05

await netemScript(
  {
    description: 'A tunnel over an impaired link: does it come up, are its round trips as the profile says?',
    profiles: ['wifi', 'lte'],
  },
  async (names, options, cleanup, expect) => {
    // As the profile begins: what it does later is lab 4's subject.
    const profiles = names.map(name => ({ ...loadProfile(name), timeline: [] }))
    for (const profile of profiles) {
      await check(profile, options, cleanup, expect)
      await cleanup.run()
    }
  },
)

interface ClientEvent {
  event: string
  target?: string
  rttMs?: number
  kind?: string
  assigned?: string[]
  handshakeMs?: number
}

async function check(profile: Profile, options: ScriptOptions, cleanup: Cleanup, expect: Expect): Promise<void> {
  const link = await openImpairedLink({ profile, ...options }, cleanup)
  console.log(
    `${profile.name}, ${link.backend}${link.reason === undefined ? '' : ` (${link.reason})`}: ${profile.title}`,
  )
  const pings = Object.values(TARGETS).flatMap(target => ['--ping', target])
  console.log(`  ${2 * COUNT} pings, one after the other …`)
  const output = await link.runClient(
    projectCommand(
      'client',
      '-c',
      link.clientConfig(),
      '--json',
      '--interval',
      '20',
      '--count',
      String(COUNT),
      ...pings,
    ),
  )
  const events = output
    .split('\n')
    .filter(line => line.startsWith('{'))
    .map(line => JSON.parse(line) as ClientEvent)
  const tunnel = events.find(({ event }) => event === 'tunnel')
  const expected = expectedPings(profile, 2 * COUNT)

  expect(tunnel !== undefined, 'the tunnel comes up')
  if (tunnel === undefined) return
  const assigned = tunnel.assigned ?? []
  expect(
    assigned.some(prefix => prefix.includes('.')) && assigned.some(prefix => prefix.includes(':')),
    `addresses of both versions are assigned: ${assigned.join(', ')}`,
  )
  const handshakeMs = tunnel.handshakeMs ?? 0
  expect(
    handshakeMs >= expected.rttMs.least * (1 - TOLERANCE),
    `the handshake takes a round trip at least: ${handshakeMs.toFixed(1)} ms, fastest round trip ${expected.rttMs.least.toFixed(1)} ms`,
  )
  for (const [version, target] of Object.entries(TARGETS)) {
    const values = events.flatMap(event =>
      event.event === 'pong' && event.target === target ? [event.rttMs ?? 0] : [],
    )
    const { quartile } = expected.rttMs
    const result = acceptPercentile({
      name: `lower quartile of the round trip, ${version}`,
      values,
      fraction: 0.25,
      unit: 'ms',
      expected: { min: quartile * (1 - TOLERANCE) - 1, max: quartile * (1 + TOLERANCE) + ALLOWANCE_MS },
    })
    expect(result.accepted, result.text)
  }
  const lost = events.filter(({ event, kind }) => event === 'no-pong' && kind === 'timeout').length
  const loss = acceptRate({
    name: 'loss',
    successes: lost,
    n: 2 * COUNT,
    designEffect: expected.designEffect,
    expected: { max: expected.lossRate + 0.02 },
  })
  expect(loss.accepted, loss.text)
  const others = events.filter(({ event, kind }) => event === 'no-pong' && kind !== 'timeout').length
  expect(others === 0, `no ping fails in another way than by being lost: ${others} did`)
}
