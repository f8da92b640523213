/**
 * How long nothing has come from a peer, counted in turns of a timer. One that comes late counts once, and the look is taken behind the poll for input: while
 * this process was busy with other things, or the machine asleep, what the peer has sent lay unread. So the silence is the peer's or the path's, never ours.
 */

/** Turns without a byte after which a peer is lost; and how many there are between two questions to it. */
export const SILENCE_TURNS = 16
const TURNS_A_QUESTION = 4

/** The counting, without a clock. */
export class Silence {
  #read: number | undefined
  #turns = 0

  /** One turn. `bytesRead`: all that has come so far; undefined: nothing is expected now. */
  look(bytesRead: number | undefined): 'heard' | 'quiet' | 'ask' | 'lost' {
    if (bytesRead === undefined || bytesRead !== this.#read) {
      this.#read = bytesRead
      this.#turns = 0
      return 'heard'
    }
    this.#turns++
    if (this.#turns >= SILENCE_TURNS) return 'lost'
    return this.#turns % TURNS_A_QUESTION === 0 ? 'ask' : 'quiet'
  }
}

export interface SilenceOptions {
  /** A peer is lost that was silent for so long, in ms; a sixteenth more when what came last came just after a turn. */
  readonly limitMs: number
  /** What `Silence.look` takes. */
  bytesRead(): number | undefined
  /** It is quiet: time for something that the peer has to answer. */
  ask?(): void
  /** Once; then nothing is watched any more. */
  onLost(): void
}

/** Begins to count. Returns what ends it. What is called must not throw. */
export function watchSilence({ limitMs, bytesRead, ask, onLost }: SilenceOptions): () => void {
  const silence = new Silence()
  let looking: NodeJS.Immediate | undefined
  const stop = (): void => {
    clearInterval(timer)
    clearImmediate(looking)
  }
  const look = (): void => {
    looking = undefined
    const found = silence.look(bytesRead())
    if (found === 'ask') ask?.()
    if (found !== 'lost') return
    stop()
    onLost()
  }
  const timer = setInterval(() => {
    looking ??= setImmediate(look)
  }, limitMs / SILENCE_TURNS).unref()
  return stop
}
