/**
 * How `netem set` reaches a link that runs: a socket that only this user can open, one line of JSON there, one line back.
 *
 * A Unix socket in a folder of mode 0700; on Windows, which has none that are safe to share, TCP on 127.0.0.1 with a secret that
 * a file of this user holds. Each link is known by the process id of its `netem run`, which is also the name of the file.
 */

import { randomBytes, timingSafeEqual } from 'node:crypto'
import { chmodSync, lstatSync, mkdirSync, readdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { readRegularFile } from '../../config/read-file.ts'
import { EmulatorError } from '../../link/emulator/udp-socket.ts'
import { isRunning } from '../../process/is-running.ts'
import { explain } from '../run-command.ts'

const orderSchema = z.discriminatedUnion('order', [
  z.strictObject({ order: z.literal('describe') }),
  z.strictObject({ order: z.literal('profile'), profile: z.string().min(1).max(4096) }),
  z.strictObject({
    order: z.literal('values'),
    directions: z
      .array(z.enum(['up', 'down']))
      .min(1)
      .max(2),
    attachments: z.array(z.union([z.literal(0), z.literal(1)])).max(2),
    values: z.record(z.string().max(32), z.string().max(4096)),
  }),
])

/** `attachments` empty: all there are. */
export type ControlOrder = z.output<typeof orderSchema>

/** A link that runs. */
export interface RunningLink {
  /** The process id of its `netem run`. */
  id: number
  profile: string
  /** Where clients send to; the second attachment after the first. */
  addresses: string[]
  to: string
}

export interface ControlResult {
  link: Omit<RunningLink, 'id'>
  /** What is different now, a line each; for `describe`, what the link does. */
  lines: string[]
}

type Answer = { ok: true; result: ControlResult } | { ok: false; message: string }

const LONGEST_LINE_BYTES = 65_536
const LONGEST_TALK_MS = 5_000
const MOST_CONNECTIONS = 8
const MOST_LINKS = 256
/** A longer path does not fit into a Unix socket's address (104 bytes on macOS). */
const LONGEST_SOCKET_PATH = 100
const TOKEN_BYTES = 32
/** How often the folder may vanish while a link begins. */
const MOST_TRIES = 10

export type Transport = 'unix' | 'tcp'

interface Place {
  folder?: string
  transport?: Transport
}

/** The folder of this user's links. */
function defaultFolder(): string {
  return join(tmpdir(), `masque-netem-links-${process.getuid?.() ?? userInfo().username}`)
}

/** Removes what links have left that were killed, or had the id that this process has now. */
function sweep(folder: string): void {
  for (const name of readdirSync(folder)) {
    const id = Number(/^([0-9]{1,10})\.(?:sock|json)$/.exec(name)?.[1] ?? Number.NaN)
    if (id === process.pid || (id > 0 && !isRunning(id))) rmSync(join(folder, name), { force: true })
  }
}

/** Makes the folder, and makes sure that nobody else can put anything there. Throws EmulatorError. */
function privateFolder(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const info = lstatSync(folder)
  const isOurs = process.getuid === undefined || (info.uid === process.getuid() && (info.mode & 0o077) === 0)
  if (!info.isDirectory() || !isOurs) throw new EmulatorError(`${folder} is not a folder of yours alone (mode 0700)`)
}

// -- the link's side -------------------------------------------------------------------------------------------------

export class ControlServer {
  readonly id = process.pid
  readonly #server: Server
  /** Whoever is connected and has given no order yet. */
  readonly #silent: Set<Socket>
  readonly #folder: string
  readonly #file: string
  readonly #onExit: () => void

  /** `obey` answers an order, or rejects with an error for people. Rejects with EmulatorError where no socket can be had. */
  static async open(obey: (order: ControlOrder) => Promise<ControlResult>, place: Place = {}): Promise<ControlServer> {
    for (let tries = 1; ; tries++) {
      try {
        return await ControlServer.#open(obey, place)
      } catch (error) {
        // The last of the other links has ended in this moment, and has taken the folder away. Where a socket was to be bound, Node calls that EACCES.
        const { code } = error as NodeJS.ErrnoException
        if ((code === 'ENOENT' || code === 'EACCES') && tries < MOST_TRIES) continue
        if (error instanceof EmulatorError) throw error
        throw new EmulatorError(`no control socket: ${(error as Error).message}`)
      }
    }
  }

  static async #open(obey: (order: ControlOrder) => Promise<ControlResult>, place: Place): Promise<ControlServer> {
    const { folder = defaultFolder() } = place
    privateFolder(folder)
    sweep(folder)
    const path = join(folder, `${process.pid}.sock`)
    const isUnix =
      (place.transport ?? (process.platform === 'win32' ? 'tcp' : 'unix')) === 'unix' &&
      path.length <= LONGEST_SOCKET_PATH
    const token = isUnix ? undefined : randomBytes(TOKEN_BYTES).toString('hex')
    const silent = new Set<Socket>()
    const server = createServer(socket => converse(socket, silent, obey, token))
    server.maxConnections = MOST_CONNECTIONS
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      if (isUnix) server.listen(path, resolve)
      else server.listen(0, '127.0.0.1', resolve)
    })
    // One connection that could not be taken is no reason to end.
    server.removeAllListeners('error').on('error', () => {})
    const address = server.address()
    const file = isUnix ? path : join(folder, `${process.pid}.json`)
    try {
      if (isUnix) chmodSync(path, 0o600)
      else if (typeof address === 'object' && address !== null)
        writeFileSync(file, JSON.stringify({ port: address.port, token }), { mode: 0o600, flag: 'wx' })
    } catch (error) {
      server.close()
      throw error
    }
    return new ControlServer(server, silent, folder, file)
  }

  private constructor(server: Server, silent: Set<Socket>, folder: string, file: string) {
    this.#server = server
    this.#silent = silent
    this.#folder = folder
    this.#file = file
    this.#onExit = () => this.#tidy()
    process.once('exit', this.#onExit)
  }

  /** Resolves when all have hung up: orders that are being carried out are answered, and nobody is waited for. */
  close(): Promise<void> {
    process.off('exit', this.#onExit)
    const closed = new Promise<void>(resolve => this.#server.close(() => resolve()))
    for (const socket of this.#silent) socket.destroy()
    this.#tidy()
    return closed
  }

  #tidy(): void {
    rmSync(this.#file, { force: true })
    try {
      rmdirSync(this.#folder)
    } catch {
      // Other links are in it.
    }
  }
}

/** One line comes, one line goes. Whatever else comes ends the connection. */
function converse(
  socket: Socket,
  silent: Set<Socket>,
  obey: (order: ControlOrder) => Promise<ControlResult>,
  token: string | undefined,
): void {
  const timer = setTimeout(() => socket.destroy(), LONGEST_TALK_MS)
  let text = ''
  silent.add(socket)
  socket.setEncoding('utf8')
  socket.on('error', () => {})
  socket.on('close', () => {
    clearTimeout(timer)
    silent.delete(socket)
  })
  socket.on('data', (more: string) => {
    text += more
    if (text.length > LONGEST_LINE_BYTES) return void socket.destroy()
    const end = text.indexOf('\n')
    if (end === -1) return
    silent.delete(socket)
    socket.removeAllListeners('data').resume()
    answer(text.slice(0, end), obey, token).then(
      // A client that has its answer, and does not hang up, would keep this process.
      said => socket.end(`${JSON.stringify(said)}\n`, () => socket.destroy()),
      () => socket.destroy(),
    )
  })
}

async function answer(
  line: string,
  obey: (order: ControlOrder) => Promise<ControlResult>,
  token: string | undefined,
): Promise<Answer> {
  try {
    const { token: given, ...order } = JSON.parse(line) as { token?: unknown }
    if (token !== undefined && !isSame(token, given)) return { ok: false, message: 'not allowed' }
    return { ok: true, result: await obey(orderSchema.parse(order)) }
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof z.ZodError || error instanceof TypeError)
      return { ok: false, message: 'this is no order that this link knows: are both of the same version?' }
    return { ok: false, message: explain(error) }
  }
}

function isSame(token: string, given: unknown): boolean {
  if (typeof given !== 'string' || given.length !== token.length) return false
  return timingSafeEqual(Buffer.from(token), Buffer.from(given))
}

// -- the other side --------------------------------------------------------------------------------------------------

/** The links of this user that run now. What a killed one has left is removed. */
export async function runningLinks(folder = defaultFolder()): Promise<RunningLink[]> {
  let names: string[]
  try {
    names = readdirSync(folder)
  } catch {
    return []
  }
  privateFolder(folder)
  const ids = names.flatMap(name => /^([0-9]{1,10})\.(?:sock|json)$/.exec(name)?.[1] ?? [])
  const links = await Promise.all(
    ids.slice(0, MOST_LINKS).map(async id => {
      try {
        const { link } = await tell(Number(id), { order: 'describe' }, folder)
        return [{ id: Number(id), ...link }]
      } catch {
        return []
      }
    }),
  )
  return links.flat().sort((a, b) => a.id - b.id)
}

/** Rejects with EmulatorError: with what the link says is wrong, or that it does not answer. */
export async function tell(id: number, order: ControlOrder, folder = defaultFolder()): Promise<ControlResult> {
  const path = join(folder, `${id}.sock`)
  const file = join(folder, `${id}.json`)
  const isTcp = readdirSync(folder).includes(`${id}.json`)
  const { port, token } = isTcp
    ? (JSON.parse(readRegularFile(file).toString('utf8')) as { port: number; token: string })
    : { port: 0, token: undefined }
  const line = await new Promise<string>((resolve, reject) => {
    const socket = isTcp ? connect(port, '127.0.0.1') : connect(path)
    const silent = new EmulatorError(`the link ${id} does not answer`)
    let text = ''
    socket.setEncoding('utf8').setTimeout(LONGEST_TALK_MS, () => socket.destroy(silent))
    socket.on('error', error => {
      // It was killed; nobody listens any more.
      if ((error as NodeJS.ErrnoException).code === 'ECONNREFUSED') rmSync(isTcp ? file : path, { force: true })
      reject(silent)
    })
    socket.on('connect', () => socket.write(`${JSON.stringify({ ...order, token })}\n`))
    socket.on('data', (more: string) => {
      text += more
      if (text.length > LONGEST_LINE_BYTES) socket.destroy(silent)
    })
    socket.on('close', () => (text.includes('\n') ? resolve(text) : reject(silent)))
  })
  const said = JSON.parse(line) as Answer
  if (!said.ok) throw new EmulatorError(said.message)
  return said.result
}
