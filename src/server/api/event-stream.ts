/**
 * Server-Sent Events (HTML Standard §9.2): the event feed, for whoever asks at /api/v1/events.
 *
 *     event: connection
 *     id: 17
 *     data: {"seq":5,"at":"2026-01-01T00:00:00.000Z","event":"connected",…}
 *
 * Each event is turned into text once, and what happens within a moment is written to a listener at once: the proxy does not notice a
 * hundred of them. A listener that does not read loses events, and hears how many; it never takes more memory than its bound.
 */
import type { Request, Response } from 'express'
import type { EventFeed, EventType, ServerEvent } from '../event-feed.ts'
import { isLoopback, networkOf, remoteAddress } from './addresses.ts'
import { KeptAnswers } from './kept-answers.ts'

export const EVENT_STREAM_LIMITS = {
  /** Listeners at once. */
  listeners: 128,
  /** Of one address; of a loopback one, where a whole class may sit on one machine. */
  perAddress: 16,
  perLoopbackAddress: 100,
  /** Bytes that wait for one listener, beside what the system keeps for its socket. */
  waitingBytes: 256 * 1024,
  /** Events that wait to be written to all, for the moment that they are gathered; and their characters. */
  gathered: 1000,
  gatheredText: 512 * 1024,
  /** How long a listener may have no room for events before it is given up, in ms. */
  stalledMs: 60_000,
} as const

/** How long events are gathered, in ms. */
const GATHER_MS = 50
/** So often a line that means nothing keeps the connection from looking dead, to both ends and to what is between them, in ms. */
const COMMENT_MS = 15_000
/** What a browser waits before it comes again, in ms. */
const RETRY_MS = 2_000

/** What somebody gets who does not say which events. Packets and capsules are many. */
export const DEFAULT_EVENT_TYPES = ['connection', 'status', 'clients'] as const satisfies EventType[]

interface Listener {
  readonly response: Response
  readonly address: string
  readonly types: ReadonlySet<EventType>
  /** The same as text: listeners that want the same share what is written. */
  readonly key: string
  lost: number
  /** Since when there is no room; undefined: there is. */
  stalledSince: number | undefined
}

interface Gathered {
  readonly type: EventType
  readonly text: string
}

export class EventStreams {
  readonly #feed: EventFeed
  readonly #now: () => number
  readonly #listeners = new Set<Listener>()
  /** By the types that are wanted, of which there are few. */
  readonly #currents: KeptAnswers
  #gathered: Gathered[] = []
  #gatheredText = 0
  /** By type: nobody hears that something is missing which he has not asked for. */
  readonly #leftOut = new Map<EventType, number>()
  #gatherTimer: NodeJS.Timeout | undefined
  #commentTimer: NodeJS.Timeout | undefined
  #unsubscribe: (() => void) | undefined

  /** `now` gives milliseconds that never go back. */
  constructor(feed: EventFeed, now: () => number = () => performance.now()) {
    this.#feed = feed
    this.#now = now
    this.#currents = new KeptAnswers(now)
  }

  get listeners(): number {
    return this.#listeners.size
  }

  /** Why there is no place for one more listener from there; undefined: there is one. */
  fullness(request: Request): string | undefined {
    const address = remoteAddress(request)
    const { listeners, perAddress, perLoopbackAddress } = EVENT_STREAM_LIMITS
    const most = isLoopback(address) ? perLoopbackAddress : perAddress
    const network = networkOf(address)
    const ofAddress = [...this.#listeners].filter(listener => listener.address === network)
    if (ofAddress.length >= most && !this.#makeRoom(ofAddress)) return `${most} listeners from this address`
    if (this.#listeners.size >= listeners && !this.#makeRoom([...this.#listeners])) return `${listeners} listeners`
    return undefined
  }

  /** Answers the request with events of these types, until either side ends it. */
  open(request: Request, response: Response, types: readonly EventType[]): void {
    response.status(200).set({ 'Content-Type': 'text/event-stream; charset=utf-8' })
    if (request.method === 'HEAD') {
      response.end()
      return
    }
    const listener: Listener = {
      response,
      address: networkOf(remoteAddress(request)),
      types: new Set(types),
      key: [...types].sort().join(),
      lost: 0,
      stalledSince: undefined,
    }
    this.#listeners.add(listener)
    response.once('close', () => this.#forget(listener))
    this.#unsubscribe ??= this.#feed.subscribe((event, id) => this.#gather(event, id))
    this.#commentTimer ??= setInterval(() => this.#comment(), COMMENT_MS).unref()
    response.flushHeaders()
    // What there is now, so that nobody waits a second for the first picture.
    response.write(`retry: ${RETRY_MS}\n\n${this.#current(listener)}`)
  }

  /** Made once for all who come while it is not much older than it took to make: a hundred at once cost as much as one. */
  #current({ key, types }: Listener): string {
    const make = (): string => {
      const now = this.#feed.current().filter(({ type }) => types.has(type))
      return now.map(event => toText(event, this.#feed.lastId)).join('')
    }
    return this.#currents.get(key, make) as string
  }

  /** Of those that do not read, the one that has not for the longest time goes. False when all do. */
  #makeRoom(listeners: readonly Listener[]): boolean {
    const stalled = listeners.filter(({ stalledSince }) => stalledSince !== undefined)
    const [first] = stalled.sort((a, b) => (a.stalledSince as number) - (b.stalledSince as number))
    if (first === undefined) return false
    this.#giveUp(first)
    return true
  }

  #gather(event: ServerEvent, id: number): void {
    const { gathered, gatheredText } = EVENT_STREAM_LIMITS
    if (this.#gathered.length >= gathered || this.#gatheredText >= gatheredText) {
      this.#leftOut.set(event.type, (this.#leftOut.get(event.type) ?? 0) + 1)
      return
    }
    const text = toText(event, id)
    this.#gathered.push({ type: event.type, text })
    this.#gatheredText += text.length
    this.#gatherTimer ??= setTimeout(() => this.#write(), GATHER_MS).unref()
  }

  #write(): void {
    const gathered = this.#gathered
    const leftOut = [...this.#leftOut]
    this.#gathered = []
    this.#gatheredText = 0
    this.#leftOut.clear()
    this.#gatherTimer = undefined
    const texts = new Map<string, { text: string; events: number; leftOut: number }>()
    for (const listener of [...this.#listeners]) {
      let wanted = texts.get(listener.key)
      if (wanted === undefined) {
        const events = gathered.filter(({ type }) => listener.types.has(type))
        const counts = leftOut.map(([type, count]) => (listener.types.has(type) ? count : 0))
        wanted = {
          text: events.map(({ text }) => text).join(''),
          events: events.length,
          leftOut: counts.reduce((sum, count) => sum + count, 0),
        }
        texts.set(listener.key, wanted)
      }
      listener.lost += wanted.leftOut
      this.#send(listener, wanted.text, wanted.events)
    }
  }

  #send(listener: Listener, text: string, events: number): void {
    const { response } = listener
    if (response.writableLength > EVENT_STREAM_LIMITS.waitingBytes) {
      listener.lost += events
      const now = this.#now()
      listener.stalledSince ??= now
      if (now - listener.stalledSince >= EVENT_STREAM_LIMITS.stalledMs) this.#giveUp(listener)
      return
    }
    listener.stalledSince = undefined
    const lost = listener.lost
    listener.lost = 0
    const before = lost === 0 ? '' : toText({ type: 'lost', data: { events: lost } }, this.#feed.lastId)
    if (before !== '' || text !== '') response.write(before + text)
  }

  #comment(): void {
    for (const listener of [...this.#listeners]) this.#send(listener, ': nothing new\n\n', 0)
  }

  #giveUp(listener: Listener): void {
    this.#forget(listener)
    listener.response.destroy()
  }

  #forget(listener: Listener): void {
    this.#listeners.delete(listener)
    if (this.#listeners.size > 0) return
    this.#unsubscribe?.()
    clearTimeout(this.#gatherTimer)
    clearInterval(this.#commentTimer)
    this.#unsubscribe = this.#gatherTimer = this.#commentTimer = undefined
    this.#gathered = []
    this.#gatheredText = 0
    this.#leftOut.clear()
  }
}

function toText({ type, data }: ServerEvent, id: number): string {
  return `event: ${type}\nid: ${id}\ndata: ${JSON.stringify(data)}\n\n`
}
