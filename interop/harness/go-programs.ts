import { execFile, spawn } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { scratchFolder } from '../../test/support/scratch.ts'
import { lastWord, Unavailable } from './skip.ts'
import { cacheFolder, runTool } from './tool.ts'

/** The folder of the Go module with our programs. */
export const GO_MODULE = fileURLToPath(new URL('../connect-ip-go', import.meta.url))

/** Not beside their source, which may belong to somebody else. */
const bin = () => join(cacheFolder('connect-ip-go'), 'bin')

// Go 1.21 was the first that fetches by itself the newer Go that a go.mod asks for.
const OLDEST_GO = 21

const DOWNLOAD_TIMEOUT_MS = 180_000

/** The path of one of our Go programs, as `buildGoPrograms` leaves it. */
export function goProgram(name: 'client' | 'proxy' | 'certificates' | 'bench' | 'streams' | 'tun'): string {
  return join(bin(), process.platform === 'win32' ? `${name}.exe` : name)
}

/**
 * Sees that a usable Go is installed, and downloads connect-ip-go and what it needs, unless that was done before. Rejects
 * with `Unavailable`.
 */
export async function prepareGo(): Promise<void> {
  const { output } = await runTool('go', ['version'], { timeoutMs: 20_000 })
  const minor = /\bgo1\.(\d+)/.exec(output)?.[1]
  if (minor !== undefined && Number(minor) < OLDEST_GO) {
    throw new Unavailable(`Go 1.${minor} is too old, 1.${OLDEST_GO} or newer is needed (https://go.dev/dl)`)
  }
  const download = await runTool('go', ['mod', 'download'], { cwd: GO_MODULE, timeoutMs: DOWNLOAD_TIMEOUT_MS })
  if (download.status !== 0) {
    throw new Unavailable(`the Go modules it needs cannot be downloaded: ${lastWord(download.output)}`)
  }
}

/** Compiles the programs. Rejects with what the compiler said. */
export async function buildGoPrograms(): Promise<void> {
  await runGo(['build', '-buildvcs=false', '-o', bin() + sep, './cmd/...'])
}

/** Runs the Go programs' own unit tests. */
export async function testGoPrograms(): Promise<void> {
  await runGo(['test', './...'])
}

/** In that folder. Resolves with what it printed; rejects with what the compiler said. */
export function runGo(args: string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn('go', args, {
      cwd: GO_MODULE,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    child.stdout.on('data', chunk => (output += chunk))
    child.stderr.on('data', chunk => (output += chunk))
    child.on('error', reject)
    child.on('close', code => {
      if (code === 0) resolve(output)
      else reject(new Error(`'go ${args.join(' ')}' in interop/connect-ip-go failed:\n${output.trimEnd()}`))
    })
  })
}

/** Throw-away certificates, made by Go so that both sides of TLS are foreign to each other. */
export interface Certificates {
  ca: string
  otherCa: string
  server: { certificate: string; key: string }
  client: { certificate: string; key: string }
  /** A client certificate that `otherCa` signed. */
  stranger: { certificate: string; key: string }
  /** Deletes them. */
  remove(): Promise<void>
}

/** Writes certificates into a new temporary directory; `clientName` is the common name in the client's. */
export async function makeCertificates(clientName: string): Promise<Certificates> {
  const directory = scratchFolder('masque-interop-')
  await promisify(execFile)(goProgram('certificates'), ['-out', directory, '-client', clientName])
  const pair = (name: string) => ({
    certificate: join(directory, `${name}.pem`),
    key: join(directory, `${name}-key.pem`),
  })
  return {
    ca: join(directory, 'ca.pem'),
    otherCa: join(directory, 'other-ca.pem'),
    server: pair('server'),
    client: pair('client'),
    stranger: pair('stranger'),
    remove: () => rm(directory, { recursive: true, force: true }),
  }
}
