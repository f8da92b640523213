/** In which form the log is written: for people where a terminal is, for programs elsewhere. */

type Environment = Readonly<Record<string, string | undefined>>

/** MASQUE_LOG_FORMAT may say it; commands complain of what it must not say (config/log-section.ts). */
export function isPretty(isTerminal: boolean, env: Environment = process.env): boolean {
  const format = env.MASQUE_LOG_FORMAT
  return format === 'pretty' || (isTerminal && format !== 'json')
}

/** FORCE_COLOR, then NO_COLOR, as Node has it; then what the terminal is. */
export function hasColours(isTerminal: boolean, env: Environment = process.env): boolean {
  const { FORCE_COLOR, NO_COLOR, TERM } = env
  if (FORCE_COLOR !== undefined) return FORCE_COLOR !== '0' && FORCE_COLOR !== 'false'
  if (NO_COLOR !== undefined && NO_COLOR !== '') return false
  return isTerminal && TERM !== 'dumb'
}
