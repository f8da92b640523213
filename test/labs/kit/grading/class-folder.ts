/** A folder of submissions, as an instructor has it. */
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { ROOT } from '../../../../labs/kit/lab/registry.ts'

export interface Class {
  path: string
  /** Hands in the reference solution, with other files over it (`undefined`: without the file). */
  handIn(student: string, lab: string, changes?: Readonly<Record<string, string | undefined>>): string
  remove(): void
}

export function classFolder(): Class {
  const path = mkdtempSync(join(tmpdir(), 'masque-class-'))
  return {
    path,
    handIn(student, lab, changes = {}) {
      const folder = join(path, student, lab)
      cpSync(join(ROOT, 'solutions', lab), folder, { recursive: true })
      for (const [file, content] of Object.entries(changes)) {
        if (content === undefined) rmSync(join(folder, file))
        else {
          mkdirSync(dirname(join(folder, file)), { recursive: true })
          writeFileSync(join(folder, file), content)
        }
      }
      return folder
    },
    remove: () => rmSync(path, { recursive: true, force: true }),
  }
}
