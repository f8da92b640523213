/** Which of our code has run, by V8's own count of blocks: the characters of each file's text that belong to a block which did. */

import { type Profiler, Session } from 'node:inspector'

interface Script {
  /** 1: it ran, at some time. */
  seen: Uint8Array
  /** 1: it ran since the count was taken last. */
  now: Uint8Array
}

export class Coverage {
  readonly #session = new Session()
  readonly #scripts = new Map<string, Script>()
  readonly #isOurs: (url: string) => boolean
  /** Characters of code that have run. */
  size = 0

  /** `isOurs`: which files count. Those are to be loaded already: what runs then says nothing of an input. */
  constructor(isOurs: (url: string) => boolean) {
    this.#isOurs = isOurs
    this.#session.connect()
    this.#session.post('Profiler.enable')
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
  }

  close(): void {
    this.#session.post('Profiler.stopPreciseCoverage')
    this.#session.disconnect()
  }

  /** Whether something ran, since it was asked last, that never did before. `keeps`: and from now on it did. */
  hasNew(keeps: boolean): boolean {
    let isNew = false
    this.#session.post('Profiler.takePreciseCoverage', (error, { result }) => {
      if (error !== null) throw error
      for (const { scriptId, url, functions } of result) {
        if (!this.#isOurs(url)) continue
        if (this.#paint(scriptId, functions, keeps)) isNew = true
      }
    })
    return isNew
  }

  /** A function's first range is all of its text; those that follow are parts of it that ran more, or less often. A function inside of it comes later. */
  #paint(id: string, functions: Profiler.FunctionCoverage[], keeps: boolean): boolean {
    const length = Math.max(...functions.map(({ ranges }) => ranges[0].endOffset))
    const script = this.#scripts.get(id) ?? { seen: new Uint8Array(length), now: new Uint8Array(length) }
    this.#scripts.set(id, script)
    const { seen, now } = script
    now.fill(0)
    for (const { ranges } of functions)
      for (const { startOffset, endOffset, count } of ranges) now.fill(count > 0 ? 1 : 0, startOffset, endOffset)
    let found = 0
    for (let at = 0; at < now.length; at++) found += now[at] & (seen[at] ^ 1)
    if (!keeps || found === 0) return found > 0
    for (let at = 0; at < now.length; at++) seen[at] |= now[at]
    this.size += found
    return true
  }
}
