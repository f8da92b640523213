/** The table of docs/conformance.md as data. */
import { linksOf, read } from './repository.ts'

export const TABLE = 'docs/conformance.md'

export interface Row {
  id: string
  status: string
  /** The carriers over which tests of the row run. */
  over: string
  code: string[]
  tests: string[]
}

/** The table's rows: | id | requirement | status | over | code | tests | */
export function readRows(): Row[] {
  return read(TABLE)
    .split('\n')
    .filter(line => /^\| (?:CIP|H3|Q)-/.test(line))
    .map(line => {
      const cells = line.split('|').map(cell => cell.trim())
      if (cells.length !== 8) throw new Error(`${TABLE}: six cells are expected in ${line}`)
      const [, id, , status, over, code, tests] = cells
      return { id, status, over, code: linksOf(code), tests: linksOf(tests) }
    })
}
