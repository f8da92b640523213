/** The process in which demonstrations and checks run while the terminal UI is open (worker-runner.ts starts it). */
import { rmSync } from 'node:fs'
import type { Call } from '../../../src/process/child.ts'
import { serveParent } from '../../../src/process/serve-parent.ts'
import { cleanUpEverything } from '../check/cleanup.ts'
import { loadLabs } from '../lab/registry.ts'
import type { CheckMode, Lab, LiveState, Phase } from '../lab/types.ts'
import type { Step } from './engine.ts'
import { inProcess } from './runner.ts'

const labs = loadLabs()

const orders = {
  async demonstrate(id: string, { signal, report }: Call<{ phases: readonly Phase[] } | { live: LiveState }>) {
    return await inProcess.demonstrate(await labCalled(id), {
      signal,
      onPhases: phases => report({ phases }),
      onLive: live => report({ live }),
    })
  },
  async check(
    given: {
      lab: string
      task: string
      root: string
      mode: CheckMode
      withOthers: boolean | undefined
      failures: number | undefined
      seed: string | undefined
    },
    { signal, report }: Call<{ steps: readonly Step[] } | { live: LiveState }>,
  ) {
    const { root, mode, withOthers, failures, seed } = given
    const lab = await labCalled(given.lab)
    const task = lab.tasks.find(candidate => candidate.id === given.task)
    if (!task) throw new Error(`${lab.id} has no task ${given.task}`)
    return await inProcess.check(lab, task, {
      root,
      mode,
      withOthers,
      failures,
      seed,
      signal,
      onEvent: event => {
        if (event.type === 'step') report({ steps: event.steps })
        else if (event.type === 'live') report({ live: event.live })
      },
    })
  },
}
export type WorkerOrders = typeof orders

async function labCalled(id: string): Promise<Lab> {
  const lab = (await labs).find(candidate => candidate.id === id)
  if (!lab) throw new Error(`there is no lab ${id}`)
  return lab
}

serveParent(orders, async () => {
  await cleanUpEverything()
  // Left by a parent that was killed.
  if (process.env.MASQUE_LAB_SCRATCH) rmSync(process.env.MASQUE_LAB_SCRATCH, { recursive: true, force: true })
})
