/** All keys, and what the marks mean. */
import { Box } from 'ink'
import { type Line, wrap } from '../lab/text.ts'
import { STATE_WORDS } from '../plain/pages.ts'
import { Lines } from './frame.tsx'
import { bodyColumns, type Size } from './geometry.ts'
import type { Theme } from './theme.ts'

const KEYS: readonly (readonly [keys: string, what: string])[] = [
  ['j k, arrows', 'move in the list, scroll in a task; space, page keys, home, end'],
  ['enter', 'open what is selected, save an answer'],
  ['esc, b', 'back; stops a check that is running'],
  ['c', 'check the task'],
  ['w', 'check it at each save of its files, or no longer'],
  ['a', 'answer the questions of the task, and check it'],
  ['h', 'one more hint'],
  ['s', 'the solution, once solved or after three checks that failed'],
  ['R', 'the starting files of the task again; yours are kept beside them'],
  ['n', 'the next task'],
  ['v', "the lab's picture: as needed, whole screen, off"],
  ['g', 'in its place, the windows of the tunnels over time; and back'],
  ['[ ]', "a step back or on in the lab's picture"],
  ['d, r', 'the demonstration; run it again'],
  ['e', 'the end, once everything is solved'],
  ['q, Ctrl-C', 'quit; nothing keeps running'],
]

export function Help({ theme, size }: { theme: Theme; size: Size }) {
  const width = bodyColumns(size)
  const { marks } = theme
  const lines: Line[] = KEYS.flatMap(([keys, what]) =>
    wrap([{ text: what }], width, [{ text: keys.padEnd(14), style: 'accent' }], [{ text: ' '.repeat(14) }]),
  )
  const states = (['open', 'attempted', 'solved'] as const).map(state => `${marks[state]} ${STATE_WORDS[state]}`)
  return (
    <Box flexDirection="column" flexShrink={0}>
      <Lines lines={lines} />
      <Lines
        lines={[
          [],
          [{ text: 'Marks'.padEnd(14), style: 'muted' }, { text: states.join('   ') }],
          [{ text: 'As text'.padEnd(14), style: 'muted' }, { text: 'npm run lab -- --help' }],
        ]}
      />
    </Box>
  )
}
