/**
 * What Ink writes to instead of the terminal: takes whole pictures, and writes those rows to the terminal that differ from
 * the ones that are there. So nothing flickers, on any terminal, and little is sent over a slow connection.
 *
 * Ink's own way is to erase all rows and to write them again. In its debug mode it writes each picture as one text, which is
 * what this needs.
 */

/** Terminals that know it show all of what is between the two at once; the others ignore it. */
const BEGIN_UPDATE = '\x1b[?2026h'
const END_UPDATE = '\x1b[?2026l'

export class RowWriter {
  readonly #write: (text: string) => void
  readonly #height: () => number
  #rows: string[] = []
  #next: string | undefined

  /** `height`: rows that the terminal has now. */
  constructor(write: (text: string) => void, height: () => number) {
    this.#write = write
    this.#height = height
  }

  /** Several pictures within one turn of the event loop: only the last of them is drawn. */
  draw(picture: string): void {
    if (this.#next === undefined) setImmediate(() => this.flush())
    this.#next = picture
  }

  flush(): void {
    if (this.#next === undefined) return
    // Right after the window has been made smaller, a picture may still be of the old size.
    const rows = this.#next.split('\n').slice(0, this.#height())
    this.#next = undefined
    let text = ''
    for (let row = 0; row < Math.max(rows.length, this.#rows.length); row++) {
      const now = rows[row] ?? ''
      if (now !== this.#rows[row]) text += `\x1b[${row + 1};1H${now}\x1b[0m\x1b[K`
    }
    this.#rows = rows
    if (text !== '') this.#write(`${BEGIN_UPDATE}${text}${END_UPDATE}`)
  }

  /** What was there is gone, and all of it is wanted again. */
  again(): void {
    this.#next ??= this.#rows.join('\n')
    this.#rows = []
    this.flush()
  }

  /** The terminal has another size: nothing of what was there can be relied on. */
  forget(): void {
    this.#rows = []
    this.#write('\x1b[2J')
  }
}

/** `stdout` as Ink sees it: the same terminal, but what is written goes through a `RowWriter`. */
export function drawnByRows(stdout: NodeJS.WriteStream): { stdout: NodeJS.WriteStream; writer: RowWriter } {
  const writer = new RowWriter(
    text => void stdout.write(text),
    () => stdout.rows || 24,
  )
  const write = (picture: string | Uint8Array, ...rest: unknown[]): boolean => {
    // An empty text is Ink's way to wait until everything has been written.
    if (picture !== '') writer.draw(String(picture))
    else writer.flush()
    const done = rest.at(-1)
    if (typeof done === 'function') stdout.write('', () => done())
    return true
  }
  const proxy = new Proxy(stdout, {
    get(target, name) {
      if (name === 'write') return write
      const value = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  return { stdout: proxy, writer }
}
