/** Characters that command a terminal, turn the direction of text, break a line or are not seen: Unicode's "other", and its separators of lines. */
const UNSEEN = /[\p{C}\p{Zl}\p{Zp}]/gu

/** Text of a peer, for people: what a terminal would act upon instead of showing it is a question mark. */
export function printable(text: string): string {
  return text.replace(UNSEEN, '?')
}

/** The same where nothing is to be lost: such characters are escaped as JSON would. */
export function visible(text: string): string {
  return text.replace(UNSEEN, character => (character === '\n' ? '\\n' : escaped(character)))
}

/** The same for a line of JSON, where such characters are in strings only: they are escaped, and nothing is lost. */
export function printableJson(line: string): string {
  return line.replace(UNSEEN, character => (character === '\n' ? character : escaped(character)))
}

/** RFC 8259 §7: above U+FFFF in two halves. */
function escaped(character: string): string {
  return [...Array(character.length).keys()]
    .map(i => `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`)
    .join('')
}
