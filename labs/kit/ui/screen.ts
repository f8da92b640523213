/**
 * The terminal's alternate screen: entered before Ink is loaded, which takes half a second, so that the first frame is
 * there at once; left however the process ends, so that the terminal is as it was.
 */
import { bodyWidth } from '../lab/text.ts'

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

/** No cursor, and a row that is too long for the terminal does not push the others down. */
const ALTERNATE = '\x1b[?1049h\x1b[?25l\x1b[?7l'
const NORMAL = '\x1b[?7h\x1b[?25h\x1b[?1049l'

let entered = false

/** Shows the header of what is about to be drawn. */
export function enterScreen(title: string): void {
  entered = true
  process.once('exit', leaveScreen)
  // Keys that are pressed before Ink listens must not be printed into the picture; Ink finds them waiting.
  if (process.stdin.isTTY) process.stdin.setRawMode(true)
  process.stdout.write(
    `${ALTERNATE}\x1b[2J\x1b[H ${title}\r\n ${'-'.repeat(bodyWidth(process.stdout.columns || 80))}\x1b[H`,
  )
}

export function leaveScreen(): void {
  if (!entered) return
  entered = false
  process.off('exit', leaveScreen)
  if (process.stdin.isTTY) process.stdin.setRawMode(false)
  process.stdout.write(NORMAL)
}

/** A shell without job control does not stop us: then we go on after this. */
const NOT_STOPPED_MS = 300

/**
 * Lets Ctrl-Z (and SIGTSTP) suspend the program with the terminal as it was before; `fg` brings the screen back, and `redraw` draws it.
 * Returns what to call when the key has been pressed: in raw mode, the terminal does not do it.
 */
export function suspendable(redraw: () => void): { suspend(): void; close(): void } {
  if (process.platform === 'win32') return { suspend() {}, close() {} }
  let timer: NodeJS.Timeout | undefined
  const suspend = (): void => {
    if (!entered) return
    leaveScreen()
    process.off('SIGTSTP', suspend)
    process.once('SIGCONT', back)
    timer = setTimeout(back, NOT_STOPPED_MS)
    // The whole group, as the terminal does it: the shell waits for npm, which waits for us.
    process.kill(0, 'SIGTSTP')
  }
  const back = (): void => {
    clearTimeout(timer)
    process.off('SIGCONT', back)
    if (entered) return
    process.on('SIGTSTP', suspend)
    entered = true
    process.once('exit', leaveScreen)
    if (process.stdin.isTTY) process.stdin.setRawMode(true)
    process.stdout.write(`${ALTERNATE}\x1b[2J`)
    redraw()
  }
  process.on('SIGTSTP', suspend)
  return {
    suspend,
    close() {
      clearTimeout(timer)
      process.off('SIGTSTP', suspend)
      process.off('SIGCONT', back)
    },
  }
}
