/**
 * What Ink reads keys from instead of the terminal. Keys that are pressed quickly, or while the machine is busy, arrive as one
 * text: `63` and enter as "63\r". Ink takes such a text for something pasted, so the enter would be lost. Here the keys come
 * one after the other, each after what the one before has done to the screen.
 */

/** An escape sequence such as an arrow, or any other key. */
const KEYS = /\x1b(?:\[[0-9;]*[A-Za-z~]|O[A-Za-z])?|[^\x1b]/gu

/** Long enough for React to have drawn, and to listen with what is on the screen now. */
const BETWEEN_MS = 4

export function keyByKey(stdin: NodeJS.ReadStream): NodeJS.ReadStream {
  const waiting: string[] = []
  let resting = false
  const read = (): string | null => {
    if (resting) return null
    if (waiting.length === 0) {
      const chunk: string | Uint8Array | null = stdin.read()
      if (chunk === null) return null
      // Before the terminal was in raw mode it has made a line feed of enter.
      waiting.push(...(String(chunk).replaceAll('\n', '\r').match(KEYS) ?? []))
    }
    const part = waiting.shift() ?? null
    if (waiting.length > 0) {
      resting = true
      setTimeout(() => {
        resting = false
        stdin.emit('readable')
      }, BETWEEN_MS)
    }
    return part
  }
  return new Proxy(stdin, {
    get(target, name) {
      if (name === 'read') return read
      const value = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
