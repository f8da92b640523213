// `npm run fuzz -- --seconds 600`: fuzzing of what reads the bytes of peers, led by coverage. Each target so long, or `--target` alone.
// The last line of output is `N passed, N failed`: a target is one.
import { Command, InvalidArgumentError } from 'commander'
import { explain } from '../../src/cli/run-command.ts'
import { fuzz } from './fuzz.ts'
import { TARGETS } from './targets.ts'

const { target, seconds, seed } = new Command('npm run fuzz --')
  .description('Fuzzes the QUIC engine in TypeScript and its TLS, led by which code runs.')
  .option('--target <name>', `one of ${Object.keys(TARGETS).join(', ')}; otherwise all of them`, targetName)
  .option('--seconds <n>', 'of CPU time, for each', positive, 60)
  .option('--seed <n>', 'of all that is random', positive, Date.now() % 1_000_000)
  .parse()
  .opts<{ target?: string; seconds: number; seed: number }>()

let failed = 0
const names = target === undefined ? Object.keys(TARGETS) : [target]
for (const name of names) {
  const { inputs, kept, covered, outcomes, faults } = await fuzz(await TARGETS[name](), {
    inputs: Number.POSITIVE_INFINITY,
    seconds,
    seed,
  })
  console.log(
    `${name}: ${inputs} inputs in ${seconds} s of CPU time (seed ${seed}), ${kept.length} kept, ${covered} characters of code, ${outcomes.size} outcomes`,
  )
  for (const { error, input } of faults) console.log(`  ${explain(error)}\n  input: ${input}`)
  if (faults.length > 0) failed++
}
console.log(`${names.length - failed} passed, ${failed} failed`)
if (failed > 0) process.exitCode = 1

function targetName(text: string): string {
  if (Object.hasOwn(TARGETS, text)) return text
  throw new InvalidArgumentError(`expected one of ${Object.keys(TARGETS).join(', ')}`)
}

function positive(text: string): number {
  const value = Number(text)
  if (Number.isInteger(value) && value > 0) return value
  throw new InvalidArgumentError('expected a whole number above 0')
}
