/**
 * Makes any method of any class of the program throw, for one connection and nobody else.
 *
 * Which methods there are is read off the classes' prototypes, so that a new one is among them without being named anywhere. For
 * whom a method is being called follows from where the call comes from: from a packet of the connection's UDP port, from its
 * turn, or from a timer or promise that began there (AsyncLocalStorage passes that on).
 */

import { AsyncLocalStorage } from 'node:async_hooks'
import { Socket } from 'node:dgram'
import { readdirSync } from 'node:fs'
import { DrivenConnection } from '../../src/quic/connection.ts'
import { Inbox, type OnWaiting } from '../../src/quic/inbox.ts'
import type { PacketSocket } from '../../src/quic/io.ts'
import { betweenSocketsAndOwners } from './quic-sockets.ts'
import { quiche } from './quiche.ts'

const SRC = new URL('../../src/', import.meta.url)

/** One client's connection, of which one end is to fail. */
export class Victim {
  readonly ends: Record<Side, End>
  readonly target: Target | undefined
  readonly #sockets: PacketSocket[] = []

  /** Without a target nothing throws, and calls are only written down. */
  constructor(target?: Target) {
    this.target = target
    const end = (side: Side): End => ({
      victim: this,
      side,
      target: target?.side === side ? target.method : undefined,
      called: new Set(),
      thrown: 0,
    })
    this.ends = { server: end('server'), client: end('client') }
  }

  /** How often the target was called, and threw. */
  get thrown(): number {
    return this.ends.server.thrown + this.ends.client.thrown
  }

  opened(socket: PacketSocket): void {
    this.#sockets.push(socket)
  }

  /** The client's machine is switched off. */
  vanish(): void {
    for (const socket of this.#sockets) socket.close().catch(() => {})
  }

  /** Runs what the client does: its socket, and so both ends of its connection, are this victim's. */
  run<T>(what: () => T): T {
    return running.run(this.ends.client, what)
  }
}

export type Side = 'server' | 'client'

export interface Target {
  readonly side: Side
  /** Such as `H3Connection.respond`. */
  readonly method: string
}

interface End {
  readonly victim: Victim
  readonly side: Side
  readonly target: string | undefined
  readonly called: Set<string>
  thrown: number
}

const running = new AsyncLocalStorage<End | undefined>()
/** By the client's UDP port. */
const victims = new Map<number, Victim>()
/** Objects that belong to one connection are known by who used them first. */
const owners = new WeakMap<object, End | 'nobody'>()

/** Every class that the modules in these folders of src/ export, and the two that do the work below: quiche's and the socket. */
export async function classesOf(folders: readonly string[]): Promise<Map<string, object>> {
  const classes = new Map<string, object>([['Socket', Socket.prototype]])
  if (quiche !== undefined) {
    classes.set('quiche.Connection', (quiche.Connection as unknown as { prototype: object }).prototype)
  }
  for (const folder of folders) {
    const files = readdirSync(new URL(folder, SRC), { recursive: true }) as string[]
    // A thread's own program is no module for anybody else.
    for (const file of files.filter(name => name.endsWith('.ts') && !name.endsWith('-thread.ts'))) {
      if (quiche === undefined && /^quiche[\\/]/.test(file)) continue
      const module = await import(new URL(`${folder}/${file}`, SRC).href)
      for (const [name, value] of Object.entries(module)) {
        const prototype = typeof value === 'function' ? value.prototype : undefined
        if (prototype !== undefined && !(prototype instanceof Error)) classes.set(name, prototype)
      }
    }
  }
  return classes
}

/** Puts a switch before every method and accessor. Returns the function that takes them out again. */
export function install(classes: ReadonlyMap<string, object>, ofOneConnection: ReadonlySet<string>): () => void {
  const originals: [object, string, PropertyDescriptor][] = []
  for (const [className, prototype] of classes) {
    for (const [name, property] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
      if (name === 'constructor' || property.configurable !== true) continue
      const key = `${className}.${name}`
      const guarded = <F extends (...args: never[]) => unknown>(original: F): F =>
        function (this: object, ...args: never[]) {
          strike(key, ofOneConnection.has(className) ? this : undefined)
          return original.apply(this, args)
        } as unknown as F
      const replaced =
        typeof property.value === 'function'
          ? { ...property, value: guarded(property.value) }
          : property.get !== undefined
            ? { ...property, get: guarded(property.get) }
            : undefined
      if (replaced === undefined) continue
      originals.push([prototype, name, property])
      Object.defineProperty(prototype, name, replaced)
    }
  }
  const { connect } = Socket.prototype
  Socket.prototype.connect = function (this: Socket, ...args: never[]) {
    const victim = running.getStore()?.victim
    if (victim !== undefined) victims.set(this.address().port, victim)
    return (connect as (...args: never[]) => void).apply(this, args)
  } as typeof connect
  const ofPacket = (from: number, to: number): End | undefined =>
    victims.get(from)?.ends.server ?? victims.get(to)?.ends.client
  const takeOut = betweenSocketsAndOwners((socket, events) => {
    running.getStore()?.victim.opened(socket)
    return {
      onPacket: (packet, host, port, ecn) =>
        running.run(ofPacket(port, socket.local.port), () => events.onPacket(packet, host, port, ecn)),
      onError: error => events.onError(error),
    }
  })
  // One that had to wait is read in the turn of anybody.
  const serve = Inbox.prototype.serve
  Inbox.prototype.serve = function (this: Inbox, most: number, onPacket: OnWaiting) {
    return serve.call(this, most, (packet, local, host, port, ecn) =>
      running.run(ofPacket(port, local.port), () => onPacket(packet, local, host, port, ecn)),
    )
  }
  const turn = DrivenConnection.prototype.turn
  DrivenConnection.prototype.turn = function (this: DrivenConnection, most?: number) {
    const end = this.role === 'server' ? victims.get(this.remote.port)?.ends.server : running.getStore()
    return running.run(end, () => turn.call(this, most))
  }
  return () => {
    Object.assign(Socket.prototype, { connect })
    takeOut()
    DrivenConnection.prototype.turn = turn
    Inbox.prototype.serve = serve
    for (const [prototype, name, property] of originals) Object.defineProperty(prototype, name, property)
    victims.clear()
  }
}

function strike(key: string, object: object | undefined): void {
  let end = running.getStore()
  if (object !== undefined) {
    const owner = owners.get(object)
    if (owner === undefined) owners.set(object, end ?? 'nobody')
    // A bystander's stays sound, whoever calls it.
    else end = owner === 'nobody' ? undefined : owner
  }
  if (end === undefined) return
  end.called.add(key)
  if (end.target !== key) return
  end.thrown++
  throw new Error(`chaos: ${key}`)
}

/** What would have ended the process, from now on. */
export function listenForEscapes(): { errors: string[]; stop(): void } {
  const errors: string[] = []
  const note = (error: unknown): void => void errors.push(String(error instanceof Error ? error.stack : error))
  const events = ['uncaughtException', 'unhandledRejection'] as const
  const mochas = events.map(event => process.listeners(event as 'uncaughtException'))
  for (const event of events) process.removeAllListeners(event).on(event, note)
  return {
    errors,
    stop() {
      for (const [i, event] of events.entries()) {
        process.removeListener(event, note)
        for (const listener of mochas[i]) process.on(event, listener)
      }
    },
  }
}
