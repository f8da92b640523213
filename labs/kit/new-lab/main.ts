import { ROOT } from '../lab/registry.ts'
import { makeNewLab } from './make.ts'

const USAGE = `usage: npm run new-lab -- NUMBER TOPIC

Makes a new lab that runs at once, for example: npm run new-lab -- 6 my-topic
How to go on: docs/authoring.md`

const [number, topic] = process.argv.slice(2)
try {
  if (number === '--help' || number === '-h') {
    console.log(USAGE)
    process.exit()
  }
  const files = makeNewLab(ROOT, number, topic)
  console.log(`${files.map(file => `  ${file}`).join('\n')}

Try it:          npm run lab -- ${number}
Its tests:       npx mocha 'test/labs/lab-${number!.padStart(2, '0')}-${topic}/**/*.test.ts'
How to go on:    docs/authoring.md`)
} catch (error) {
  console.error(`new-lab: ${(error as Error).message}`)
  process.exitCode = 2
}
