/**
 * The process in which demonstrations and checks run while the terminal UI is open (worker-runner.ts starts it). It ends
 * when its parent does, and cleans up first.
 */
import { rmSync } from 'node:fs'
import { cleanUpEverything } from '../check/cleanup.ts'
import { loadLabs } from '../lab/registry.ts'
import { inProcess } from './runner.ts'
import type { FromWorker, ToWorker } from './worker-protocol.ts'

const running = new Map<number, AbortController>()
const labs = loadLabs()

function send(message: FromWorker): void {
  if (process.connected) process.send?.(message)
}

async function obey(message: ToWorker): Promise<void> {
  const { id } = message
  if (message.type === 'stop') {
    running.get(id)?.abort(new Error('stopped'))
    return
  }
  const stop = new AbortController()
  running.set(id, stop)
  try {
    const lab = (await labs).find(candidate => candidate.id === message.lab)
    if (!lab) throw new Error(`there is no lab ${message.lab}`)
    if (message.type === 'demonstrate') {
      const outcome = await inProcess.demonstrate(lab, {
        signal: stop.signal,
        onPhases: phases => send({ type: 'phases', id, phases }),
        onLive: live => send({ type: 'live', id, live }),
      })
      send({ type: 'demonstrated', id, outcome })
    } else {
      const task = lab.tasks.find(candidate => candidate.id === message.task)
      if (!task) throw new Error(`${lab.id} has no task ${message.task}`)
      const result = await inProcess.check(lab, task, {
        root: message.root,
        mode: message.mode,
        ...(message.seed === undefined ? {} : { seed: message.seed }),
        signal: stop.signal,
        onEvent: event => {
          if (event.type === 'step') send({ type: 'steps', id, steps: event.steps })
          else if (event.type === 'live') send({ type: 'live', id, live: event.live })
        },
      })
      send({ type: 'checked', id, result })
    }
  } catch (error) {
    send({ type: 'broken', id, message: error instanceof Error ? error.message : String(error) })
  } finally {
    running.delete(id)
  }
}

async function end(): Promise<void> {
  for (const stop of running.values()) stop.abort(new Error('stopped'))
  await cleanUpEverything()
  // Left by a parent that was killed.
  if (process.env.MASQUE_LAB_SCRATCH) rmSync(process.env.MASQUE_LAB_SCRATCH, { recursive: true, force: true })
  process.exit(0)
}

process.on('message', (message: ToWorker) => void obey(message))
process.on('disconnect', () => void end())
process.on('SIGTERM', () => void end())
// Ctrl-C reaches every process of the terminal; the parent decides what it means.
process.on('SIGINT', () => {})
process.on('SIGHUP', () => {})
