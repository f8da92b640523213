/** `npm run new-lab -- 6 my-topic`: a lab that runs at once, to be changed into one's own. */
import { chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { newLabFiles } from './templates.ts'

/** Writes the files below `root`, and returns their paths. Throws an Error with one clear sentence, and then writes nothing. */
export function makeNewLab(root: string, number: string | undefined, topic: string | undefined): string[] {
  if (!number || !topic) throw new Error('a number and a topic are expected: npm run new-lab -- 6 my-topic')
  if (!/^[1-9]\d?$/.test(number)) throw new Error(`the number '${number}': 1 to 99 is expected`)
  if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(topic))
    throw new Error(`the topic '${topic}': lower case words with - between them are expected, such as my-topic`)
  const prefix = `lab-${number.padStart(2, '0')}-`
  const taken = existsSync(join(root, 'labs')) && readdirSync(join(root, 'labs')).find(name => name.startsWith(prefix))
  if (taken) throw new Error(`there is a lab ${number} already: labs/${taken}. Take another number`)
  const files = newLabFiles(Number(number), topic)
  const there = Object.keys(files).find(path => existsSync(join(root, path)))
  if (there) throw new Error(`${there} is there already. Take another topic, or move it away`)
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
    if (path.endsWith('.sh')) chmodSync(join(root, path), 0o755)
  }
  return Object.keys(files)
}
