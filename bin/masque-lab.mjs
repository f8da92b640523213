// Plain JavaScript, because it has to say something sensible on a Node that is too old to load the rest.
import { asciiOnly, promisesUtf8 } from '../src/cli/ascii.mjs'

const [major, minor] = process.versions.node.split('.').map(Number)
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(
    `masque-lab needs Node 20.19 or newer, and this is Node ${process.versions.node}. Install a newer Node and run the command again.`,
  )
  process.exit(1)
}

if (!promisesUtf8()) for (const stream of [process.stdout, process.stderr]) asciiOnly(stream)

// The reader of our output may have gone, as after `| head`: that is no error, and the command goes on to its end. Whatever else keeps
// the output from being written is one, so that nobody takes half of it for the whole.
let incomplete = false
process.stdout.on('error', error => {
  if (error.code === 'EPIPE' || incomplete) return
  incomplete = true
  console.error(`standard output cannot be written (${error.code}): what was printed is not complete`)
})
process.stderr.on('error', () => {})
process.on('exit', status => {
  if (incomplete && status === 0) process.exitCode = 1
})

const [command, ...rest] = process.argv.slice(2)
const commands = {
  lab: '../labs/kit/cli/cli.ts',
  'check-solutions': '../labs/kit/grading/cli.ts',
  classroom: '../labs/kit/classroom/cli.ts',
  'new-lab': '../labs/kit/new-lab/main.ts',
  server: '../src/cli/server.ts',
  client: '../src/cli/client.ts',
  functional: '../src/cli/functional.ts',
  bench: '../bench/cli.ts',
  compare: '../bench/compare/cli.ts',
  cert: '../src/cli/cert.ts',
  doctor: '../src/cli/doctor.ts',
  netem: '../src/cli/netem.ts',
  'netem-kernel': '../src/cli/netem-kernel.ts',
  experiment: '../src/cli/experiment.ts',
  testbed: '../src/cli/testbed.ts',
  'docs-api': '../src/cli/docs-api.ts',
  figures: '../docs/figures/cli.ts',
  fuzz: '../test/fuzz/run.ts',
  'test-api': '../test/api/run.ts',
  'test-engines': '../test/engines/run.ts',
  'test-interop': '../interop/run.ts',
  'test-nodes': '../test/nodes/run.ts',
  'test-tun': '../test/hosts/tun/run.ts',
  'test-browser': '../test/browser/run.ts',
  'test-monitoring': '../test/monitoring/run.ts',
  'test-captures': '../test/captures/run.ts',
  'test-netem': '../netem/agreement/run.ts',
  'test-conformance-mutants': '../test/conformance-mutants/run.ts',
}
if (!Object.hasOwn(commands, command)) {
  console.error(`unknown command '${command ?? ''}': one of ${Object.keys(commands).join(', ')} is expected`)
  process.exit(2)
}

// Loading TypeScript takes a moment. The terminal UI of the labs has a shorter way, where it serves.
if (command === 'lab' && rest.length > 0 && process.stdout.isTTY && process.stdin.isTTY) {
  const { bundledUi } = await import('../labs/kit/cli/bundle.mjs')
  const status = await (await bundledUi())?.openUi(rest)
  if (status !== undefined) process.exit(status)
}

const tsx = await import('tsx/esm/api')
tsx.register()
// The command's module sees its own arguments only, as if it had been started directly.
process.argv.splice(2, process.argv.length, ...rest)
await import(new URL(commands[command], import.meta.url).href)
