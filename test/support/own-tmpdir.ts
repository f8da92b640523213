import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** From now on, and until `remove`, temporary files are made in a folder of this test's own: what it leaves behind is told from what others make meanwhile. */
export function ownTmpdir(): { readonly path: string; remove(): void } {
  const usual = process.env.TMPDIR
  const path = mkdtempSync(join(tmpdir(), 'masque-own-'))
  process.env.TMPDIR = path
  return {
    path,
    remove() {
      if (usual === undefined) delete process.env.TMPDIR
      else process.env.TMPDIR = usual
      rmSync(path, { recursive: true, force: true })
    },
  }
}
