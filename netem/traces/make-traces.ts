/**
 * Makes the traces in this folder: `npx tsx netem/traces/make-traces.ts`. Synthetic, so that they are ours to give away; no
 * recording of any network went into them.
 *
 * The rate of a cell's edge wanders: its logarithm is drawn back to the middle while random steps push it away (a discrete
 * Ornstein–Uhlenbeck process, as fading and other users' traffic make it), every 20 ms. Now and then it fades to nearly
 * nothing for a while. Each millisecond the rate fills an account; for every 1500 bytes in it there is one line.
 */
import { writeFileSync } from 'node:fs'
import { Random } from '../../src/link/model/random.ts'

interface Cell {
  file: string
  about: string
  seconds: number
  /** The middle of the rate, bit/s. */
  middle: number
  /** How far the logarithm of the rate strays (standard deviation), and how long it remembers. */
  spread: number
  memoryMs: number
  fadesPerMinute: number
  fadeMs: number
}

const CELLS: Cell[] = [
  {
    file: 'lte-weak-down.trace',
    about: 'Edge of an LTE cell, downlink',
    seconds: 30,
    middle: 3e6,
    spread: 0.55,
    memoryMs: 1500,
    fadesPerMinute: 6,
    fadeMs: 250,
  },
  {
    file: 'lte-weak-up.trace',
    about: 'Edge of an LTE cell, uplink',
    seconds: 30,
    middle: 1e6,
    spread: 0.45,
    memoryMs: 1500,
    fadesPerMinute: 6,
    fadeMs: 250,
  },
]

const STEP_MS = 20
const PACKET_BITS = 1500 * 8

function makeTrace(cell: Cell): string {
  const random = new Random('masque-lab traces', cell.file)
  /** Mean 0, deviation 1: twelve evenly spread numbers added up. */
  const normal = () => Array.from({ length: 12 }, () => random.float()).reduce((sum, x) => sum + x, -6)
  const remembered = Math.exp(-STEP_MS / cell.memoryMs)
  const lines: number[] = []
  let strayed = 0
  let fadeUntil = 0
  let account = 0
  for (let ms = 1; ms <= cell.seconds * 1000; ms++) {
    if (ms % STEP_MS === 1) {
      strayed = strayed * remembered + cell.spread * Math.sqrt(1 - remembered ** 2) * normal()
      if (random.float() < (cell.fadesPerMinute * STEP_MS) / 60_000)
        fadeUntil = ms + cell.fadeMs * (0.5 + random.float())
    }
    const rate = cell.middle * Math.exp(strayed) * (ms < fadeUntil ? 0.05 : 1)
    for (account += rate / 1000; account >= PACKET_BITS; account -= PACKET_BITS) lines.push(ms)
  }
  // The last line is the length of the trace.
  if (lines.at(-1) !== cell.seconds * 1000) lines.push(cell.seconds * 1000)
  const header = `# ${cell.about}: synthetic, made by make-traces.ts. One line: a 1500-byte delivery opportunity, in ms.`
  return `${header}\n${lines.join('\n')}\n`
}

for (const cell of CELLS) writeFileSync(new URL(cell.file, import.meta.url), makeTrace(cell))
