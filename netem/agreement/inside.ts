/**
 * What runs where the kernel backend does, bundled into one file (see bundle.ts):
 *
 *     inside.mjs measure OUTPUT-FILE PROFILE...   writes the measurement (V8's serialisation); progress on standard error
 *     inside.mjs player                           sets and plays profiles, for the first one
 */
import { writeFileSync } from 'node:fs'
import { serialize } from 'node:v8'
import { measureKernel } from './kernel-side.ts'
import { planOf } from './plan.ts'
import { servePlayer } from './player.ts'

const [command, output, ...profiles] = process.argv.slice(2)
if (command === 'player') {
  servePlayer()
} else {
  const measurement = await measureKernel(planOf(profiles), [process.argv[1], 'player'], line => console.error(line))
  writeFileSync(output, serialize(measurement))
}
