/** Which labs there are: every folder `labs/lab-*` with a `lab.ts` that exports `lab`. */
import { existsSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Lab, Task } from './types.ts'

/** The repository. */
export const ROOT = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))))

/** All labs in the order of their numbers. A lab module is data; it loads what it runs only when it runs it. */
export async function loadLabs(root: string = ROOT): Promise<Lab[]> {
  const folder = join(root, 'labs')
  const files = readdirSync(folder)
    .filter(name => name.startsWith('lab-'))
    .map(name => join(folder, name, 'lab.ts'))
    .filter(file => existsSync(file))
  const labs: Lab[] = []
  for (const file of files) {
    const module: { lab?: Lab } = await import(pathToFileURL(file).href)
    if (!module.lab) throw new Error(`${file}: an export named 'lab' is expected`)
    labs.push(module.lab)
  }
  return labs.sort((a, b) => a.number - b.number)
}

/** By number (`1`, `01`), by folder (`lab-01-deploy`), or by the end of the folder's name (`deploy`). */
export function findLab(labs: readonly Lab[], name: string): Lab | undefined {
  if (/^\d+$/.test(name)) return labs.find(lab => lab.number === Number(name))
  return labs.find(lab => lab.id === name || lab.id.replace(/^lab-\d+-/, '') === name)
}

/** By place (`2`) or by id. */
export function findTask(lab: Lab, name: string): Task | undefined {
  return /^\d+$/.test(name) ? lab.tasks[Number(name) - 1] : lab.tasks.find(task => task.id === name)
}
