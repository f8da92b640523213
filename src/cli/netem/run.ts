/** `netem run`: the emulator on its own, between any client and any server that speak UDP. */

import type { EmulatorCounters } from '../../link/emulator/emulator.ts'
import { type EmulatorHandle, startEmulatorProcess } from '../../link/emulator/emulator-process.ts'
import { TcpBypass } from '../../link/emulator/tcp-bypass.ts'
import type { Profile } from '../../link/profile/profile.ts'
import { formatAddress, type SocketAddress } from '../../net/udp.ts'
import { interrupted } from '../run-command.ts'
import { type ControlOrder, type ControlResult, ControlServer } from './control.ts'
import { counterLine, counterTable } from './counters.ts'
import { changeOf } from './set.ts'
import { describePhase, seconds } from './show.ts'

export interface RunOptions {
  profile: Profile
  /** 127.0.0.1 and any free port, unless said otherwise. */
  listen?: SocketAddress
  second?: SocketAddress
  /** TCP passes beside the link. */
  tcp?: boolean
  to: SocketAddress
  seed: string
  /** Ends by itself after so long. */
  durationMs?: number
  json: boolean
  /** By which `netem set` finds the link. */
  id?: number
}

const REFRESH_MS = 1_000
/** How many of the last events stay in the picture. */
const MAX_EVENTS = 4

/** Rejects with EmulatorError when the emulator cannot start or its process dies. */
export async function runEmulator(given: RunOptions): Promise<void> {
  /** `netem set` gives it another profile. */
  const options = { ...given }
  // From the first moment: Ctrl-C while it starts must not leave a process behind.
  const stopped = interrupted()
  const started = startEmulatorProcess({ ...options, secondListen: options.second })
  const link = await Promise.race([started, stopped.then(() => undefined)])
  if (link === undefined) {
    await started.then(late => late.close()).catch(() => {})
    return
  }
  const died = new Promise<never>((_, reject) => link.once('died', reject))
  died.catch(() => {})
  const bypasses: TcpBypass[] = []
  try {
    if (options.tcp) for (const address of addressesOf(link)) bypasses.push(await TcpBypass.open(address, options.to))
    await showLink(options, link, Promise.race([stopped, died]))
  } finally {
    await Promise.all([...bypasses.map(bypass => bypass.close()), link.close()])
  }
}

/** Until it is stopped, its time is up, or its process dies. */
async function showLink(options: RunOptions, link: EmulatorHandle, stopped: Promise<unknown>): Promise<void> {
  const screen = choose(options, link)
  link.on('phase', ({ phase, atMs }) => screen.event('phase', atMs, describePhase(phase), { phase }))
  link.on('address-change', ({ change, to, atMs }) =>
    screen.event('address-change', atMs, `done: ${change}`, { change, to }),
  )
  link.on('stall', ({ lateMs, packets }) =>
    screen.event('stall', undefined, `held up: ${packets} packets up to ${lateMs.toFixed(0)} ms late`, {
      lateMs,
      packets,
    }),
  )
  link.on('fault', ({ message }) => screen.event('fault', undefined, `error of the emulator: ${message}`, { message }))
  const control = await openControl(options, link, screen)
  options.id = control?.id
  let timer: NodeJS.Timeout | undefined
  let ending: NodeJS.Timeout | undefined
  try {
    screen.started()
    const ended = new Promise<void>(resolve => {
      if (options.durationMs !== undefined) ending = setTimeout(resolve, options.durationMs)
    })
    const refresh = async (): Promise<void> => {
      // A process that has died is told by `died`.
      const counters = await link.counters().catch(() => undefined)
      if (counters === undefined) return
      screen.update(counters)
      timer = setTimeout(refresh, REFRESH_MS)
    }
    timer = setTimeout(refresh, REFRESH_MS)
    await Promise.race([stopped, ended])
    clearTimeout(timer)
    screen.finished(await link.counters())
  } finally {
    clearTimeout(timer)
    clearTimeout(ending)
    await control?.close()
    screen.close()
  }
}

/** Where clients send to. */
function addressesOf({ address, secondAddress }: EmulatorHandle): SocketAddress[] {
  return secondAddress === undefined ? [address] : [address, secondAddress]
}

/** Lets `netem set` change the link. A link runs without it too, where no socket can be had. */
async function openControl(
  options: RunOptions,
  link: EmulatorHandle,
  screen: Screen,
): Promise<ControlServer | undefined> {
  const obey = async (order: ControlOrder): Promise<ControlResult> => {
    const { timelineMs } = await link.counters()
    const { profile, lines } = changeOf(options.profile, order, timelineMs)
    if (profile !== options.profile) {
      await link.setProfile(profile)
      options.profile = profile
      screen.event('set', timelineMs, `set: ${lines.join('; ')}`, { profile: profile.name, changes: lines })
    }
    return {
      link: { profile: profile.name, addresses: addressesOf(link).map(formatAddress), to: formatAddress(options.to) },
      lines,
    }
  }
  // One after the other: each builds on what the one before has left.
  let last: Promise<unknown> = Promise.resolve()
  try {
    return await ControlServer.open(order => {
      const result = last.then(() => obey(order))
      last = result.catch(() => {})
      return result
    })
  } catch (error) {
    console.error(`note: this link cannot be changed while it runs: ${(error as Error).message}`)
    return undefined
  }
}

/** How the counters are shown. */
interface Screen {
  started(): void
  update(counters: EmulatorCounters): void
  event(name: string, atMs: number | undefined, text: string, detail: object): void
  finished(counters: EmulatorCounters): void
  close(): void
}

function choose(options: RunOptions, link: EmulatorHandle): Screen {
  // The reader of our output has gone away, as `| head` does.
  process.stdout.on('error', () => process.exit(0))
  const began = performance.now()
  const elapsed = (): number => performance.now() - began
  if (options.json) return jsonScreen(options, link, elapsed)
  if (process.stdout.isTTY && process.env.TERM !== 'dumb') return liveScreen(options, link, elapsed)
  return plainScreen(options, link, elapsed)
}

function jsonScreen(options: RunOptions, link: EmulatorHandle, elapsed: () => number): Screen {
  const print = (event: string, detail: object): void =>
    console.log(JSON.stringify({ event, elapsedMs: Math.round(elapsed()), ...detail }))
  return {
    started: () =>
      print('started', {
        id: options.id,
        profile: options.profile.name,
        seed: options.seed,
        address: link.address,
        secondAddress: link.secondAddress,
        to: options.to,
      }),
    update: counters => print('counters', { ...counters }),
    event: (name, atMs, _text, detail) => print(name, { atMs, ...detail }),
    finished: counters => print('summary', { ...counters }),
    close: () => {},
  }
}

function plainScreen(options: RunOptions, link: EmulatorHandle, elapsed: () => number): Screen {
  const print = (text: string): void =>
    console.log(`${seconds(Math.round(elapsed() / 100) * 100).padStart(8)}  ${text}`)
  return {
    started: () => {
      console.log(heading(options, link, Number.POSITIVE_INFINITY).join('\n'))
      if (options.id !== undefined) console.log(`to change it: npm run netem -- set ${options.id} --delay 50ms`)
    },
    update: counters => print(counterLine(counters)),
    event: (_name, atMs, text) => print(`${text}${atMs === undefined ? '' : ` (timeline ${seconds(atMs)})`}`),
    finished: counters => console.log(summary(options, counters, elapsed(), 80).join('\n')),
    close: () => {},
  }
}

/** Drawn again in the same place once a second. */
function liveScreen(options: RunOptions, link: EmulatorHandle, elapsed: () => number): Screen {
  const { stdout } = process
  const coloured = process.env.NO_COLOR === undefined || process.env.NO_COLOR === ''
  const bold = (text: string): string => (coloured ? `\x1b[1m${text}\x1b[22m` : text)
  const warning = (line: string): string => (coloured && line.startsWith('!') ? `\x1b[33m${line}\x1b[39m` : line)
  const events: string[] = []
  let drawn = 0
  let last: { counters: EmulatorCounters; atMs: number } | undefined
  /** A line that the terminal breaks in two would make the picture wander; so would one row too many. */
  const clip = (lines: string[]): string[] => lines.map(line => line.slice(0, Math.max(10, stdout.columns - 1)))
  const erase = (): void => {
    if (drawn > 0) stdout.write(`\r\x1b[${drawn}A\x1b[J`) // \r: the terminal may have shown ^C
    drawn = 0
  }
  const draw = (body: string[]): void => {
    const head = heading(options, link, stdout.columns)
    const all = clip([...head, '', ...body, ...(events.length > 0 ? ['', ...events] : [])])
    // What does not clip is at the end; Ctrl-C shows the whole table.
    const lines = all.slice(0, Math.max(3, stdout.rows - 1))
    erase()
    stdout.write(`${lines.map((line, i) => (i === 0 ? bold(line) : warning(line))).join('\n')}\n`)
    drawn = lines.length
  }
  return {
    started: () => {
      stdout.write('\x1b[?25l')
      draw(['waiting for datagrams; Ctrl-C ends'])
    },
    update: counters => {
      const atMs = elapsed()
      const table = (brief: boolean) =>
        counterTable(counters, {
          before: last?.counters,
          elapsedMs: atMs - (last?.atMs ?? 0),
          width: stdout.columns,
          brief,
        })
      const now = `${clock(options.profile, counters)}${seconds(Math.round(atMs / 1000) * 1000)} so far; Ctrl-C ends`
      const room = stdout.rows - 1 - heading(options, link, stdout.columns).length - 2 - MAX_EVENTS - 1
      draw([...(table(false).length <= room ? table(false) : table(true)), now])
      last = { counters, atMs }
    },
    event: (_name, atMs, text) => {
      events.push(`${seconds(atMs ?? elapsed()).padStart(8)}  ${text}`)
      if (events.length > MAX_EVENTS) events.shift()
    },
    finished: counters => {
      erase()
      stdout.write(`${summary(options, counters, elapsed(), stdout.columns).map(warning).join('\n')}\n`)
    },
    close: () => stdout.write('\x1b[?25h'),
  }
}

function heading({ profile, seed, to, id }: RunOptions, link: EmulatorHandle, width: number): string[] {
  const second = link.secondAddress === undefined ? [] : [`${formatAddress(link.secondAddress)} (second attachment)`]
  const listening = [formatAddress(link.address), ...second]
  const end = `-> ${formatAddress(to)}, seed ${seed}${id === undefined ? '' : `, id ${id}`}`
  const way = `${listening.join(', ')} ${end}`
  // Where it does not fit, an address a line: people want to copy them.
  const lines = way.length < width ? [way] : [...listening, end]
  return [`${profile.name}: ${profile.title}`, ...lines]
}

function clock(profile: Profile, { timelineMs }: EmulatorCounters): string {
  if (profile.timeline.length === 0 || timelineMs === undefined) return ''
  return `timeline ${seconds(Math.round(timelineMs / 100) * 100)}, `
}

function summary({ profile }: RunOptions, counters: EmulatorCounters, elapsedMs: number, width: number): string[] {
  return [
    `${profile.name}, after ${seconds(Math.round(elapsedMs / 100) * 100)}`,
    ...counterTable(counters, { elapsedMs, width }),
  ]
}
