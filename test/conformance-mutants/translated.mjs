import { readFile } from 'node:fs/promises'

/** Files named .ts hold JavaScript here. */
export async function load(url, context, next) {
  if (!/\.tsx?$/.test(url)) return next(url, context)
  return { format: 'module', source: await readFile(new URL(url)), shortCircuit: true }
}
