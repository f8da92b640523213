/**
 * Draws the line that is being typed. The keys arrive by way of the app, which always listens: a component that begins to
 * listen when it is drawn misses what is typed before.
 */
import { Text } from 'ink'
import type { Draft } from './draft.ts'
import { useTheme } from './frame.tsx'

export function AnswerInput({ draft, placeholder }: { draft: Draft; placeholder: string }) {
  const theme = useTheme()
  const characters = [...draft.text]
  const under = characters[draft.cursor] ?? ' '
  return (
    <Text>
      <Text {...theme.style('accent')}>{theme.marks.pointer} </Text>
      {characters.slice(0, draft.cursor).join('')}
      <Text inverse>{under}</Text>
      {characters.slice(draft.cursor + 1).join('')}
      {draft.text === '' ? <Text dimColor>{placeholder}</Text> : null}
    </Text>
  )
}
