/** `npm run client -- -c config/client.local.toml`: opens a tunnel, shows what the proxy gave, pings if asked to. */

import { Command, InvalidArgumentError, Option } from 'commander'
import type { ClientOptions, MasqueClient, TunnelInfo } from '../client/client.ts'
import { CARRIER_CHOICES, type ClientConfig, loadClientConfig } from '../client/config.ts'
import { withLogEnvironment } from '../config/log-section.ts'
import { loadClientTlsConfig } from '../config/tls-config.ts'
import { describeDns } from '../connect-ip/dns/dns-assign.ts'
import { describeRoute } from '../connect-ip/route-advertisement.ts'
import type { Host } from '../hosts/host.ts'
import { describeDnsSettings } from '../hosts/tun/dns-plan.ts'
import { TunError } from '../hosts/tun/errors.ts'
import { whyNotForwarded } from '../hosts/tun/linux/router.ts'
import type { TunHost } from '../hosts/tun/tun-host.ts'
import { PingError } from '../hosts/userspace/pinger.ts'
import { IpAddress } from '../ip/address.ts'
import { formatAddress } from '../net/udp.ts'
import { VERSION } from '../version.ts'
import { type CaptureFlags, captureOptions, closeCapture, openCapture, openQlog } from './capture-options.ts'
import { ENVIRONMENT_HELP } from './environment.ts'
import { LatestShown } from './latest-shown.ts'
import { goOnWithoutReader, interrupted, readerGone, runCommand } from './run-command.ts'

interface Options extends CaptureFlags {
  config: string
  ping: IpAddress[]
  count: number
  size: number
  ttl: number
  interval: number
  timeout: number
  json?: boolean
  tun?: string | true
  tunOffload?: boolean
  check?: boolean
  tunDns?: boolean
  carrier?: ClientConfig['tunnel']['carrier']
}

/** What passes is written there. */
type Written = Pick<ClientOptions, 'capture' | 'qlog'>

/** A round trip over a geostationary satellite takes half a second at least; over two of them, with full queues, seconds. */
const DEFAULT_TIMEOUT_MS = 4000

const program = new Command('npm run client --')
  .description(
    'Opens a CONNECT-IP tunnel. Without --ping it stays open until Ctrl-C; SIGUSR2 moves it to another network path.',
  )
  .requiredOption('-c, --config <file>', 'configuration file, for example config/client.local.toml')
  .option('--ping <address>', 'ping through the tunnel, then end; may be given several times', collect, [])
  .option('--count <n>', 'pings to each address', wholeNumber(1, 1_000_000), 4)
  .option('--size <bytes>', 'bytes of data in each ping', wholeNumber(0, 65_000), 56)
  .option('--ttl <n>', 'TTL or hop limit of the pings', wholeNumber(0, 255), 64)
  .option('--interval <ms>', 'time between two pings', wholeNumber(0, 3_600_000), 200)
  .option('--timeout <ms>', 'how long to wait for each reply', wholeNumber(1, 3_600_000), DEFAULT_TIMEOUT_MS)
  .option('--json', 'one JSON object a line')
  .addOption(
    new Option(
      '--tun [name]',
      'a TUN device of the operating system, with the addresses and routes that the proxy gives: all programs use the tunnel',
    ).conflicts('ping'),
  )
  .option('--check', 'only check the configuration, and the files that it names')
  .option('--tun-offload', 'the TUN device passes on many packets of a flow at once')
  .addOption(
    new Option('--carrier <version>', 'the version of HTTP; the same as tunnel.carrier').choices(CARRIER_CHOICES),
  )
  .option('--tun-dns', 'with --tun: the system asks the DNS servers that the proxy tells of, while the tunnel is up')
captureOptions(program).addHelpText('after', ENVIRONMENT_HELP).version(VERSION).parse()
const options = program.opts<Options>()

await runCommand(async () => {
  const config = loadClientConfig(options.config, { carrier: options.carrier })
  config.log = withLogEnvironment(config.log)
  if (options.check) {
    loadClientTlsConfig(config.tls)
    console.log(`${options.config}: the configuration is valid`)
    return
  }
  const qlog = openQlog(options)
  const capture = openCapture(options, program)
  try {
    await run(config, { capture, qlog })
  } finally {
    await qlog?.close()
    if (capture !== undefined) {
      const { text, ...counts } = await closeCapture(capture)
      print({ event: 'capture', file: capture.file, ...counts }, `capture     ${text}`)
    }
  }
})

async function run(config: ClientConfig, written: Written): Promise<void> {
  if (options.tun !== undefined) return withTun(config, options.tun, written)
  if (options.tunDns) program.error("error: option '--tun-dns' is for '--tun': without it, nothing asks for names")
  if (options.tunOffload) program.error("error: option '--tun-offload' is for '--tun': without it, there is no device")
  const { MasqueClient } = await import('../client/client.ts')
  const client = new MasqueClient(config, written)
  try {
    const info = await client.connect()
    show('tunnel', info)
    if (options.ping.length > 0) await pingAll(client)
    else await stayOpen(client, info)
  } finally {
    await client.close()
  }
}

/** The system's programs use the tunnel, until Ctrl-C. Everything that is set is on the device, and goes with it. */
async function withTun(config: ClientConfig, name: string | true, written: Written): Promise<void> {
  const usesDns = options.tunDns || config.tunnel.tunDns
  if (usesDns && !config.tunnel.acceptDns) {
    program.error("error: option '--tun-dns' needs tunnel.accept_dns, which is false in the configuration")
  }
  const [{ MasqueClient }, { openTun, tunCaution }, { systemDns }, { TunHost }] = await Promise.all([
    import('../client/client.ts'),
    import('../hosts/tun/open-tun.ts'),
    import('../hosts/tun/system-dns.ts'),
    import('../hosts/tun/tun-host.ts'),
  ])
  const caution = tunCaution()
  if (caution !== undefined) print({ event: 'tun-caution', reason: caution }, `caution     ${caution}`)
  const device = openTun({ ...(name !== true && { name }), offload: options.tunOffload })
  let onGone: (why: string) => void = () => {}
  const gone = new Promise<never>((_, reject) => {
    onGone = why => reject(new TunError('system', `${why}; the tunnel has ended, and packets leave as without it`))
  })
  // Perhaps before anybody waits for it.
  gone.catch(() => {})
  const host = new TunHost(device, {
    onGone,
    ...(usesDns && { dns: systemDns(device) }),
    onProblem: reason => print({ event: 'tun-problem', reason }, `problem     ${reason}`),
  })
  const client = new MasqueClient<TunHost>(config, { host, ...written })
  try {
    const info = await Promise.race([client.connect(), gone])
    show('tunnel', info)
    for (const problem of whyNotForwarded(config.advertise.map(({ prefix }) => prefix))) {
      print({ event: 'tun-problem', reason: problem }, `problem     ${problem}`)
    }
    print({ event: 'tun', name: device.name, index: device.index }, `TUN         ${device.name}`)
    if (usesDns) showDns(host)
    await Promise.race([stayOpen(client, info), gone])
  } finally {
    await client.close()
    await host.closed()
  }
}

/** Whom the system asks for names now. */
function showDns({ dnsSettings }: TunHost): void {
  const text = dnsSettings === undefined ? 'asked of whom they were before' : describeDnsSettings(dnsSettings)
  print({ event: 'tun-dns', used: dnsSettings && describeDnsSettings(dnsSettings) }, `names       ${text}`)
}

async function stayOpen<H extends Host>(client: MasqueClient<H>, first: TunnelInfo): Promise<void> {
  goOnWithoutReader()
  const stopped = interrupted()
  const changes = new LatestShown<TunnelInfo>((info, leftOut) => {
    const changed = leftOut === 1 ? '1 change' : `${leftOut} changes`
    if (leftOut > 0) print({ event: 'left-out', changes: leftOut }, `            ${changed} before this one left out`)
    show('changed', info)
  })
  client.on('changed', info => changes.push(info))
  client.on('down', error => {
    changes.flush()
    print({ event: 'down', reason: error.message }, `down        ${error.message}`)
  })
  client.on('reconnecting', (delayMs, attempt) =>
    print({ event: 'reconnecting', delayMs, attempt }, `reconnect   attempt ${attempt} in ${delayMs} ms`),
  )
  client.on('attemptFailed', (error, attempt) =>
    print({ event: 'attempt-failed', attempt, reason: error.message }, `failed      ${error.message}`),
  )
  client.on('moved', ({ from, to, ms }) =>
    print(
      { event: 'moved', from, to, ms },
      `moved       ${formatAddress(from)} -> ${formatAddress(to)} in ${ms.toFixed(1)} ms`,
    ),
  )
  client.on('carrierChanged', ({ from, to, ms }) =>
    print(
      { event: 'carrier-changed', from, to, ms },
      `carrier     ${from} -> ${to}, ${ms === 0 ? 'without a break' : `in ${ms.toFixed(1)} ms`}`,
    ),
  )
  client.on('carrierNotChanged', reason =>
    print({ event: 'carrier-not-changed', reason }, `carrier     not changed: ${reason}`),
  )
  client.on('notMoved', reason => print({ event: 'not-moved', reason }, `not moved   ${reason}`))
  const move = (): void => void client.migrate()
  process.on('SIGUSR2', move)
  const lost = new Promise<never>((_, reject) => onLost(client, reject))
  if (!options.json) console.log('Ctrl-C ends the tunnel.')
  let last = first
  client.on('up', info => {
    show('up', info, last)
    last = info
  })
  await Promise.race([stopped, lost]).finally(() => {
    process.off('SIGUSR2', move)
    changes.flush()
  })
}

/** There is no tunnel, and there will be none. */
function onLost<H extends Host>(client: MasqueClient<H>, listener: (error: Error) => void): void {
  client.on('gaveUp', listener)
  if (!client.config.reconnect.enabled) client.on('down', listener)
}

async function pingAll(client: MasqueClient): Promise<void> {
  const gone = readerGone()
  let lost: Error | undefined
  onLost(client, error => {
    lost = error
  })
  let answered = 0
  for (const target of options.ping) {
    for (let i = 1; i <= options.count; i++) {
      if (gone.aborted) return
      if (i > 1) await new Promise(resolve => setTimeout(resolve, options.interval))
      try {
        const reply = await client.ping(target, {
          size: options.size,
          hopCount: options.ttl,
          timeoutMs: options.timeout,
          onLate: rttMs => showLate(target, i, rttMs),
        })
        answered++
        const hops = target.version === 4 ? 'ttl' : 'hop limit'
        print(
          { event: 'pong', target: String(target), seq: i, ...reply, from: String(reply.from) },
          `${reply.bytes} bytes from ${reply.from}: seq ${i}  ${hops} ${reply.hopCount}  ${reply.rttMs.toFixed(3)} ms`,
        )
      } catch (error) {
        if (lost !== undefined) throw lost
        if (!(error instanceof PingError)) throw error
        print(
          { event: 'no-pong', target: String(target), seq: i, kind: error.kind, reason: error.message },
          error.message,
        )
      }
    }
  }
  // As ping does: success means that somebody answered.
  if (answered === 0) process.exitCode = 1
}

/** It came, after all; but nobody waited for it any more. */
function showLate(target: IpAddress, seq: number, rttMs: number): void {
  print(
    { event: 'late-pong', target: String(target), seq, rttMs },
    `late reply from ${target}: seq ${seq}  ${rttMs.toFixed(3)} ms (--timeout is ${options.timeout} ms)`,
  )
}

/** `before`: what the tunnel was before it was lost. */
function show(event: string, info: TunnelInfo, before?: TunnelInfo): void {
  const assigned = info.assigned.map(String)
  const sameAddresses = before && assigned.join() === before.assigned.map(String).join()
  const comparison = sameAddresses === undefined ? '' : sameAddresses ? ' (as before)' : ' (others than before)'
  const routes = info.routes.map(describeRoute)
  const advertised = info.advertised.map(describeRoute)
  const dns = info.dns.map(describeDns)
  const nat64Prefixes = info.nat64Prefixes.map(String)
  print(
    { event, ...info, assigned, sameAddresses, routes, advertised, dns, nat64Prefixes },
    [
      `tunnel      ${info.remote}, ${info.carrier}, ${info.encapsulation}${info.resumed ? ', resumed' : ''}`,
      `assigned    ${assigned.join(', ')}${comparison}`,
      ...(routes.length === 0 ? ['none'] : routes).map((route, i) => `${i === 0 ? 'routes' : '      '}      ${route}`),
      ...advertised.map((route, i) => `${i === 0 ? 'advertised' : '          '}  ${route}`),
      ...dns.map((configuration, i) => `${i === 0 ? 'DNS' : '   '}         ${configuration}`),
      ...(nat64Prefixes.length > 0 ? [`NAT64       ${nat64Prefixes.join(', ')}`] : []),
      `MTU         ${info.mtu} bytes`,
      ...(info.fec > 0 ? [`FEC         a parity for each ${info.fec} packets`] : []),
      `set-up      handshake ${info.handshakeMs.toFixed(2)} ms, session ${info.sessionMs.toFixed(2)} ms`,
    ].join('\n'),
  )
}

function print(json: object, text: string): void {
  console.log(options.json ? JSON.stringify(json) : text)
}

function collect(text: string, before: IpAddress[]): IpAddress[] {
  try {
    return [...before, IpAddress.parse(text)]
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message)
  }
}

function wholeNumber(min: number, max: number): (text: string) => number {
  return text => {
    const value = Number(text)
    if (Number.isInteger(value) && value >= min && value <= max) return value
    throw new InvalidArgumentError(`expected a whole number from ${min} to ${max}`)
  }
}
