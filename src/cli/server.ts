/** `npm run server -- -c config/server.local.toml`: runs the proxy until Ctrl-C. */

import { Command } from 'commander'
import { withLogEnvironment } from '../config/log-section.ts'
import { loadServerConfig } from '../server/config.ts'
import { checkServerFiles, MasqueServer } from '../server/server.ts'
import { VERSION } from '../version.ts'
import { type CaptureFlags, captureOptions, closeCapture, openCapture, openQlog } from './capture-options.ts'
import { ENVIRONMENT_HELP } from './environment.ts'
import { goOnWithoutReader, interrupted, runCommand } from './run-command.ts'

const program = new Command('npm run server --')
  .description('A CONNECT-IP proxy (RFC 9484) with a REST API. Stop it with Ctrl-C.')
  .requiredOption('-c, --config <file>', 'configuration file, for example config/server.local.toml')
  .option('--tun [name]', 'the same as [tun] in the configuration, and its name')
  .option('--live', 'the same as api.live in the configuration: a page that shows what happens')
  .option('--check', 'only check the configuration, and the files that it names')
captureOptions(program).addHelpText('after', ENVIRONMENT_HELP).version(VERSION).parse()
const options = program.opts<CaptureFlags & { config: string; check?: boolean; live?: boolean; tun?: string | true }>()

await runCommand(async () => {
  const config = loadServerConfig(options.config, { tun: options.tun, live: options.live })
  config.log = withLogEnvironment(config.log)
  if (options.check) {
    checkServerFiles(config)
    console.log(`${options.config}: the configuration is valid`)
    return
  }
  goOnWithoutReader()
  const qlog = openQlog(options)
  const capture = openCapture(options, program)
  const server = await MasqueServer.start(config, { processMetrics: true, capture, qlog })
  // Listened for before anything is printed that could make somebody press it.
  const stopped = interrupted()
  console.log(`proxy   https://${bracketed(server.address.host)}:${server.address.port}${config.tunnel.template}`)
  if (server.tunName !== undefined) console.log(`TUN     ${server.tunName}`)
  if (server.apiUrl !== undefined) console.log(`API     ${server.apiUrl}/health`)
  if (server.liveUrl !== undefined) console.log(`live    ${server.liveUrl}`)
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
