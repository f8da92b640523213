/** `npm run bench -- handshake | tunnel | stages | peers | tun | clients | fairness | flood | churn | moving | scrape | api-abuse | emulator | goodput`: results on standard output, progress on standard error. */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { Unavailable } from '../interop/harness/skip.ts'
import { makeTestCertificates, type TestCertificates } from '../src/cert/make-certificates.ts'
import { interrupted, runCommand } from '../src/cli/run-command.ts'
import { whyNoNamespaces } from '../src/testbed/namespaces.ts'
import { CONTENDERS, type Contender } from './goodput.ts'
import type { LoadResult } from './load.ts'
import { INTERVAL_MS, MEASURED, type Measured, RTT_MS } from './moving-settings.ts'
import {
  apiAbuseRows,
  churnRows,
  clientsRows,
  emulatorRows,
  floodRows,
  flowRows,
  goodputRows,
  handshakeRows,
  loadRows,
  movingRows,
  peersRows,
  scrapeRows,
  stageRows,
  tunnelRows,
  tunRows,
} from './rows.ts'
import { benchTun, PARTICIPANTS } from './tun.ts'

const program = new Command('npm run bench --').description('Measures this program on this machine.')

program
  .command('handshake')
  .description('time until QUIC is up, and until the tunnel has its addresses')
  .option('--runs <n>', 'measured runs', positive, 200)
  .option('--json', 'the result as JSON')
  .action((options: { runs: number; json?: boolean }) =>
    withCertificates(async certificates => {
      const { benchHandshake } = await import('./handshake.ts')
      const result = await benchHandshake({
        certificates,
        runs: options.runs,
        onProgress: done => done % 50 === 0 && progress(`handshake ${done} of ${options.runs}`),
      })
      print(options.json, result, () => handshakeRows(result))
    }),
  )

program
  .command('tunnel')
  .description('IP packets a second through one tunnel, beside the ceilings of quiche and UDP alone')
  .option('--seconds <n>', 'length of one measurement', positive, 3)
  .option('--rounds <n>', 'how often tunnel and ceilings take turns', positive, 5)
  .option('--carrier <version>', 'h3, h2, h1 or webtransport', 'h3')
  .option('--encapsulation <kind>', 'with h3: datagram, single-stream or stream-per-packet', 'datagram')
  .option('--cc <name>', 'congestion control: reno, cubic or bbr', 'cubic')
  .option('--engine <name>', 'auto, or typescript: then beside a tunnel on quiche', engineName, 'auto')
  .option('--soak <seconds>', 'only the tunnel, for so long, to see whether memory grows', positive)
  .option('--json', 'the result as JSON')
  .action(options =>
    withCertificates(async certificates => {
      const { benchTunnel, measureFlow } = await import('./tunnel.ts')
      const common = {
        certificates,
        seconds: options.soak ?? options.seconds,
        rounds: options.rounds,
        carrier: options.carrier,
        encapsulation: options.encapsulation,
        congestionControl: options.cc,
      }
      if (options.soak !== undefined) {
        progress(`tunnel for ${options.soak} s`)
        const tunnel = await measureFlow('tunnel', common)
        print(options.json, { tunnel }, () => flowRows({ tunnel }))
        return
      }
      const result = await benchTunnel({
        ...common,
        typescript: options.engine === 'typescript',
        onRound: (kind, round, flow) => progress(`round ${round}: ${kind} ${Math.round(flow.pps)} packets/s`),
      })
      print(options.json, result, () => tunnelRows(result))
    }),
  )

program
  .command('stages')
  .description('what a packet costs at each step of its way, in ns')
  .option('--seconds <n>', 'for how long', positive, 5)
  .option('--json', 'the result as JSON')
  .action(options =>
    withCertificates(async certificates => {
      const { benchStages } = await import('./stages.ts')
      const result = await benchStages(certificates, options.seconds)
      print(options.json, result, () => stageRows(result))
    }),
  )

program
  .command('moving')
  .description(
    'what pings inside a tunnel see when it moves, a NAT forgets, or the proxy starts anew; interrupted, it prints what it has by then',
  )
  .option('--runs <n>', 'of each', positive, 100)
  .option('--only <names>', `of ${MEASURED.join(', ')}`, measured)
  .option('--json', 'the result as JSON')
  .action((options: { runs: number; only?: Measured[]; json?: boolean }) =>
    withCertificates(async certificates => {
      const { benchMoving } = await import('./moving.ts')
      const { runs, only } = options
      let isInterrupted = false
      void interrupted().then(() => {
        isInterrupted = true
      })
      const stopped = (): boolean => isInterrupted
      const result = await benchMoving({ certificates, runs, only, stopped, onProgress: progress })
      print(options.json, result, () => movingRows(result, RTT_MS, INTERVAL_MS))
    }),
  )

program
  .command('peers')
  .description('IP packets a second through our tunnel, beside one of connect-ip-go (needs Go)')
  .option('--seconds <n>', 'length of one measurement', positive, 3)
  .option('--rounds <n>', 'how often the two take turns', positive, 5)
  .option('--json', 'the result as JSON')
  .action(options =>
    withCertificates(async certificates => {
      const { benchPeers } = await import('./peers.ts')
      const result = await benchPeers({
        certificates,
        seconds: options.seconds,
        rounds: options.rounds,
        encapsulation: 'datagram',
        congestionControl: 'cubic',
        onRound: (kind, round, flow) => progress(`round ${round}: ${kind} ${Math.round(flow.pps)} packets/s`),
      })
      print(options.json, result, () => peersRows(result))
    }),
  )

program
  .command('tun')
  .description('iperf3 and ping through TUN devices in two namespaces: ours, wireguard-go, connect-ip-go (Linux)')
  .option('--seconds <n>', 'length of one measurement of iperf3', positive, 5)
  .option('--rounds <n>', 'how often they take turns', positive, 5)
  .option('--only <names>', `of ${PARTICIPANTS.join(', ')}`, participants)
  .option('--json', 'the result as JSON')
  .action(options =>
    withCertificates(async (certificates, scratch) => {
      const why = whyNoNamespaces()
      if (why !== undefined) throw new Unavailable(why)
      const { seconds, rounds, only } = options
      const result = await benchTun({ certificates, scratch, seconds, rounds, only, onProgress: progress })
      print(options.json, result, () => tunRows(result))
    }),
  )

program
  .command('clients')
  .description('many clients at once on one proxy: first each pings, then all send as fast as they can')
  .option('--clients <list>', 'how many, one measurement each', positives, [1, 10, 100, 1000])
  .option('--seconds <n>', 'for how long they send', positive, 5)
  .option('--pings <n>', 'pings of each', positive, 10)
  .option('--interval <ms>', 'between two pings of one client', positive, 500)
  .option('--json', 'the result as JSON')
  .action(options =>
    withCertificates(async certificates => {
      const { benchClients } = await import('./clients.ts')
      const result = await benchClients({
        certificates,
        clients: options.clients,
        seconds: options.seconds,
        pingsEach: options.pings,
        intervalMs: options.interval,
        onRun: ({ clients, pps }) => progress(`${clients} clients: ${Math.round(pps)} packets/s`),
      })
      print(options.json, result, () => clientsRows(result))
    }),
  )

program
  .command('fairness')
  .description('one client pings while others send as fast as they can: what it waits, and what it loses')
  .option('--clients <list>', 'how many others, one measurement each', positives, [8, 60])
  .option('--seconds <n>', 'for how long', positive, 10)
  .option('--json', 'the result as JSON')
  .action(options =>
    withCertificates(async certificates => {
      const { measureLoad } = await import('./load.ts')
      const runs: LoadResult[] = []
      for (const clients of options.clients) {
        progress(`${clients} clients`)
        runs.push(await measureLoad({ certificates, clients, seconds: options.seconds, pingsEach: 1, intervalMs: 500 }))
      }
      print(options.json, { runs }, () => loadRows(runs))
    }),
  )

program
  .command('flood')
  .description(
    'an open tunnel pings while Initials flood its proxy, from many addresses, none of them followed by anything',
  )
  .option('--engine <name>', 'auto, quiche or typescript: of proxy and client', anyEngineName, 'typescript')
  .option('--seconds <n>', 'for how long', positive, 20)
  .option('--rate <n>', 'Initials a second', positive, 2000)
  .option('--json', 'the result as JSON')
  .action(options =>
    withCertificates(async certificates => {
      const { benchFlood } = await import('./flood.ts')
      const { engine, seconds, rate: perSecond } = options
      const result = await benchFlood({ certificates, engine, seconds, perSecond })
      print(options.json, result, () => floodRows(result))
    }),
  )

program
  .command('churn')
  .description('a soak: clients come, go and vanish; does what the proxy holds grow?')
  .option('--seconds <n>', 'for how long', positive, 600)
  .option('--json', 'the result as JSON')
  .action(options =>
    withCertificates(async certificates => {
      const { benchChurn } = await import('./churn.ts')
      const result = await benchChurn({
        certificates,
        seconds: options.seconds,
        onSample: ({ tunnelsTotal }, at) =>
          progress(`${at.toFixed(0)} of ${options.seconds} s: ${tunnelsTotal} tunnels`),
      })
      print(options.json, result, () => churnRows(result))
    }),
  )

program
  .command('scrape')
  .description('what it costs that somebody reads /metrics while many clients are there')
  .option('--clients <n>', 'that are connected', positive, 1000)
  .option('--pairs <n>', 'of a second with a scrape and one without', positive, 40)
  .option('--json', 'the result as JSON')
  .action(options =>
    withCertificates(async certificates => {
      const { clients, pairs } = options
      const { benchScrape } = await import('./scrape.ts')
      const result = await benchScrape({ certificates, clients, pairs, onProgress: progress })
      print(options.json, result, () => scrapeRows(result))
    }),
  )

program
  .command('api-abuse')
  .description('whether a tunnel notices that somebody abuses the REST API')
  .option('--pairs <n>', 'of a time with abuse and one without', positive, 40)
  .option('--json', 'the result as JSON')
  .action(options =>
    withCertificates(async certificates => {
      const { benchApiAbuse } = await import('./api-abuse.ts')
      const result = await benchApiAbuse({ certificates, pairs: options.pairs, onProgress: progress })
      print(options.json, result, () => apiAbuseRows(result))
    }),
  )

program
  .command('emulator')
  .description('how late the link emulator sends, seen from inside and outside, and how many datagrams it carries')
  .option('--seconds <n>', 'length of one measurement', positive, 4)
  .option('--json', 'the result as JSON')
  .action(async (options: { seconds: number; json?: boolean }) => {
    const { benchEmulator } = await import('./emulator.ts')
    const rows = await benchEmulator({ seconds: options.seconds, onProgress: progress })
    print(options.json, rows, () => emulatorRows(rows))
  })

program
  .command('goodput')
  .description('a bulk transfer over a link that loses packets: the engine in TypeScript beside quic-go and quiche')
  .option('--seconds <n>', 'length of one measurement', positive, 8)
  .option('--rounds <n>', 'how often each has each path, at most', positive, 10)
  .option('--within <share>', 'a path whose ratios are known to so much is done', share, 0.05)
  .option('--only <names>', `of ${CONTENDERS.join(', ')}`, contenders)
  .option('--virtual', 'in virtual time, which no machine is too busy for; without quiche')
  .option('--json', 'the result as JSON')
  .action(options =>
    withCertificates(async certificates => {
      const { seconds, rounds, within, only } = options
      const run = options.virtual
        ? (await import('./goodput-virtual.ts')).benchVirtualGoodput
        : (await import('./goodput.ts')).benchGoodput
      const result = await run({ certificates, seconds, rounds, within, only, onProgress: progress })
      print(options.json, result, () => goodputRows(result))
    }),
  )

await runCommand(async () => {
  await program.parseAsync()
})

async function withCertificates(
  run: (certificates: TestCertificates, scratch: string) => Promise<void>,
): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'masque-bench-'))
  try {
    await run(await makeTestCertificates(directory, { serverDays: 13 }), directory)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

function progress(text: string): void {
  process.stderr.write(process.stderr.isTTY ? `\r\x1b[K${text}` : `${text}\n`)
}

/** As JSON, or as text for people. */
function print(json: boolean | undefined, result: unknown, asText: () => string): void {
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K')
  console.log(json === true ? JSON.stringify(roundDeep(result)) : asText())
}

/** `masqueLab,veth` */
function participants(text: string): string[] {
  const names = text.split(',')
  const unknown = names.find(name => !PARTICIPANTS.some(each => each === name))
  if (unknown === undefined) return names
  throw new InvalidArgumentError(`${unknown} is not one of ${PARTICIPANTS.join(', ')}`)
}

/** `typescript,quic-go` */
function contenders(text: string): Contender[] {
  return oneOrMore(CONTENDERS, text)
}

/** `restart,move` */
function measured(text: string): Measured[] {
  return oneOrMore(MEASURED, text)
}

function oneOrMore<T extends string>(choices: readonly T[], text: string): T[] {
  return text.split(',').map(name => {
    const found = choices.find(each => each === name)
    if (found === undefined) throw new InvalidArgumentError(`${name} is not one of ${choices.join(', ')}`)
    return found
  })
}

function share(text: string): number {
  const value = Number(text)
  if (value > 0 && value < 1) return value
  throw new InvalidArgumentError('expected a number between 0 and 1')
}

/** `8,60` */
function positives(text: string): number[] {
  return text.split(',').map(positive)
}

function engineName(text: string): 'auto' | 'typescript' {
  if (text === 'auto' || text === 'typescript') return text
  throw new InvalidArgumentError('expected auto or typescript')
}

function anyEngineName(text: string): 'auto' | 'quiche' | 'typescript' {
  return text === 'quiche' ? text : engineName(text)
}

function positive(text: string): number {
  const value = Number(text)
  if (Number.isInteger(value) && value > 0) return value
  throw new InvalidArgumentError('expected a whole number above 0')
}

/** Numbers to four significant digits: more would be noise. */
function roundDeep<T>(value: T): T {
  if (typeof value === 'number') return Number(value.toPrecision(4)) as T
  if (Array.isArray(value)) return value.map(roundDeep) as T
  if (value !== null && typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, roundDeep(inner)])) as T
  }
  return value
}
