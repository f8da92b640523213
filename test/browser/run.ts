// `npm run test:browser`: the page that joins the tunnel, in a real browser. Skipped where there is no Chromium.
// The last line of output is `N passed, N failed, N skipped`.
import { Command } from 'commander'
import { runMocha } from '../support/mocha-run.ts'
import { browserProgram } from './browser-program.ts'

const { grep } = new Command('npm run test:browser --')
  .description('Tests the page with which a browser joins the tunnel, in Chromium.')
  .option('--grep <text>', 'only tests whose title has this')
  .parse()
  .opts<{ grep?: string }>()

if (browserProgram() === undefined) {
  console.log('skipped: there is no chromium (Debian package chromium)')
  console.log('0 passed, 0 failed, 1 skipped')
} else {
  await runMocha({ files: 'test/browser/*.browser.ts', grep, timeoutMs: 300_000, scratchPrefix: 'masque-browser-' })
}
