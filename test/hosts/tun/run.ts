// `npm run test:tun`: TUN devices of the system, and programs that use them. All of it happens in network namespaces of this run's own, as their
// root: nothing of this machine's network is touched, and everything is gone with the last process, however that ends.
// The last line of output is `N passed, N failed, N skipped`.
import { spawn, spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Command } from 'commander'
import { ended, scratchFolder } from '../../support/scratch.ts'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
const FILES = 'test/**/*.tun.ts'
const TIMEOUT_MS = 1_200_000

interface Outcome {
  readonly fullTitle: string
  readonly err: { readonly message?: string; readonly stack?: string }
}

const { grep } = new Command('npm run test:tun --')
  .description('Tests TUN devices, in network namespaces of its own. Linux; root, or user namespaces.')
  .option('--grep <text>', 'only tests whose title has this')
  .parse()
  .opts<{ grep?: string }>()

const isRoot = process.getuid?.() === 0
/** Its own network, mounts and processes; without root also its own users, where we are root. */
const UNSHARE = [...(isRoot ? [] : ['-U', '-r']), '-n', '-m', '-p', '-f', '--kill-child', '--mount-proc']

const problem = whyNot()
if (problem !== undefined) {
  console.log(`skipped: ${problem}`)
  console.log('0 passed, 0 failed, 1 skipped')
} else {
  await runAll()
}

function whyNot(): string | undefined {
  if (process.platform !== 'linux') return `these tests are for Linux, and this is ${process.platform}`
  try {
    if (!statSync('/dev/net/tun').isCharacterDevice()) return '/dev/net/tun is no device'
  } catch {
    return 'there is no /dev/net/tun: load the module with modprobe tun'
  }
  try {
    accessSync('/dev/net/tun', constants.R_OK | constants.W_OK)
  } catch {
    return 'this user may not open /dev/net/tun: run as root, or have somebody who may run chmod 666 /dev/net/tun'
  }
  if (spawnSync('ip', ['-V']).status !== 0) return 'the command ip is missing (Debian package iproute2)'
  const { status, error } = spawnSync('unshare', [...UNSHARE, 'true'])
  if (error !== undefined) return 'the command unshare is missing (Debian package util-linux)'
  if (status !== 0) return 'this user may make no network namespace (unshare -Urn): run as root'
  return undefined
}

async function runAll(): Promise<void> {
  const folder = scratchFolder('masque-tun-')
  const results = join(folder, 'results.json')
  // /run is where `ip netns` keeps its names; the devices of /dev/net may be closed to users, and some tests are users.
  const prepare = [
    'mount -t tmpfs tmpfs /run',
    isRoot ? 'mount -t tmpfs tmpfs /dev/net && mknod -m 666 /dev/net/tun c 10 200' : 'true',
    'ip link set lo up',
    'exec "$@"',
  ].join(' && ')
  const mocha = [
    'node_modules/mocha/bin/mocha.js',
    '--reporter',
    'json',
    '--reporter-option',
    `output=${results}`,
    FILES,
  ]
  if (grep !== undefined) mocha.push('--grep', grep)
  const child = spawn('unshare', [...UNSHARE, 'sh', '-c', prepare, 'sh', process.execPath, ...mocha], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: TIMEOUT_MS,
    killSignal: 'SIGKILL',
    env: { ...process.env, TMPDIR: folder },
  })
  let output = ''
  child.stderr.on('data', text => {
    output += text
  })
  child.stdout.on('data', text => {
    // The results come in a file; what tests print, such as why they are skipped, is for people.
    for (const line of String(text).split('\n')) if (line.includes('skipped:')) console.log(`  ${line.trim()}`)
  })
  const [status] = await ended(child)
  if (!existsSync(results)) {
    console.log(output.trim().slice(-3000))
    console.log('0 passed, 1 failed, 0 skipped')
    process.exitCode = 1
    return
  }
  const { stats, passes, failures } = JSON.parse(readFileSync(results, 'utf8')) as {
    stats: { passes: number; failures: number; pending: number }
    passes: Outcome[]
    failures: Outcome[]
  }
  for (const { fullTitle } of passes) console.log(`  ok    ${fullTitle}`)
  for (const { fullTitle, err } of failures) {
    console.log(`  FAIL  ${fullTitle}\n        ${(err.stack ?? err.message ?? '').replaceAll('\n', '\n        ')}`)
  }
  console.log(`${stats.passes} passed, ${stats.failures} failed, ${stats.pending} skipped`)
  process.exitCode = stats.failures > 0 || status !== 0 ? 1 : 0
}
