/** `npm run figures`: makes docs/figures/*.svg from the texts beside them. */
import { writeFileSync } from 'node:fs'
import { Command } from 'commander'
import { figureNames, pathOf, svgOf } from './render.ts'

new Command('npm run figures --')
  .description('Makes each docs/figures/NAME.svg from NAME.dot, which is in the language of Graphviz.')
  .parse()

for (const name of figureNames()) {
  writeFileSync(pathOf(name, '.svg'), await svgOf(name))
  console.log(`docs/figures/${name}.svg is made`)
}
