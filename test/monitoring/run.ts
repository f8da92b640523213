// `npm run test:monitoring`: what is in monitoring/, by a real Prometheus that scrapes a real proxy. Skipped where there is none.
// The last line of output is `N passed, N failed, N skipped`.
import { Command } from 'commander'
import { prometheusVersion } from '../../src/testbed/prometheus.ts'
import { runMocha } from '../support/mocha-run.ts'

const { grep } = new Command('npm run test:monitoring --')
  .description(
    'Tests the configuration, rules, alerts, dashboards and documented queries of monitoring/ with a real Prometheus.',
  )
  .option('--grep <text>', 'only tests whose title has this')
  .parse()
  .opts<{ grep?: string }>()

if (prometheusVersion() === undefined) {
  console.log('skipped: there is no prometheus (Debian package prometheus)')
  console.log('0 passed, 0 failed, 1 skipped')
} else {
  await runMocha({
    files: 'test/monitoring/*.monitoring.ts',
    grep,
    timeoutMs: 540_000,
    scratchPrefix: 'masque-monitoring-',
  })
}
