/** Runs a lab's live demonstration and keeps account of its phases. */
import { Cleanup } from '../check/cleanup.ts'
import type { Demonstration, DemonstrationContext, LiveState, Phase } from '../lab/types.ts'
import { LiveReporter } from './live.ts'

export interface DemonstrationOutcome {
  phases: readonly Phase[]
  summary: readonly string[]
  /** Why it did not run to its end. */
  failure?: string
  ms: number
}

export interface DemonstrationOptions {
  signal?: AbortSignal
  onPhases?: (phases: readonly Phase[]) => void
  onLive?: (live: LiveState) => void
  now?: () => number
}

/** A demonstration takes two seconds; one that takes longer than this, even on a machine that is busy, is stuck. */
const TIMEOUT_MS = 60_000

export async function runDemonstration(
  demonstration: Demonstration,
  options: DemonstrationOptions = {},
): Promise<DemonstrationOutcome> {
  const now = options.now ?? (() => performance.now())
  const startedAt = now()
  const begunAt = new Map<string, number>()
  const phases: Phase[] = demonstration.phases.map(phase => ({ ...phase, state: 'waiting' }))
  const phase = (id: string): Phase => {
    const found = phases.find(candidate => candidate.id === id)
    if (!found) throw new Error(`the demonstration has no phase '${id}'`)
    return found
  }
  const report = () => options.onPhases?.(phases.map(entry => ({ ...entry })))

  const cleanup = new Cleanup()
  const stop = new AbortController()
  const leave = () => stop.abort(new Error('stopped'))
  if (options.signal?.aborted) leave()
  options.signal?.addEventListener('abort', leave, { once: true })
  const timer = setTimeout(() => stop.abort(new Error(`no end after ${TIMEOUT_MS / 1000} s`)), TIMEOUT_MS)
  const stopped = new Promise<never>((_, reject) => {
    if (stop.signal.aborted) reject(stop.signal.reason)
    stop.signal.addEventListener('abort', () => reject(stop.signal.reason), { once: true })
  })
  stopped.catch(() => {})

  const live = new LiveReporter(options.onLive)
  const context: DemonstrationContext = {
    signal: stop.signal,
    measure: (series, value, unit) => live.measure(series, value, unit),
    compare: (name, measured, expected, unit) => live.compare(name, measured, expected, unit),
    progress: (done, total, text) => live.progress(done, total, text),
    show: (key, value) => live.show(key, value),
    scratch: async () => cleanup.scratch(),
    defer: undo => cleanup.defer(undo),
    begin(id) {
      stop.signal.throwIfAborted()
      phase(id).state = 'running'
      begunAt.set(id, now())
      report()
    },
    done(id, detail, ms) {
      const measured = ms === undefined ? now() - (begunAt.get(id) ?? now()) : (ms ?? undefined)
      Object.assign(phase(id), { state: 'done', detail, ms: measured })
      report()
    },
  }
  report()

  let summary: readonly string[] = []
  let failure: string | undefined
  try {
    const run = Promise.resolve().then(() => demonstration.run(context))
    run.catch(() => {})
    summary = (await Promise.race([run, stopped])).summary
  } catch (error) {
    failure = error instanceof Error ? error.message : String(error)
    for (const entry of phases) if (entry.state === 'running') entry.state = 'failed'
    report()
  }
  clearTimeout(timer)
  options.signal?.removeEventListener('abort', leave)
  stop.abort()
  live.finish()
  await cleanup.run()
  return { phases, summary, failure, ms: now() - startedAt }
}
