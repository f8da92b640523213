/**
 * A line of code that meets a row of docs/conformance.md, or keeps off an attack, taken away. A test whose title names the row must
 * notice; run.ts tries it. `find` stands exactly once in the file: when the code changes, so must the entry.
 */
export interface Mutant {
  /** The row's id, or that of the attack (`AT-07`). */
  row: string
  /** Relative to src/. */
  file: string
  /** What the program does wrong now. */
  why: string
  find: string
  replace: string
}

/** Throws an Error where `find` does not stand exactly once in the text. */
export function mutate(text: string, { row, file, find, replace }: Mutant): string {
  const times = text.split(find).length - 1
  if (times !== 1) throw new Error(`${row}: ${JSON.stringify(find)} stands ${times} times in ${file}, and not once`)
  return text.replace(find, () => replace)
}
