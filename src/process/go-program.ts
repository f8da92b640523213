/**
 * A Go program of this repository, compiled once for each version of its source. What was compiled stays in the user's cache, outside of the
 * repository; Go keeps its own cache of packages, so that a build that was stopped goes on where it was.
 */
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { firstWritable, userCache } from './cache-folder.ts'
import { Child } from './child.ts'
import type { GoBuildOrders } from './go-build-child.ts'

/** Older versions of a program, and what builds have left that were killed, are removed. */
const KEPT_VERSIONS = 3
const LEFTOVER_AGE_MS = 3_600_000

const WHICH_GO = '1.21 or newer, from https://go.dev/dl'
const OFFLINE =
  /\b(?:dial tcp|lookup disabled|no such host|proxyconnect|i\/o timeout|TLS handshake timeout|Get "https?:)/

/** It cannot be had here. The message says why, and what to do, in one sentence. */
export class GoUnavailable extends Error {
  override name = 'GoUnavailable'
}

export interface GoProgram {
  /** The folder of `go.mod`. */
  module: string
  /** The folder of its `main` below `cmd/`. */
  command: string
}

export interface GoProgramOptions {
  signal: AbortSignal
  /** How long compiling may take, in milliseconds. */
  timeoutMs: number
  /** Where it is kept, the first folder that can be written to. */
  folders?: readonly string[]
}

/** The path of the program. Rejects with `GoUnavailable`, or with the signal's reason. Starts nothing where it was compiled before. */
export async function goProgram({ module, command }: GoProgram, options: GoProgramOptions): Promise<string> {
  const { signal, timeoutMs, folders = [join(userCache(), 'go')] } = options
  const suffix = process.platform === 'win32' ? '.exe' : ''
  const name = `${command}-${versionOf(module, command)}${suffix}`
  const kept = folders.map(folder => join(folder, name)).find(file => existsSync(file))
  if (kept !== undefined) return kept
  signal.throwIfAborted()
  const folder = writable(folders)
  const fresh = join(folder, `${name}.${process.pid}-${Math.floor(performance.now())}.new`)
  try {
    await build({ module, package: `./cmd/${command}`, to: fresh }, signal, timeoutMs)
    renameSync(fresh, join(folder, name))
  } finally {
    rmSync(fresh, { force: true })
  }
  removeOld(folder, command)
  return join(folder, name)
}

function writable(folders: readonly string[]): string {
  try {
    return firstWritable(folders)
  } catch (error) {
    throw new GoUnavailable(
      `there is no place for what is compiled: ${(error as Error).message}; XDG_CACHE_HOME names a folder that you may write to`,
    )
  }
}

async function build(
  given: { module: string; package: string; to: string },
  signal: AbortSignal,
  timeoutMs: number,
): Promise<void> {
  const child = new Child<GoBuildOrders>(new URL('./go-build-child.ts', import.meta.url), {
    name: 'the process that compiles',
    tidiesUp: true,
  })
  const late = AbortSignal.timeout(timeoutMs)
  try {
    const result = await child.ask('build', given, { signal: AbortSignal.any([signal, late]) })
    signal.throwIfAborted()
    if (result.missing) throw new GoUnavailable(`Go is not installed (${WHICH_GO})`)
    if (result.status === 0) return
    if (late.aborted) {
      throw new GoUnavailable(
        `it was not compiled within ${Math.round(timeoutMs / 1000)} s; run this again: it goes on where it was`,
      )
    }
    throw new GoUnavailable(refusal(result.output))
  } finally {
    await child.close()
  }
}

function refusal(output: string): string {
  const lines = output.split('\n').map(line => line.trim())
  const words = (lines.find(line => OFFLINE.test(line)) ?? lines.filter(Boolean).at(-1) ?? 'it said nothing').slice(
    0,
    300,
  )
  return OFFLINE.test(output)
    ? `the Go modules that it needs are not here and cannot be downloaded (${words}); run this again with a network`
    : `go build failed: ${words} (it needs Go ${WHICH_GO})`
}

/** Changes with every file that is compiled into it. */
function versionOf(module: string, command: string): string {
  const hash = createHash('sha256').update(`${process.platform} ${process.arch} ${command}\n`)
  const files = readdirSync(module, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile() && (/\.go$/.test(entry.name) || /^go\.(mod|sum)$/.test(entry.name)))
    .map(entry => join(entry.parentPath, entry.name))
  for (const file of files.sort()) {
    hash.update(`${file.slice(module.length).replaceAll('\\', '/')}\n`).update(readFileSync(file))
  }
  return hash.digest('hex').slice(0, 16)
}

/** Never throws: others may tidy up at the same time. */
function removeOld(folder: string, command: string): void {
  try {
    const files = readdirSync(folder)
      .filter(name => name.startsWith(`${command}-`))
      .map(name => ({ file: join(folder, name), at: statSync(join(folder, name)).mtimeMs }))
      .sort((a, b) => b.at - a.at)
    const programs = files.filter(({ file }) => !file.endsWith('.new'))
    const leftovers = files.filter(({ file, at }) => file.endsWith('.new') && Date.now() - at > LEFTOVER_AGE_MS)
    for (const { file } of [...programs.slice(KEPT_VERSIONS), ...leftovers]) rmSync(file, { force: true })
  } catch {
    // What is left is only room on a disk.
  }
}
