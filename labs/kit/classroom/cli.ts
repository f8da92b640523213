/** `npm run classroom`: the class on the projector. */
import { Command, InvalidArgumentError } from 'commander'
import { interrupted, runCommand } from '../../../src/cli/run-command.ts'
import { loadLabs } from '../lab/registry.ts'
import { CLASSROOM_PORT, isPort } from '../run/classroom.ts'
import type { Relay } from './relay.ts'
import { startClassroom } from './server.ts'

const {
  port,
  leaderboard,
  relay: withRelay,
} = new Command('npm run classroom --')
  .description(
    'Shows on a page for the projector how far those are who have joined (npm run lab -- --join), on this machine.',
  )
  .option('--port <port>', 'TCP port on 127.0.0.1; students then join with --port, too', parsePort, CLASSROOM_PORT)
  .option('--leaderboard', 'also shows who has solved most')
  .option('--relay', 'also runs a proxy, and shows the tunnels that students open to it (npm run lab -- --relay)')
  .parse()
  .opts<{ port: number; leaderboard?: boolean; relay?: boolean }>()

await runCommand(async () => {
  const relay = withRelay ? await (await import('./relay.ts')).startRelay() : undefined
  try {
    await run(relay)
  } finally {
    await relay?.close()
  }
})

async function run(relay: Relay | undefined): Promise<void> {
  const classroom = await startClassroom({
    labs: await loadLabs(),
    port,
    leaderboard: leaderboard ?? false,
    ...(relay && { relay }),
  })
  const more = port === CLASSROOM_PORT ? '' : ` --port ${port}`
  console.log(`The projector shows   ${classroom.url}`)
  console.log(`Students join with    npm run lab -- --join${more}`)
  console.log(`Progress as CSV       curl ${classroom.url}/progress.csv`)
  if (relay) console.log(`Tunnels to the relay  npm run lab -- --relay\nIts live view         ${relay.liveUrl}`)
  console.log('It is kept until Ctrl-C, and nowhere else.')
  await interrupted()
  await classroom.close()
}

function parsePort(text: string): number {
  if (!isPort(Number(text))) throw new InvalidArgumentError('a port from 1 to 65535 is expected.')
  return Number(text)
}
