/**
 * The terminal's alternate screen: entered before Ink is loaded, which takes half a second, so that the first frame is
 * there at once; left however the process ends, so that the terminal is as it was.
 */
import { bodyWidth } from './text.ts'

/** Smaller than this, and text that scrolls by is of more use than a picture. */
export const MIN_COLUMNS = 60
export const MIN_ROWS = 18

/** Whether there is a terminal in which the UI can be drawn. */
export function terminalIsFit({ stdout, stdin, env }: Pick<NodeJS.Process, 'stdout' | 'stdin' | 'env'>): boolean {
  if (!stdout.isTTY || !stdin.isTTY || env.TERM === 'dumb' || env.CI) return false
  // Ink's own sign that the terminal is read out; text from top to bottom reads better.
  if (env.INK_SCREEN_READER === 'true') return false
  return stdout.columns >= MIN_COLUMNS && stdout.rows >= MIN_ROWS
}

let entered = false

/** Shows the header of what is about to be drawn. */
export function enterScreen(title: string): void {
  entered = true
  process.once('exit', leaveScreen)
  // Keys that are pressed before Ink listens must not be printed into the picture; Ink finds them waiting.
  if (process.stdin.isTTY) process.stdin.setRawMode(true)
  process.stdout.write(
    `\x1b[?1049h\x1b[2J\x1b[H\x1b[?25l ${title}\r\n ${'-'.repeat(bodyWidth(process.stdout.columns || 80))}\x1b[H`,
  )
}

export function leaveScreen(): void {
  if (!entered) return
  entered = false
  process.off('exit', leaveScreen)
  if (process.stdin.isTTY) process.stdin.setRawMode(false)
  process.stdout.write('\x1b[?25h\x1b[?1049l')
}
