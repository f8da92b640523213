import { read } from './repository.ts'

/** Floors from top to bottom, the kit's folders among them as `kit/check`; those in one line of the drawing know nothing of each other. */
export function drawnFloors(): string[][] {
  const drawing = /^## Floors$[\s\S]*?^```\n([\s\S]*?)^```/m.exec(read('docs/architecture.md'))?.[1] ?? ''
  return drawing
    .split('\n')
    .map(line => line.replace(/^ {2}/, ''))
    .filter(line => /^[a-z]/.test(line))
    .map(line => line.split(/ {2,}/).filter((_, column) => column % 2 === 0))
}
