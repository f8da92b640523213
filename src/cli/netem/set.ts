/** `netem set`: changes a link that runs in another terminal. */

import { resolve } from 'node:path'
import { EmulatorError } from '../../link/emulator/udp-socket.ts'
import { changedImpairment, loadProfile, profileNames } from '../../link/profile/load-profile.ts'
import {
  type Attachment,
  DIRECTIONS,
  type Direction,
  type Impairment,
  type Profile,
} from '../../link/profile/profile.ts'
import { standingStill } from '../../link/profile/timeline.ts'
import { type ControlOrder, type RunningLink, runningLinks, tell } from './control.ts'
import { describeImpairment, seconds } from './show.ts'

export interface SetOptions {
  profile?: string
  direction: Direction | 'both'
  attachment: 'first' | 'second' | 'both'
  /** By the keys of a profile. */
  values: Record<string, string>
}

/** `which`: an id, or an address where clients send to; undefined: the only one. Returns what to print. Rejects with EmulatorError. */
export async function changeRunningLink(which: string | undefined, options: SetOptions): Promise<string[]> {
  const { profile, values } = options
  const { trace } = values
  if (profile !== undefined && Object.keys(values).length > 0) {
    throw new EmulatorError('--profile says all of it; leave the other values away, or the profile')
  }
  const link = choose(which, await runningLinks())
  const attachments: Record<SetOptions['attachment'], Attachment[]> = { first: [0], second: [1], both: [] }
  const order: ControlOrder =
    profile !== undefined
      ? { order: 'profile', profile: profileNames().includes(profile) ? profile : resolve(profile) }
      : Object.keys(values).length === 0
        ? { order: 'describe' }
        : {
            order: 'values',
            directions: options.direction === 'both' ? [...DIRECTIONS] : [options.direction],
            attachments: attachments[options.attachment],
            // The link runs in another folder.
            values: { ...values, ...(trace !== undefined && trace !== 'none' && { trace: resolve(trace) }) },
          }
  const { lines } = await tell(link.id, order)
  return [`${link.id}  ${link.addresses.join(', ')} -> ${link.to}`, ...lines.map(line => `  ${line}`)]
}

function choose(which: string | undefined, links: readonly RunningLink[]): RunningLink {
  const list = links.map(({ id, addresses, profile }) => `${id} (${addresses.join(', ')}, ${profile})`).join('; ')
  if (links.length === 0) {
    throw new EmulatorError('no link of yours is running here; npm run netem -- run PROFILE --to HOST:PORT starts one')
  }
  if (which === undefined) {
    if (links.length > 1) throw new EmulatorError(`which one? Give the id or the address of one of ${list}`)
    return links[0]
  }
  const link = links.find(({ id, addresses }) => String(id) === which || addresses.includes(which))
  if (link === undefined) throw new EmulatorError(`no link has the id or the address '${which}'; there is ${list}`)
  return link
}

// -- the link's side -------------------------------------------------------------------------------------------------

/** What an order makes of a link, and what is different then. */
export interface Change {
  profile: Profile
  lines: string[]
}

/** `elapsedMs`: since the timeline began; undefined: not yet. Throws ConfigError, EmulatorError. */
export function changeOf(before: Profile, order: ControlOrder, elapsedMs: number | undefined): Change {
  if (order.order === 'describe') return { profile: before, lines: description(before, elapsedMs) }
  if (order.order === 'profile') {
    const profile = loadProfile(order.profile)
    const timeline = profile.timeline.length > 0 ? ['its timeline begins with the next datagram'] : []
    return {
      profile,
      lines: [
        `now ${profile.name}: ${profile.title}`,
        ...differences(standingStill(before, elapsedMs), profile),
        ...timeline,
      ],
    }
  }
  const now = standingStill(before, elapsedMs)
  const attachments = now.second === undefined ? ([0] as const) : ([0, 1] as const)
  const wanted = attachments.filter(each => order.attachments.length === 0 || order.attachments.includes(each))
  if (wanted.length === 0) throw new EmulatorError(`the profile '${before.name}' has no second attachment`)
  const change = (attachment: Attachment, direction: Direction): Impairment => {
    const link = (attachment === 1 ? now.second : now)?.[direction] ?? now[direction]
    return wanted.includes(attachment) && order.directions.includes(direction)
      ? changedImpairment(link, order.values)
      : link
  }
  const links = (attachment: Attachment) => ({ up: change(attachment, 'up'), down: change(attachment, 'down') })
  const profile = { ...now, ...links(0), ...(now.second && { second: links(1) }) }
  const lines = differences(now, profile)
  const stands =
    before.timeline.length > 0
      ? [`the timeline stands still at ${seconds(elapsedMs ?? 0)}; --profile ${before.name} begins it anew`]
      : []
  return { profile, lines: [...(lines.length > 0 ? lines : ['nothing changes']), ...stands] }
}

function description(profile: Profile, elapsedMs: number | undefined): string[] {
  const nothing: Profile = { ...profile, ...clean(), ...(profile.second && { second: clean() }) }
  const lines = differences(nothing, standingStill(profile, elapsedMs)).map(line => line.replace(/: - -> /, ': '))
  return [`${profile.name}: ${profile.title}`, ...(lines.length > 0 ? lines : ['nothing is done to packets'])]
}

function clean(): Record<Direction, Impairment> {
  const { up, down } = loadProfile('clean')
  return { up, down }
}

/** `up delay: 20 ms -> 50 ms` */
function differences(before: Profile, after: Profile): string[] {
  return ([0, 1] as const).flatMap(attachment =>
    DIRECTIONS.flatMap(direction => {
      const [old, now] = [before, after].map(profile => (attachment === 0 ? profile : profile.second)?.[direction])
      if (now === undefined) return []
      const [was, is] = [old === undefined ? {} : describeImpairment(old), describeImpairment(now)] as Record<
        string,
        string
      >[]
      const where = attachment === 0 ? direction : `second ${direction}`
      return [...new Set([...Object.keys(was), ...Object.keys(is)])]
        .filter(name => was[name] !== is[name])
        .map(name => `${where} ${name}: ${was[name] ?? '-'} -> ${is[name] ?? '-'}`)
    }),
  )
}
