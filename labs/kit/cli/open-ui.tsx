/**
 * The short way to the terminal UI: bundle.mjs makes one file of this module and the labs' data. Whatever is not a matter
 * of the UI is left to cli.ts.
 */

import { cleanUpEverything, endCleanly } from '../check/cleanup.ts'
import { exercisesProblem } from '../lab/exercises.ts'
import { findLab, findTask, ROOT } from '../lab/registry.ts'
import type { Lab, Task } from '../lab/types.ts'
import { Classroom } from '../run/classroom.ts'
import { ProgressStore } from '../run/progress.ts'
import { MachineQueue } from '../run/queue.ts'
import { WorkerRunner } from '../run/worker-runner.ts'
import { openLab } from '../ui/open.tsx'
import { enterScreen, terminalIsFit } from '../ui/screen.ts'
import { type Options, parseArguments, wantsUi } from './arguments.ts'

/** Returns the exit status, or undefined when the arguments or the terminal ask for something else than the UI. */
export async function openUi(argv: readonly string[], loadLabs: () => Promise<Lab[]>): Promise<number | undefined> {
  if (!terminalIsFit(process)) return undefined
  let labs: Lab[]
  let lab: Lab | undefined
  let task: Task | undefined
  let options: Options
  try {
    const parsed = parseArguments(argv)
    options = parsed.options
    if (parsed.lab === undefined || !wantsUi(options)) return undefined
    labs = await loadLabs()
    lab = findLab(labs, parsed.lab)
    task = lab && options.task !== undefined ? findTask(lab, options.task) : undefined
  } catch {
    return undefined
  }
  if (!lab || (options.task !== undefined && !task)) return undefined
  return await openLabInTerminal(labs, lab, task, options)
}

export async function openLabInTerminal(
  labs: readonly Lab[],
  lab: Lab,
  task: Task | undefined,
  { watch = false, problem = exercisesProblem(ROOT, lab) }: Options & { problem?: string | undefined },
): Promise<number> {
  const following = labs[labs.indexOf(lab) + 1]
  enterScreen(`Lab ${lab.number}  ${lab.title}`)
  endCleanly(new AbortController())
  const store = new ProgressStore()
  const status = await openLab({
    lab,
    root: ROOT,
    store,
    runner: new WorkerRunner(),
    queue: new MachineQueue(),
    classroom: new Classroom(),
    watch,
    problem,
    ...(task ? { task } : {}),
    ...(following ? { following } : {}),
  })
  if (store.warning) process.stderr.write(`note: ${store.warning}\n`)
  await cleanUpEverything()
  return status
}
