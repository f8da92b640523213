/**
 * What happens at the proxy, told to whoever listens while it happens: the API's Server-Sent Events, and what is made of them.
 *
 * Nobody who listens is waited for, and nothing is kept for them here. Whoever passes events on to a peer that may be slow bounds what
 * waits, and tells how much was left out (api/event-stream.ts).
 */
import type { CapsuleEvent } from '../live/capsule-event.ts'
import type { PacketSample } from '../live/packet-sample.ts'
import type { LinkInfo } from './attached-link.ts'
import type { ClientInfo, ConnectionLogEntry, ServerStatus } from './status.ts'

export type ServerEvent =
  | { readonly type: 'connection'; readonly data: ConnectionLogEntry }
  /** Each second, while somebody listens. */
  | { readonly type: 'status'; readonly data: ServerStatus }
  /** Each second, while somebody listens: the first `EVENT_CLIENTS`. */
  | { readonly type: 'clients'; readonly data: readonly ClientInfo[] }
  /** A sample of the packets. */
  | { readonly type: 'packet'; readonly data: PacketSample }
  | { readonly type: 'capsule'; readonly data: CapsuleEvent }
  /** Where a link emulator is attached: at once when it was changed, and each second while somebody listens. */
  | { readonly type: 'link'; readonly data: LinkInfo }
  /** So many events were not sent to this listener, which did not read. */
  | { readonly type: 'lost'; readonly data: { readonly events: number } }

export type EventType = ServerEvent['type']

/** Those that can be asked for; `lost` comes to everybody whom it concerns. */
export const EVENT_TYPES = [
  'connection',
  'status',
  'clients',
  'packet',
  'capsule',
  'link',
] as const satisfies EventType[]

/** How many clients one event describes. */
export const EVENT_CLIENTS = 100

/** How often what has no moment of its own is told, in ms. */
const PERIOD_MS = 1_000

export type EventListener = (event: ServerEvent, id: number) => void

export interface EventFeedOptions {
  /** What is told each second. Called only while somebody listens. */
  readonly periodic?: () => readonly ServerEvent[]
  /** A listener, or `periodic`, has thrown: a bug of ours, which must not reach what the event was about. */
  readonly onError?: (error: unknown) => void
}

export class EventFeed {
  readonly #periodic: () => readonly ServerEvent[]
  readonly #onError: (error: unknown) => void
  readonly #listeners = new Set<EventListener>()
  #lastId = 0
  #timer: NodeJS.Timeout | undefined

  constructor({ periodic = () => [], onError = () => {} }: EventFeedOptions = {}) {
    this.#periodic = periodic
    this.#onError = onError
  }

  /** Ask this before an event is made, where making it costs something. */
  get listening(): boolean {
    return this.#listeners.size > 0
  }

  /** Of the last event. */
  get lastId(): number {
    return this.#lastId
  }

  /** What is told each second, as it is now. */
  current(): readonly ServerEvent[] {
    return this.#periodic()
  }

  publish(event: ServerEvent): void {
    if (!this.listening) return
    const id = ++this.#lastId
    for (const listener of [...this.#listeners]) this.#guard(() => listener(event, id))
  }

  /** Returns what ends it. */
  subscribe(listener: EventListener): () => void {
    this.#listeners.add(listener)
    this.#timer ??= setInterval(() => this.publishPeriodic(), PERIOD_MS).unref()
    return () => {
      this.#listeners.delete(listener)
      if (!this.listening) this.close()
    }
  }

  /** What is told each second, now. */
  publishPeriodic(): void {
    this.#guard(() => {
      for (const event of this.current()) this.publish(event)
    })
  }

  /** Nobody listens any more. */
  close(): void {
    this.#listeners.clear()
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #guard(step: () => void): void {
    try {
      step()
    } catch (error) {
      this.#onError(error)
    }
  }
}
