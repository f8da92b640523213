// `npm run test:tun`: TUN devices of the system, and programs that use them. All of it happens in network namespaces of this run's own, as their
// root: nothing of this machine's network is touched, and everything is gone with the last process, however that ends.
// The last line of output is `N passed, N failed, N skipped`.
import { spawnSync } from 'node:child_process'
import { accessSync, constants, statSync } from 'node:fs'
import { Command } from 'commander'
import { runMocha } from '../../support/mocha-run.ts'

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
  await runInNamespaces()
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

async function runInNamespaces(): Promise<void> {
  // /run is where `ip netns` keeps its names; the devices of /dev/net may be closed to users, and some tests are users.
  const prepare = [
    'mount -t tmpfs tmpfs /run',
    isRoot ? 'mount -t tmpfs tmpfs /dev/net && mknod -m 666 /dev/net/tun c 10 200' : 'true',
    'ip link set lo up',
    'exec "$@"',
  ].join(' && ')
  await runMocha({
    files: 'test/**/*.tun.ts',
    grep,
    timeoutMs: 1_200_000,
    scratchPrefix: 'masque-tun-',
    within: ['unshare', ...UNSHARE, 'sh', '-c', prepare, 'sh'],
  })
}
