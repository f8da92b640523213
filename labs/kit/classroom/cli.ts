/** `npm run classroom`: the class on the projector. */
import { Command, InvalidArgumentError } from 'commander'
import { interrupted, runCommand } from '../../../src/cli/run-command.ts'
import { loadLabs } from '../lab/registry.ts'
import { CLASSROOM_PORT, isPort } from '../run/classroom.ts'
import { userIds } from './accounts.ts'
import { JoinGate } from './join-gate.ts'
import { keptCode } from './kept-code.ts'
import type { Relay } from './relay.ts'
import { startClassroom } from './server.ts'

const {
  port,
  leaderboard,
  relay: withRelay,
  accounts,
  showCode,
  newCode,
} = new Command('npm run classroom --')
  .description(
    'Shows on a page for the projector how far those are who have joined (npm run lab -- --join), on this machine.',
  )
  .option('--port <port>', 'TCP port on 127.0.0.1', parsePort, CLASSROOM_PORT)
  .option('--accounts <file>', 'Unix names, one a line, that join without the code')
  .option('--show-code', 'the page shows the code, too: then everybody with an account on this machine can read it')
  .option('--new-code', 'another code than that of the last twelve hours')
  .option('--leaderboard', 'also shows who has solved most')
  .option('--relay', 'also runs a proxy, and shows the tunnels that students open to it (npm run lab -- --relay)')
  .parse()
  .opts<{
    port: number
    leaderboard?: boolean
    relay?: boolean
    accounts?: string
    showCode?: boolean
    newCode?: boolean
  }>()

await runCommand(async () => {
  const relay = withRelay ? await (await import('./relay.ts')).startRelay() : undefined
  try {
    await run(relay)
  } finally {
    await relay?.close()
  }
})

async function run(relay: Relay | undefined): Promise<void> {
  const code = keptCode(port, { fresh: newCode ?? false })
  const gate = new JoinGate({ code, ...(accounts !== undefined && { accounts: userIds(accounts) }) })
  const classroom = await startClassroom({
    labs: await loadLabs(),
    port,
    gate,
    leaderboard: leaderboard ?? false,
    showCode: showCode ?? false,
    ...(relay && { relay }),
  })
  console.log(`The projector shows   ${classroom.url}`)
  console.log(`Students join with    npm run lab -- --join ${code}`)
  if (accounts !== undefined) {
    const more = port === CLASSROOM_PORT ? '' : ` --port ${port}`
    console.log(`Accounts of the list  npm run lab -- --join${more}`)
  }
  console.log(`Progress as CSV       curl ${classroom.url}/progress.csv`)
  if (relay) console.log(`Tunnels to the relay  npm run lab -- --relay\nIts live view         ${relay.liveUrl}`)
  console.log('What it is told is kept until Ctrl-C, and nowhere else; the code stays the same for twelve hours.')
  await interrupted()
  await classroom.close()
}

function parsePort(text: string): number {
  if (!isPort(Number(text))) throw new InvalidArgumentError('a port from 1 to 65535 is expected.')
  return Number(text)
}
