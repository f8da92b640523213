/** `npm run netem -- run | list | show | check`. */

import { netemCommand } from './netem/command.ts'
import { runCommand } from './run-command.ts'

await runCommand(async () => {
  await netemCommand().parseAsync()
})
