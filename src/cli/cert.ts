/** npm run cert: makes the certificates with the script that suits this platform. See cert/README.md. */
import { spawnSync } from 'node:child_process'
import { certCommand } from './cert-command.ts'

const command = certCommand(process.platform, process.argv.slice(2))
const result = spawnSync(command.file, command.args, { stdio: 'inherit' })
if (result.error !== undefined) {
  const missing = (result.error as NodeJS.ErrnoException).code === 'ENOENT'
  console.error(
    `cert: ${missing ? command.ifMissing : `${command.file} could not be started: ${result.error.message}`}`,
  )
  process.exitCode = 1
} else {
  // A child that was stopped by a signal (Ctrl-C, say) has no exit status.
  process.exitCode = result.status ?? 130
}
