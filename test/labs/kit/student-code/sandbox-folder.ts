/** An exercise folder for a test, and the student code in it. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Limits } from '../../../../labs/kit/student-code/sandbox.ts'
import { openStudentCode, type StudentCode } from '../../../../labs/kit/student-code/student-code.ts'

export interface Folder {
  path: string
  write(file: string, content: string): void
  open(limits?: Partial<Limits>): StudentCode
  remove(): Promise<void>
}

export function exerciseFolder(files: Readonly<Record<string, string>> = {}): Folder {
  const path = mkdtempSync(join(tmpdir(), 'masque-student-'))
  const opened: StudentCode[] = []
  const folder: Folder = {
    path,
    write(file, content) {
      mkdirSync(dirname(join(path, file)), { recursive: true })
      writeFileSync(join(path, file), content)
    },
    open(limits) {
      const code = openStudentCode({ exercises: path, ...(limits ? { limits } : {}) })
      opened.push(code)
      return code
    },
    async remove() {
      await Promise.all(opened.map(code => code.close()))
      rmSync(path, { recursive: true, force: true })
    },
  }
  for (const [file, content] of Object.entries(files)) folder.write(file, content)
  return folder
}
