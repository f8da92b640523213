/**
 * Task 2: a connection with NewReno, from its first packet to persistent congestion. The questions ask for the window at each letter; here the engine's
 * own NewReno plays it.
 */
import { NewReno } from '../../src/quic/typescript/recovery/congestion/new-reno.ts'
import { Rtt } from '../../src/quic/typescript/recovery/rtt.ts'
import { SentPacket } from '../../src/quic/typescript/recovery/sent-packet.ts'

export const SIZE = 1200
const ROUND_TRIP_MS = 100

export const LETTERS = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'] as const
export type Letter = (typeof LETTERS)[number]

export interface Course {
  /** In bytes, round trip by round trip; what takes long takes fewer steps here. */
  windows: readonly number[]
  /** The window at each letter, and at which step that is. */
  at: Readonly<Record<Letter, { window: number; step: number }>>
}

export function playStory(): Course {
  const reno = new NewReno({ datagramSize: SIZE, rtt: new Rtt(), random: () => 0 })
  const windows: number[] = [reno.window]
  const at = {} as Record<Letter, { window: number; step: number }>
  let now = 0
  const step = (ms = ROUND_TRIP_MS) => {
    now += ms
    windows.push(reno.window)
  }
  const mark = (letter: Letter) => {
    at[letter] = { window: reno.window, step: windows.length - 1 }
  }
  const acked = (count: number, sentAt: number, isWindowUsed = true) => {
    for (let i = 0; i < count; i++) reno.onAcked(new SentPacket(2, i, sentAt, SIZE, true, true), isWindowUsed)
  }
  /** All that the window holds, sent a round trip ago, was acknowledged. */
  const fullRound = () => {
    acked(Math.floor(reno.window / SIZE), now)
    step()
  }

  fullRound()
  mark('a')
  fullRound()
  fullRound()
  mark('b')
  const sentAt = now
  now += ROUND_TRIP_MS
  reno.onCongestion(sentAt, SIZE, now)
  step(0)
  mark('c')
  for (let i = 0; i < 3; i++) {
    acked(20, sentAt)
    reno.onCongestion(sentAt, SIZE, now)
  }
  step(1)
  mark('d')
  for (let i = 0; i < 10; i++) fullRound()
  mark('e')
  for (let i = 0; i < 6; i++) {
    acked(2, now, false)
    step(1000)
  }
  mark('f')
  for (let i = 0; i < 3; i++) step(1000)
  reno.onCongestion(now, SIZE, now + 1)
  reno.onPersistentCongestion()
  step(1)
  mark('g')
  for (let i = 0; i < 3; i++) fullRound()
  mark('h')
  return { windows, at }
}
