/** The kernel backend from `npm run netem`: netem/topology.sh makes the network, netem/apply.sh impairs it. */

import { spawn, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** The scripts failed; they have said why. */
export class KernelRunError extends Error {
  override name = 'KernelRunError'
}

const script = (name: string): string => fileURLToPath(new URL(`../../netem/${name}`, import.meta.url))

/** Why the kernel backend cannot work here, in one line; undefined when it can. */
export function kernelUnavailable(): string | undefined {
  const { status, stderr, error } = spawnSync(script('topology.sh'), ['check'], { encoding: 'utf8' })
  if (status === 0) return undefined
  if (error !== undefined) return `the kernel backend's scripts do not run here: ${error.message}`
  return stderr.split('\n')[0].replace(/^topology\.sh: /, '') || `topology.sh ended with status ${status}`
}

/** Makes the network, impairs it, and stays until Ctrl-C or for `durationMs`; then removes everything. */
export async function runKernel(
  profile: string,
  durationMs: number | undefined,
  stopped: Promise<unknown>,
): Promise<void> {
  await run('topology.sh', ['up'])
  let timer: NodeJS.Timeout | undefined
  const stopApplying = new AbortController()
  try {
    console.log('a program on the client:  netem/topology.sh exec client -- COMMAND')
    console.log('a program on the server:  netem/topology.sh exec server -- COMMAND')
    const applied = run('apply.sh', [profile], stopApplying.signal)
    const ended = new Promise<void>(resolve => {
      if (durationMs !== undefined) timer = setTimeout(resolve, durationMs)
    })
    // When the profile has been applied the link stays as it is; only when that fails is this over early.
    const failed = applied.then(() => new Promise<never>(() => {}))
    await Promise.race([stopped, ended, failed])
    stopApplying.abort()
    await applied
  } finally {
    clearTimeout(timer)
    stopApplying.abort()
    await run('topology.sh', ['down'])
  }
}

/** `stop` ends it as Ctrl-C would. */
async function run(name: string, args: string[], stop?: AbortSignal): Promise<void> {
  const child = spawn(script(name), args, { stdio: ['ignore', 'inherit', 'inherit'] })
  stop?.addEventListener('abort', () => child.kill('SIGINT'), { once: true })
  const [status, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
    child.once('error', error => reject(new KernelRunError(`netem/${name} cannot be run: ${error.message}`)))
    child.once('close', (status, signal) => resolve([status, signal]))
  })
  // 130 and SIGINT: somebody pressed Ctrl-C, which is how a timeline ends.
  if (status === 0 || status === 130 || signal === 'SIGINT') return
  throw new KernelRunError(`netem/${name} ${args.join(' ')} ended ${signal ? `by ${signal}` : `with status ${status}`}`)
}
