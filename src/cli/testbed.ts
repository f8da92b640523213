/** `npm run testbed`: a small network with real interfaces, without root, and a shell in it. */

import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { Command, Option } from 'commander'
import { NAMESPACES, type NamespaceName, openRealNetwork, WEB, whyNoRealNetwork } from '../testbed/real-network.ts'
import { startedByNohup } from './hangup.ts'
import { runCommand } from './run-command.ts'

class TestbedUnavailable extends Error {
  override name = 'TestbedUnavailable'
}

const program = new Command('npm run testbed --')
  .description(
    'Client, proxy and a web server behind it, each in a network namespace with real interfaces and a tunnel with TUN devices; ' +
      'opens a shell in it. Needs Linux and no root; nothing is left of it afterwards.',
  )
  .option('--profile <name>', 'impair the link between client and proxy as this profile says (npm run netem -- list)')
  .addOption(new Option('--in <namespace>', 'where the shell is').choices(NAMESPACES).default('client'))
  .option('--run <command>', 'run this instead of a shell, and end with its status')
  .parse()
const options = program.opts<{ profile?: string; in: NamespaceName; run?: string }>()

await runCommand(async () => {
  const why = whyNoRealNetwork()
  if (why !== undefined) throw new TestbedUnavailable(why)
  // Whichever signal ends it, nothing is left.
  const stop = new AbortController()
  let shell: ChildProcess | undefined
  const onSignal = (signal: NodeJS.Signals): void => {
    // What the shell's user interrupts is the shell's business.
    if (signal === 'SIGINT' && shell !== undefined) return
    if (signal === 'SIGHUP' && startedByNohup()) return
    stop.abort(new TestbedUnavailable(`the testbed was ended by ${signal}`))
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal)
  const network = await openRealNetwork({
    signal: stop.signal,
    ...(options.profile === undefined ? {} : { profile: options.profile }),
    onStep: what => console.error(`  done  ${what}`),
  })
  try {
    if (options.run === undefined) console.error(hints())
    const command = options.run === undefined ? [process.env.SHELL ?? 'sh'] : ['sh', '-c', options.run]
    const prompt = `[testbed: ${options.in}] $ `
    shell = network.spawn(options.in, command, {
      stdio: 'inherit',
      // The second is for bash, before its first prompt: after files such as .bashrc, which set the first.
      env: { ...process.env, PS1: prompt, PROMPT_COMMAND: `PS1='${prompt}'`, MASQUE_TESTBED: options.in },
    })
    const [status] = await once(shell, 'close')
    stop.signal.throwIfAborted()
    process.exitCode = status ?? 1
  } finally {
    await network.close()
  }
})

function hints(): string {
  return `
This shell is in the namespace "${options.in}". Try
  ping ${WEB.ipv4}
  curl http://${WEB.ipv4}/
  curl -o /dev/null http://${WEB.ipv4}/bytes/100000000
  iperf3 -c ${WEB.ipv4}
  ip addr; ip route; tcpdump -ni masque0
and \`exit\` when you are done: everything is gone then.
`
}
