/** Figures of the documentation: drawn from docs/figures/*.dot, in the language of Graphviz. */
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { instance } from '@viz-js/viz'

const MONOSPACE = 'ui-monospace,Menlo,Consolas,DejaVu Sans Mono,Liberation Mono,monospace'
const FOLDER = new URL('./', import.meta.url)

/** The names of all figures that are made from text, without the ending. */
export function figureNames(): string[] {
  return readdirSync(FOLDER)
    .filter(file => file.endsWith('.dot'))
    .map(file => file.slice(0, -'.dot'.length))
    .sort()
}

export function pathOf(name: string, ending: '.dot' | '.svg'): string {
  return fileURLToPath(new URL(name + ending, FOLDER))
}

export function textOf(name: string): string {
  return readFileSync(pathOf(name, '.dot'), 'utf8')
}

/** The SVG that a text gives. What Graphviz would only warn of is an error here, too. */
export async function svgOf(name: string): Promise<string> {
  const result = (await instance()).render(textOf(name), { format: 'svg' })
  if (result.status === 'failure' || result.errors.length > 0) {
    throw new Error(`${name}.dot: ${result.errors.map(({ message }) => message).join('; ')}`)
  }
  // Graphviz knows how wide a text in Courier is. Nearly all fonts of one width have its 0.6 em, so texts stay in their boxes on each machine.
  // The comments name its version. A document type would send strict readers to the W3C for its definition.
  return result.output
    .replaceAll('font-family="Courier"', `font-family="${MONOSPACE}"`)
    .replace(/<!DOCTYPE[^>]*>\n?/, '')
    .replace(/<!--[\s\S]*?-->\n?/g, '')
    .trimStart()
}
