/**
 * Runs inside a network namespace with two ways to anywhere, over `first` from 198.51.100.1, and over `second` from 198.51.100.2 when that is gone. Changes it, and prints what was heard as one
 * JSON object; `network-changes.test.ts` starts it and judges.
 */

import { execFile, execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { promisify } from 'node:util'
import { NetworkWatch } from '../../src/client/network-watch.ts'
import { listenForChanges } from '../../src/net/network-changes.ts'
import { until } from '../support/loopback.ts'

const REMOTE = { host: '192.0.2.1', port: 4433 }
const HOUR_MS = 3_600_000
const MANY = 4000

const run = promisify(execFile)
const ip = (text: string) => run('ip', text.split(' '))
/** Netlink sockets of this process. Its other descriptors come and go with what loads TypeScript. */
function netlinkSockets(): number {
  const lines = readFileSync('/proc/self/net/netlink', 'utf8').trim().split('\n').slice(1)
  const inodes = new Set(lines.map(line => line.trim().split(/\s+/).at(-1)))
  const targets = readdirSync('/proc/self/fd').flatMap(fd => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`)
    } catch {
      return []
    }
  })
  return targets.filter(target => inodes.has(/^socket:\[(\d+)\]$/.exec(target)?.[1])).length
}

async function hear(): Promise<{ heard: Record<string, boolean>; listening: number }> {
  let changes = 0
  const changing = listenForChanges({
    onChange: () => {
      changes++
    },
    onDeaf: why => {
      throw new Error(why)
    },
  })
  if (typeof changing === 'string') throw new Error(changing)
  const heard: Record<string, boolean> = {}
  for (const command of [
    'link set second mtu 1400',
    'addr add 203.0.113.1/32 dev second',
    'addr add fd00::1/128 dev second nodad',
    'route add 203.0.113.9/32 dev second',
    'route add fd00::9/128 dev second',
  ]) {
    changing.listen()
    const before = changes
    await ip(command)
    await until(() => changes > before)
    heard[command] = true
  }
  const listening = netlinkSockets()
  await changing.close()
  return { heard, listening }
}

/** A client that moves between the two ways, and would not look by itself within the hour. */
function watch(state: { used: string; moves: string[]; looks: number }): NetworkWatch {
  const local = () => {
    state.looks++
    return { host: state.used, port: 1 }
  }
  return new NetworkWatch({
    path: () => ({ local: local(), remote: REMOTE }),
    move: async () => {
      state.used = state.used === '198.51.100.1' ? '198.51.100.2' : '198.51.100.1'
      state.moves.push(state.used)
      return true
    },
    onError: error => {
      throw error
    },
    onDeaf: why => {
      throw new Error(why)
    },
    lookMs: HOUR_MS,
  })
}

async function move(): Promise<{ moves: string[]; looks: number; most: number }> {
  const state = { used: '198.51.100.1', moves: [] as string[], looks: 0 }
  const away = watch(state)
  await ip('addr del 198.51.100.1/32 dev first')
  await until(() => state.moves.length === 1)
  const routes = Array.from({ length: MANY }, (_, i) => `route add 10.1.${i >> 8}.${i & 255}/32 dev second`).join('\n')
  const beganAt = performance.now()
  const before = state.looks
  execFileSync('ip', ['-batch', '-'], { input: routes })
  for (let i = 0; i < 10; i++) await ip('link set second mtu 1300').then(() => ip('link set second mtu 1400'))
  await until(() => state.looks > before)
  // Each look asks twice.
  const looks = (state.looks - before) / 2
  const most = 2 + (performance.now() - beganAt) / 24
  await away.stop()
  return { moves: state.moves, looks, most }
}

async function moveBack(moves: string[]): Promise<void> {
  const back = watch({ used: '198.51.100.2', moves, looks: 0 })
  await ip('addr add 198.51.100.1/32 dev first')
  await ip('route add default dev first metric 1')
  await until(() => moves.length === 2)
  // Not stopped: nothing of it is to keep the process.
  void back
}

const { heard, listening } = await hear()
const moved = await move()
const sockets = { listening, left: netlinkSockets() }
await moveBack(moved.moves)
process.stdout.write(JSON.stringify({ heard, ...moved, sockets }))
