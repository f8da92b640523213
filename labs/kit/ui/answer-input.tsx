/**
 * One line that is being typed. The keys arrive by way of the app, which always listens: a component that begins to listen when
 * it is drawn misses what is typed before.
 */
import { type Key, Text } from 'ink'
import { useTheme } from './frame.tsx'

export interface Draft {
  text: string
  /** Characters before the cursor. */
  cursor: number
}

export function draftOf(text: string): Draft {
  return { text, cursor: [...text].length }
}

/** The draft after a key; what is not for editing changes nothing. */
export function edited(draft: Draft, input: string, key: Partial<Key>): Draft {
  const characters = [...draft.text]
  const { cursor } = draft
  if (key.leftArrow) return { ...draft, cursor: Math.max(0, cursor - 1) }
  if (key.rightArrow) return { ...draft, cursor: Math.min(characters.length, cursor + 1) }
  if (key.backspace || key.delete) {
    if (cursor === 0) return draft
    characters.splice(cursor - 1, 1)
    return { text: characters.join(''), cursor: cursor - 1 }
  }
  if (key.ctrl && input === 'u') return { text: '', cursor: 0 }
  const typed = [...input].filter(character => character >= ' ' && character !== '\x7f')
  if (key.ctrl || key.meta || key.escape || key.tab || typed.length === 0) return draft
  characters.splice(cursor, 0, ...typed)
  return { text: characters.join(''), cursor: cursor + typed.length }
}

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
