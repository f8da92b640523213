/** The Go program `streams` (interop/connect-ip-go/cmd/streams) as one end of a bulk transfer, on quic-go as it is, or with the CUBIC that it has and does not use. */

import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { GO_MODULE, goProgram, runGo } from '../interop/harness/go-programs.ts'
import { Unavailable } from '../interop/harness/skip.ts'
import { cacheFolder, runTool } from '../interop/harness/tool.ts'
import type { GoodputCount } from './goodput-peer.ts'

const MODULE_NAME = 'github.com/quic-go/quic-go'
const SWITCH = join('internal', 'ackhandler', 'sent_packet_handler.go')
/** The last argument of `NewCubicSender` but one. */
const RENO = 'true, // use Reno'
const CUBIC = 'false, // use Reno'
const TIMEOUT_MS = 60_000

/**
 * Arguments for `go` with which it compiles with a copy of quic-go whose congestion control is its CUBIC: it comes with one, and with one argument in its
 * source chooses another instead. Rejects with `Unavailable` where that source is not what it was.
 */
export async function withCubic(): Promise<string[]> {
  const folder = cacheFolder('quic-go-cubic')
  const where = await runTool('go', ['list', '-m', '-f', '{{.Dir}}', MODULE_NAME], {
    cwd: GO_MODULE,
    timeoutMs: TIMEOUT_MS,
  })
  const source = where.output.trim()
  if (where.status !== 0) throw new Unavailable(`Go does not say where quic-go is: ${source}`)
  const text = await readFile(join(source, SWITCH), 'utf8')
  if (!text.includes(RENO))
    throw new Unavailable('this quic-go has no argument any more that says whether it uses Reno')
  const copy = join(folder, 'quic-go')
  await mkdir(copy, { recursive: true })
  // The modules' own folder is read-only, and so would be what is copied with its modes.
  await cp(source, copy, { recursive: true, force: true, filter: path => !path.endsWith('_test.go') })
  await runTool('chmod', ['-R', 'u+w', copy], { timeoutMs: TIMEOUT_MS })
  await writeFile(join(copy, SWITCH), text.replaceAll(RENO, CUBIC))
  const modFile = join(folder, 'go.mod')
  const mod = await readFile(join(GO_MODULE, 'go.mod'), 'utf8')
  await writeFile(modFile, `${mod}\nreplace ${MODULE_NAME} => ${copy}\n`)
  await cp(join(GO_MODULE, 'go.sum'), join(folder, 'go.sum'))
  return ['-modfile', modFile]
}

/** Compiles `streams` so; resolves with the program's path. */
export async function buildWithCubic(): Promise<string> {
  const program = join(cacheFolder('quic-go-cubic'), 'streams')
  await runGo(['build', '-buildvcs=false', ...(await withCubic()), '-o', program, './cmd/streams'])
  return program
}

type Line = { event: string; port?: number; message?: string } & Partial<GoodputCount>

/** Whoever starts it ends it. */
export class GoStreams {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>
  readonly #ended: Promise<unknown>
  #waiting: { event: string; resolve(line: Line): void; reject(error: Error): void } | undefined
  #said = ''

  constructor(args: string[], program = goProgram('streams')) {
    this.#child = spawn(program, ['-endless', ...args], { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#child.stdin.on('error', () => {})
    this.#ended = new Promise(resolve => {
      const end = (error: Error): void => {
        this.#waiting?.reject(error)
        resolve(undefined)
      }
      this.#child.once('error', end)
      this.#child.once('close', status => end(new Error(`quic-go ended with status ${status}: ${this.#said}`)))
    })
    createInterface({ input: this.#child.stdout }).on('line', text => this.#hear(text))
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  /** The next event of this name. */
  next(event: string): Promise<Line> {
    return new Promise((resolve, reject) => {
      this.#waiting = { event, resolve, reject }
    })
  }

  #hear(text: string): void {
    const line = JSON.parse(text) as Line
    if (line.event === this.#waiting?.event) this.#waiting.resolve(line)
    else if (line.event === 'error') this.#said = line.message ?? text
  }

  /** The end of its input is the end of the program. */
  async close(): Promise<void> {
    this.#child.stdin.end()
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 2_000)
    await this.#ended
    clearTimeout(timer)
  }
}
