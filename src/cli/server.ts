/** `npm run server -- -c config/server.local.toml`: runs the proxy until Ctrl-C. */

import { randomBytes } from 'node:crypto'
import { Command, InvalidArgumentError } from 'commander'
import { withLogEnvironment } from '../config/log-section.ts'
import { startEmulatorProcess } from '../link/emulator/emulator-process.ts'
import { loadProfile } from '../link/profile/load-profile.ts'
import { formatAddress } from '../net/udp.ts'
import type { LinkOptions } from '../server/attached-link.ts'
import { hashToken } from '../server/auth.ts'
import { loadServerConfig } from '../server/config.ts'
import { VERSION } from '../version.ts'
import { type CaptureFlags, captureOptions, closeCapture, openCapture, openQlog } from './capture-options.ts'
import { ENVIRONMENT_HELP } from './environment.ts'
import { goOnWithoutReader, interrupted, runCommand } from './run-command.ts'

/** Whoever asks the API about the link waits no longer. */
const LINK_ANSWER_MS = 3_000

const program = new Command('npm run server --')
  .description('A CONNECT-IP proxy (RFC 9484) with a REST API. Stop it with Ctrl-C.')
  .requiredOption('-c, --config <file>', 'configuration file, for example config/server.local.toml')
  .option('--tun [name]', 'the same as [tun] in the configuration, and its name')
  .option('--live', 'the same as api.live in the configuration: a page that shows what happens')
  .option(
    '--link <profile>',
    'an emulated link in front of the proxy (npm run netem -- list); the live view changes it',
  )
  .option(
    '--link-port <port>',
    'where clients connect who want the link, on 127.0.0.1; 0: any free port; npm run lab -- --ports has your own',
    port,
    5433,
  )
  .option('--check', 'only check the configuration, and the files that it names')
captureOptions(program).addHelpText('after', ENVIRONMENT_HELP).version(VERSION).parse()
const options = program.opts<
  CaptureFlags & {
    config: string
    check?: boolean
    live?: boolean
    link?: string
    linkPort: number
    tun?: string | true
  }
>()

await runCommand(async () => {
  const config = loadServerConfig(options.config, { tun: options.tun, live: options.live })
  config.log = withLogEnvironment(config.log)
  const link = options.link === undefined ? undefined : linkOptions(options.link, options.linkPort)
  const { checkServerFiles, MasqueServer } = await import('../server/server.ts')
  if (options.check) {
    checkServerFiles(config)
    console.log(`${options.config}: the configuration is valid`)
    return
  }
  goOnWithoutReader()
  const qlog = openQlog(options)
  const capture = openCapture(options, program)
  // Who reads this terminal may change the link: a token for this run, where the configuration has none.
  const { api } = config
  const hasToken = api.tokenSha256 !== undefined || api.tokenFile !== undefined
  const token = link === undefined || hasToken ? undefined : randomBytes(24).toString('hex')
  if (token !== undefined) api.tokenSha256 = hashToken(token)
  const server = await MasqueServer.start(config, { processMetrics: true, capture, qlog, link })
  // Listened for before anything is printed that could make somebody press it.
  const stopped = interrupted()
  console.log(`proxy   https://${bracketed(server.address.host)}:${server.address.port}${config.tunnel.template}`)
  if (server.tunName !== undefined) console.log(`TUN     ${server.tunName}`)
  if (server.apiUrl !== undefined) console.log(`API     ${server.apiUrl}/health`)
  if (server.link !== undefined) console.log(`link    ${formatAddress(server.link.address)}, ${options.link}`)
  if (server.liveUrl !== undefined)
    console.log(`live    ${server.liveUrl}${token === undefined ? '' : `#token=${token}`}`)
  else if (token !== undefined && server.apiUrl !== undefined) console.log(`token   ${token}`)
  if (server.browserUrl !== undefined) console.log(`browser ${server.browserUrl}`)
  if (capture !== undefined) console.log(`capture ${capture.file}`)
  if (qlog !== undefined) console.log(`qlog    ${qlog.folder}`)
  console.log('Ctrl-C stops it.')
  await stopped
  console.log('closing the tunnels …')
  await server.close()
  await qlog?.close()
  if (capture !== undefined) console.log(`capture ${(await closeCapture(capture)).text}`)
})

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}

/** In a process of its own: it then waits for nobody's cryptography. */
function linkOptions(name: string, port: number): LinkOptions {
  return {
    profile: loadProfile(name),
    async start({ profile, to, onDeath }) {
      const listen = { host: '127.0.0.1', port }
      const emulator = await startEmulatorProcess({ profile, to, seed: '1', listen }, { answerMs: LINK_ANSWER_MS })
      emulator.once('died', onDeath)
      return emulator
    },
  }
}

function port(text: string): number {
  if (/^[0-9]{1,5}$/.test(text) && +text <= 65_535) return +text
  throw new InvalidArgumentError('expected a port from 0 to 65535.')
}
