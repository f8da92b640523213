/** The log in parts: each component of a program has its own, whose lines carry its name, and which may have a level of its own. */
import type { LogComponent, LogLevels } from '../config/log-section.ts'
import type { Logger } from './logger.ts'

export class ComponentLogs {
  readonly #log: Logger
  readonly #levels: LogLevels
  readonly #made = new Map<LogComponent, Logger>()

  /** `levels`: of components that are to say more, or less, than `log` does. */
  constructor(log: Logger, levels: LogLevels = {}) {
    this.#log = log
    this.#levels = levels
  }

  of(component: LogComponent): Logger {
    let log = this.#made.get(component)
    if (log === undefined) {
      const level = this.#levels[component]
      log = this.#log.child({ component }, level === undefined ? {} : { level })
      this.#made.set(component, log)
    }
    return log
  }
}

/** Whose lines tell of a connection, by the version of HTTP on it. */
export function connectionComponent(version: 'h3' | 'h2' | 'h1' | 'webtransport'): LogComponent {
  if (version === 'webtransport') return 'webtransport'
  return version === 'h3' ? 'quic' : 'tcp'
}
