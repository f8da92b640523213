// `npm run test:captures`: captures of real tunnels, read by tshark, which is Wireshark without its window. Skipped where there is none.
// The last line of output is `N passed, N failed, N skipped`.
import { Command } from 'commander'
import { runMocha } from '../support/mocha-run.ts'
import { tsharkVersion } from './tshark.ts'

const { grep } = new Command('npm run test:captures --')
  .description('Captures real tunnels, and reads the files with tshark.')
  .option('--grep <text>', 'only tests whose title has this')
  .parse()
  .opts<{ grep?: string }>()

if (tsharkVersion() === undefined) {
  console.log('skipped: there is no tshark (Debian package tshark)')
  console.log('0 passed, 0 failed, 1 skipped')
} else {
  await runMocha({ files: 'test/captures/*.captures.ts', grep, timeoutMs: 300_000, scratchPrefix: 'masque-captures-' })
}
