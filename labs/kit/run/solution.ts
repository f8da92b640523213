/** Reference solutions, for a student who has solved a task or has tried for long enough. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ANSWERS_FILE } from '../check/answers.ts'
import { withOwnPorts } from '../lab/own-ports.ts'
import type { Line } from '../lab/text.ts'
import type { Lab, Task } from '../lab/types.ts'
import type { TaskProgress } from './progress.ts'

const ATTEMPTS_BEFORE_SOLUTION = 3

/** How many more attempts it takes; 0: the solution may be seen. */
export function attemptsToGo(progress: Readonly<TaskProgress>): number {
  return progress.state === 'solved' ? 0 : Math.max(0, ATTEMPTS_BEFORE_SOLUTION - progress.attempts)
}

export interface SolutionFile {
  /** From the top of the repository. */
  path: string
  /** Undefined: an instructor may have taken the solutions out of what the students get. */
  text: string | undefined
}

export function solutionFiles(root: string, lab: Lab, task: Task): SolutionFile[] {
  return task.files.map(file => {
    const path = `solutions/${lab.id}/${file}`
    if (!existsSync(join(root, path))) return { path, text: undefined }
    const text = withOwnPorts(file, readFileSync(join(root, path)))
      .toString('utf8')
      .trimEnd()
    return { path, text: file === ANSWERS_FILE ? section(text, task.id) : text }
  })
}

/** Lines of code are as long as they are: whoever shows them breaks them. */
export function solutionLines(root: string, lab: Lab, task: Task): Line[] {
  return solutionFiles(root, lab, task).flatMap((file): Line[] => [
    [{ text: `Solution  ${file.path}`, style: 'accent' }],
    ...(file.text === undefined
      ? [[{ text: 'is not part of this copy of the labs; ask your instructor' }]]
      : file.text.split('\n').map((text): Line => [{ text, style: 'code' }])),
    [],
  ])
}

/** One task's section of the answers: the others are not solved by this. */
function section(toml: string, id: string): string {
  const lines = toml.split('\n')
  const from = lines.findIndex(line => line.trim() === `[${id}]`)
  if (from < 0) return ''
  const rest = lines.slice(from + 1)
  const length = rest.findIndex(line => line.startsWith('['))
  return [lines[from], ...(length < 0 ? rest : rest.slice(0, length))].join('\n').trimEnd()
}
