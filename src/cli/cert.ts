/** npm run cert: makes the certificates with the script that suits this platform, else without. See cert/README.md. */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { certCommand } from './cert-command.ts'
import { makeCertificatesWithoutOpenssl } from './cert-fallback.ts'

const args = process.argv.slice(2)
const command = certCommand(process.platform, args)
const missing = (program: string): boolean =>
  (spawnSync(program, ['version'], { stdio: 'ignore' }).error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT'

// The bash script needs openssl, PowerShell's does not.
const result =
  command.file === 'bash' && missing('openssl')
    ? undefined
    : spawnSync(command.file, command.args, { stdio: 'inherit' })
if (result === undefined || (result.error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT') {
  try {
    console.log(await makeCertificatesWithoutOpenssl(args, fileURLToPath(new URL('../../cert/out', import.meta.url))))
  } catch (error) {
    console.error(`cert: ${(error as Error).message}`)
    process.exitCode = 1
  }
} else if (result.error) {
  console.error(`cert: ${command.file} could not be started: ${result.error.message}`)
  process.exitCode = 1
} else {
  // A child that was stopped by a signal (Ctrl-C, say) has no exit status.
  process.exitCode = result.status ?? 130
}
