import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** What is behind each `npm run`. */
export const RUN = fileURLToPath(new URL('../../bin/masque-lab.mjs', import.meta.url))

export interface Ended {
  status: number | null
  stdout: string
  stderr: string
}

export interface CommandOptions {
  env?: NodeJS.ProcessEnv
  /** Called with what it has said so far. It may end the command, as Ctrl-C would. */
  onOutput?: (stdout: string, interrupt: () => void) => void
}

/** Runs `npm run ARGUMENTS...` to its end, without a terminal. */
export async function command(args: readonly string[], { env, onOutput }: CommandOptions = {}): Promise<Ended> {
  const child = spawn(process.execPath, [RUN, ...args], { stdio: ['ignore', 'pipe', 'pipe'], env })
  const said = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', text => {
      said[name] += text
      if (name === 'stdout') onOutput?.(said.stdout, () => child.kill('SIGINT'))
    })
  }
  const [status] = await once(child, 'close')
  return { status, ...said }
}
