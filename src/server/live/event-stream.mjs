// Reads Server-Sent Events (WHATWG HTML §9.2), notices when they stop, and connects again. `EventSource` would do most of it, but does
// not say why it failed, nor that nothing comes although the connection stands.

/** The proxy tells something each second: after so long a silence the data is old. */
export const STALE_MS = 4_000
/** … and after so long the connection is given up. */
const SILENT_MS = 15_000
const FIRST_DELAY_MS = 1_000
const LONGEST_DELAY_MS = 8_000
/** An event that is longer is none of the proxy's. */
const MAX_EVENT_LENGTH = 4 * 1024 * 1024

/** Cuts the text of a stream into events, however the network has split it. */
export class EventParser {
  #text = ''

  /** Returns the events that are complete now, as { type, data } with `data` as text. Throws RangeError when one is too long. */
  push(text) {
    this.#text += text
    const events = []
    for (;;) {
      const end = /\r\n\r\n|\n\n|\r\r/.exec(this.#text)
      if (end === null) break
      const event = parseEvent(this.#text.slice(0, end.index))
      this.#text = this.#text.slice(end.index + end[0].length)
      if (event !== undefined) events.push(event)
    }
    if (this.#text.length > MAX_EVENT_LENGTH) throw new RangeError('an event without an end')
    return events
  }
}

/** Undefined: comments only, which keep the connection alive. */
function parseEvent(block) {
  let type = 'message'
  const data = []
  for (const line of block.split(/\r\n|\n|\r/)) {
    const [, field, value] = /^([^:]*):? ?(.*)$/s.exec(line)
    if (field === 'event') type = value
    else if (field === 'data') data.push(value)
  }
  return data.length === 0 ? undefined : { type, data: data.join('\n') }
}

export class EventStream {
  #url
  #onEvent
  #onState
  #delayMs = FIRST_DELAY_MS
  #heardAt = 0
  #stopped = false
  #isStale = false

  /**
   * `onEvent(type, data)` gets what JSON the events hold. `onState({ state, since, why })`: `live`, or `old`, since a time in ms since
   * 1970 (undefined: there has been nothing yet).
   */
  constructor(url, { onEvent, onState }) {
    this.#url = url
    this.#onEvent = onEvent
    this.#onState = onState
  }

  async run() {
    while (!this.#stopped) {
      const why = await this.#connect()
      if (this.#stopped) return
      this.#tellOld(why)
      // Sixty pages that have lost the same proxy do not all come back at once.
      await new Promise(resolve => setTimeout(resolve, this.#delayMs * (0.5 + Math.random() / 2)))
      this.#delayMs = Math.min(LONGEST_DELAY_MS, this.#delayMs * 2)
    }
  }

  /** Reads to the end of the connection; says why it has ended. */
  async #connect() {
    const connection = new AbortController()
    let why = 'the proxy has closed the connection'
    let asked = performance.now()
    const watch = setInterval(() => {
      const silent = performance.now() - asked
      if (silent > SILENT_MS) {
        why = 'the proxy is silent'
        connection.abort()
      } else if (silent > STALE_MS) this.#tellOld('the proxy is silent')
    }, 500)
    try {
      const response = await fetch(this.#url, { signal: connection.signal, headers: { Accept: 'text/event-stream' } })
      if (!response.ok) return `the proxy answers with status ${response.status}`
      const parser = new EventParser()
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
      for (;;) {
        const { value, done } = await reader.read()
        if (done) return why
        for (const { type, data } of parser.push(value)) {
          const parsed = JSON.parse(data)
          asked = performance.now()
          this.#heard()
          this.#hand(type, parsed)
        }
      }
    } catch (error) {
      if (error instanceof SyntaxError || error instanceof RangeError) return 'what comes is not from the proxy'
      return connection.signal.aborted ? why : 'the proxy does not answer'
    } finally {
      clearInterval(watch)
      connection.abort()
    }
  }

  /** A bug in what shows it is no reason to leave the proxy, nor one to be silent about. */
  #hand(type, data) {
    try {
      this.#onEvent(type, data)
    } catch (error) {
      queueMicrotask(() => {
        throw error
      })
    }
  }

  #heard() {
    const wasLive = this.#heardAt !== 0 && !this.#isStale
    this.#heardAt = Date.now()
    this.#isStale = false
    this.#delayMs = FIRST_DELAY_MS
    if (!wasLive) this.#onState({ state: 'live' })
  }

  #tellOld(why) {
    this.#isStale = true
    this.#onState({ state: 'old', since: this.#heardAt === 0 ? undefined : this.#heardAt, why })
  }

  stop() {
    this.#stopped = true
  }
}
