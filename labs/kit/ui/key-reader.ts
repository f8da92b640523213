/**
 * What Ink reads keys from instead of the terminal. Keys that are pressed quickly, or while the machine is busy, arrive as one
 * text: `63` and enter as "63\r". Ink takes such a text for something pasted, so the enter would be lost. Here the keys come
 * one by one.
 */

/** An escape sequence such as an arrow, or any other key. */
const KEYS = /\x1b(?:\[[0-9;]*[A-Za-z~]|O[A-Za-z])?|[^\x1b]/gu

const CTRL_Z = '\x1a'

export function keyByKey(stdin: NodeJS.ReadStream, suspend: () => void = () => {}): NodeJS.ReadStream {
  const waiting: string[] = []
  const read = (): string | null => {
    // Until there is nothing more: the stream says only then again that there is something.
    while (waiting.length === 0) {
      const chunk: string | Uint8Array | null = stdin.read()
      if (chunk === null) return null
      // Before the terminal was in raw mode it has made a line feed of enter.
      const keys: readonly string[] = String(chunk).replaceAll('\n', '\r').match(KEYS) ?? []
      waiting.push(...keys.filter(key => key !== CTRL_Z))
      if (keys.includes(CTRL_Z)) suspend()
    }
    return waiting.shift() ?? null
  }
  return new Proxy(stdin, {
    get(target, name) {
      if (name === 'read') return read
      const value = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
