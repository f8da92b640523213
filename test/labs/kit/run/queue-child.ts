/** A process that waits for its turn in the folder of its first argument, says so, and keeps it until it is told to go on. */
import { once } from 'node:events'
import { MachineQueue } from '../../../../labs/kit/run/queue.ts'
import { QueueFolder } from '../../../../labs/kit/run/queue-folder.ts'

const [folder, slots] = process.argv.slice(2)
const say = (word: string) => process.stdout.write(`${word}\n`)
const stop = new AbortController()
process.on('SIGINT', () => stop.abort(new Error('Ctrl-C')))
const queue = new MachineQueue({ open: () => new QueueFolder(folder), slots: Number(slots), lookEveryMs: 20 })
try {
  const leave = await queue.enter({
    signal: stop.signal,
    onPlace: ({ place }) => say(`place ${place}`),
    onNote: note => say(`note ${note}`),
  })
  say('in')
  await once(process.stdin, 'data')
  leave()
  say('out')
} catch {
  say('left')
}
process.exit()
