/**
 * What Ink reads keys from instead of the terminal. Keys that are pressed quickly, or while the machine is busy, arrive as one
 * text: `63` and enter as "63\r". Ink takes such a text for something pasted, so the enter would be lost. Here the keys come
 * one by one.
 */

/** An escape sequence such as an arrow, or any other key. */
const KEYS = /\x1b(?:\[[0-9;]*[A-Za-z~]|O[A-Za-z])?|[^\x1b]/gu

export function keyByKey(stdin: NodeJS.ReadStream): NodeJS.ReadStream {
  const waiting: string[] = []
  const read = (): string | null => {
    if (waiting.length === 0) {
      const chunk: string | Uint8Array | null = stdin.read()
      if (chunk === null) return null
      // Before the terminal was in raw mode it has made a line feed of enter.
      waiting.push(...(String(chunk).replaceAll('\n', '\r').match(KEYS) ?? []))
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
