import type { WindowCourse } from '../../../labs/kit/check/window-recorder.ts'

/** A tunnel of four seconds in which nothing changes; `changes` may say at which moments it is seen. */
export function windowCourse(changes: Partial<WindowCourse> = {}): WindowCourse {
  const atMs = changes.atMs ?? Array.from({ length: 41 }, (_, i) => i * 100)
  return {
    title: 'in datagrams',
    engine: 'typescript',
    everyMs: 100,
    untilMs: atMs.at(-1) ?? 0,
    atMs,
    cwnd: atMs.map(() => 12_000),
    inFlight: atMs.map(() => 3000),
    rttMs: atMs.map(() => 50),
    movedAtMs: [],
    ...changes,
  }
}
