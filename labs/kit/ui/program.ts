/** Holds the state of the terminal UI, and does what `reduce` asks for: checks, files, progress. */
import { basename, dirname } from 'node:path'
import { ANSWERS_FILE, AnswerFileError, readAnswers, writeAnswer } from '../check/answers.ts'
import { exerciseFolder, resetExercises } from '../lab/exercises.ts'
import type { Lab, Task } from '../lab/types.ts'
import type { Classroom } from '../run/classroom.ts'
import type { ProgressStore } from '../run/progress.ts'
import { type CheckQueue, placeText } from '../run/queue.ts'
import type { Runner } from '../run/runner.ts'
import { solutionLines } from '../run/solution.ts'
import { type Watcher, watchFiles } from '../run/watch.ts'
import { reduce, resettable } from './reduce.ts'
import { type Effect, type Event, opened, type State, taskOf } from './state.ts'

export interface ProgramOptions {
  lab: Lab
  root: string
  store: ProgressStore
  /** Runs demonstrations and checks. */
  runner: Runner
  /** In which checks that measure wait for those of others. */
  queue?: CheckQueue
  /** Is told of what is opened and checked, if the student has joined one. */
  classroom?: Pick<Classroom, 'tell'>
  task?: Task
  watch?: boolean
  problem?: string
  /** Called when the student wants to leave. */
  quit: () => void
}

export class Program {
  readonly #options: ProgramOptions
  readonly #exercises: string
  readonly #listeners = new Set<() => void>()
  readonly #events: Event[] = []
  #state: State
  #opening: readonly Effect[]
  #check: AbortController | undefined
  #demonstration: AbortController | undefined
  #saves: { task: Task; watcher: Watcher } | undefined
  #others: Watcher | undefined

  constructor(options: ProgramOptions) {
    this.#options = options
    this.#exercises = exerciseFolder(options.root, options.lab)
    const [state, effects] = opened({ ...options, progress: options.store.lab(options.lab.id) })
    this.#state = state
    this.#opening = effects
  }

  readonly state = (): State => this.#state

  /** Calls `listener` whenever the state has changed; returns how to end that. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  start(): void {
    for (const effect of this.#opening) this.#perform(effect)
    this.#opening = []
    const { file } = this.#options.store
    // Another terminal may be at the same lab.
    this.#others = watchFiles(dirname(file), [basename(file)], () => this.#tellProgress())
    this.#settle()
  }

  stop(): void {
    this.#check?.abort()
    this.#demonstration?.abort()
    this.#saves?.watcher.stop()
    this.#others?.stop()
  }

  dispatch(event: Event): void {
    this.#events.push(event)
    // An event that an effect brings about waits until the one before it is through.
    if (this.#events.length === 1) this.#settle()
  }

  #settle(): void {
    while (this.#events.length > 0) {
      const [next, effects] = reduce(this.#state, this.#events[0])
      this.#state = next
      for (const effect of effects) this.#perform(effect)
      this.#events.shift()
    }
    this.#watchTask()
    for (const listener of this.#listeners) listener()
  }

  #perform(effect: Effect): void {
    const { lab, root, store, quit } = this.#options
    switch (effect.do) {
      case 'quit':
        return quit()
      case 'demonstrate':
        return this.#demonstrate()
      case 'stop the demonstration':
        return this.#demonstration?.abort()
      case 'check':
        return this.#runCheck(effect.task, effect.asked)
      case 'stop the check':
        return this.#check?.abort()
      case 'read answers':
        return this.#attempt(() => {
          this.dispatch({ type: 'answers', answers: readAnswers(this.#exercises)[effect.task.id] ?? {} })
        })
      case 'write answer':
        return this.#attempt(() => {
          writeAnswer(this.#exercises, effect.task.id, effect.question, effect.text)
          this.#saves?.watcher.acknowledge()
        })
      case 'reveal a hint':
        store.revealHint(lab.id, effect.task.id, effect.task.hints.length)
        return this.#tellProgress()
      case 'show the solution':
        store.recordSolutionShown(lab.id, effect.task.id)
        this.dispatch({ type: 'solution', lines: solutionLines(root, lab, effect.task) })
        return this.#tellProgress()
      case 'put the starting files back':
        return this.#attempt(() => {
          const kept = resetExercises(root, lab, resettable(effect.task)).flatMap(({ backup }) => backup ?? [])
          this.#saves?.watcher.acknowledge()
          const text = kept.length > 0 ? `The starting files are back; yours are kept as ${kept.join(', ')}` : ''
          this.dispatch({ type: 'notice', text: text || 'Nothing had been changed.' })
        })
    }
  }

  /** What goes wrong with a file is said, and harms nothing else. */
  #attempt(action: () => void): void {
    try {
      action()
    } catch (error) {
      if (!(error instanceof AnswerFileError) && !(error as NodeJS.ErrnoException).code) throw error
      this.dispatch({ type: 'notice', text: (error as Error).message })
    }
  }

  #tellProgress(): void {
    this.dispatch({ type: 'progress', progress: this.#options.store.lab(this.#options.lab.id) })
  }

  #demonstrate(): void {
    const { lab, runner } = this.#options
    this.#demonstration?.abort()
    const { signal } = (this.#demonstration = new AbortController())
    const tell = (event: Event) => {
      if (!signal.aborted) this.dispatch(event)
    }
    void runner
      .demonstrate(lab, {
        signal,
        onPhases: phases => tell({ type: 'phases', phases }),
        onLive: live => tell({ type: 'demonstration live', live }),
      })
      .then(outcome => tell({ type: 'demonstrated', outcome }))
  }

  #runCheck(task: Task, asked: boolean): void {
    const { lab, root, store, runner, queue, classroom } = this.#options
    this.#check?.abort()
    const { signal } = (this.#check = new AbortController())
    this.#lockPredictions(task)
    void runner
      .check(lab, task, {
        root,
        mode: 'live',
        failures: store.task(lab.id, task.id).attempts,
        signal,
        queue,
        onEvent: event => {
          if (signal.aborted) return
          if (event.type === 'queued') this.dispatch({ type: 'queued', text: placeText(event.place) })
          else if (event.type === 'not queued') this.dispatch({ type: 'notice', text: event.note })
          else if (event.type === 'started') this.dispatch({ type: 'queued', text: undefined })
          else if (event.type === 'step') this.dispatch({ type: 'steps', steps: event.steps })
          else if (event.type === 'live') this.dispatch({ type: 'live', live: event.live })
        },
      })
      .then(result => {
        if (signal.aborted) return
        if (!result.feedback.broken) store.recordCheck(lab.id, task.id, result.passed, asked)
        classroom?.tell(lab, task, result)
        this.#tellProgress()
        this.dispatch({ type: 'checked', result })
      })
  }

  #lockPredictions(task: Task): void {
    const { lab, store } = this.#options
    this.#attempt(() => store.lockPredictions(lab.id, task, readAnswers(this.#exercises)[task.id] ?? {}))
  }

  /** Looks at the files of the task that is on the screen. */
  #watchTask(): void {
    const task = this.#state.screen === 'task' ? taskOf(this.#state) : undefined
    if (task === this.#saves?.task) return
    this.#saves?.watcher.stop()
    if (!task) {
      this.#saves = undefined
      return
    }
    const files = [...new Set([...task.files, ANSWERS_FILE])]
    this.#options.classroom?.tell(this.#options.lab, task)
    const watcher = watchFiles(this.#exercises, files, saved => this.dispatch({ type: 'saved', files: saved }))
    this.#saves = { task, watcher }
  }
}
