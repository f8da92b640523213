/** One line that is being typed. */
import type { Key } from 'ink'

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
  const moved = (to: number): Draft => ({ ...draft, cursor: Math.max(0, Math.min(characters.length, to)) })
  if (key.leftArrow) return moved(cursor - 1)
  if (key.rightArrow) return moved(cursor + 1)
  if (key.home || (key.ctrl && input === 'a')) return moved(0)
  if (key.end || (key.ctrl && input === 'e')) return moved(characters.length)
  if (key.backspace || key.delete) {
    if (cursor === 0) return draft
    characters.splice(cursor - 1, 1)
    return { text: characters.join(''), cursor: cursor - 1 }
  }
  if (key.ctrl && input === 'u') return draftOf('')
  const typed = [...input].filter(character => character >= ' ' && character !== '\x7f')
  if (key.ctrl || key.meta || key.escape || key.tab || typed.length === 0) return draft
  characters.splice(cursor, 0, ...typed)
  return { text: characters.join(''), cursor: cursor + typed.length }
}
