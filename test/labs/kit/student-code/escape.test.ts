/** Ways to the objects of the process itself that once led to a socket, and their siblings. */
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { exerciseFolder, type Folder } from './sandbox-folder.ts'

/** TypeScript of a submission: `hunt` looks through what was caught for a socket, and has it connect. */
const HUNTER = `
  const caught = new Set<unknown>()
  const { add } = Set.prototype
  const { apply, defineProperty } = Reflect
  const keep = (value: unknown) => { apply(add, caught, [value]) }
  const ways: [object, PropertyKey][] = []
  const wayOut = (object: object, key: PropertyKey) => {
    try {
      ways[ways.length] = [object, key]
      defineProperty(object, key, { configurable: true, get() { keep(this) }, set(value) {
        keep(this)
        keep(value)
        defineProperty(this, key, { value, writable: true, enumerable: true, configurable: true })
      } })
    } catch { }
  }
  const seen = new Set<unknown>()
  let connected = 0
  const at = (object: any, key: PropertyKey) => { try { return object[key] } catch { return undefined } }
  /** Looks for whatever can connect: in a value, its prototypes, and all that hangs below it. */
  function look(value: any, depth: number): void {
    if ((typeof value !== 'object' && typeof value !== 'function') || value === null || seen.has(value) || depth > 6) return
    if (seen.size > 20000) return
    seen.add(value)
    if (typeof at(value, 'connect') === 'function' && typeof at(value, 'on') === 'function') {
      for (const target of targets) {
        try { new value.constructor().on('error', () => {}).connect(target); connected++ } catch { }
      }
    }
    for (const key of Reflect.ownKeys(value)) look(at(value, key), depth + 1)
    look(Object.getPrototypeOf(value), depth + 1)
  }
  let targets: unknown[] = []
  export async function hunt(ports: unknown[]) {
    targets = ports
    await new Promise(resolve => setTimeout(resolve, 50))
    for (const [object, key] of ways.splice(0)) Reflect.deleteProperty(object, key)
    for (const thing of [...caught]) look(thing, 0)
    await new Promise(resolve => setTimeout(resolve, 200))
    return connected
  }
`

const ATTACKS: Readonly<Record<string, string>> = {
  'setters of Array.prototype': `for (let i = 0; i < 8; i++) wayOut(Array.prototype, i)`,
  'setters and getters of Object.prototype': `
    for (const name of ['handle', '_handle', 'fd', 'signal', 'context', 'oncomplete', 'buffer', 'error', 'value', 'domain', 'set'])
      wayOut(Object.prototype, name)`,
  'methods that see their caller': `
    for (const { prototype } of [Array, Map, Set, WeakMap, Promise, Function, Buffer, RegExp, String, Uint8Array, EventTarget] as any[])
      for (const name of Reflect.ownKeys(prototype)) {
        const method = at(prototype, name)
        if (typeof method !== 'function' || name === 'constructor') continue
        try { prototype[name] = function (...args: unknown[]) { keep(this); keep(args); return apply(method, this, args) } } catch { }
      }`,
  iterators: `
    for (const iterator of [[].values(), new Map().keys(), new Set().keys(), ''[Symbol.iterator](), 'a'.matchAll(/a/g)]) {
      const prototype = Object.getPrototypeOf(iterator), { next } = prototype
      try { prototype.next = function () { keep(this); const one = next.call(this); keep(one.value); return one } } catch { }
    }`,
  'the stack of an error': `
    const prepare = (_: unknown, sites: any[]) => { for (const site of sites) { keep(site.getThis()); keep(site.getFunction()) } }
    try { (Error as any).prepareStackTrace = prepare } catch { }
    try { (globalThis as any).Error = { prepareStackTrace: prepare } } catch { }
    keep(new Error('x').stack)`,
  'timers and their lists': `
    const timer: any = setTimeout(() => {}, 10), immediate: any = setImmediate(() => {})
    for (const one of [timer, immediate]) { keep(one); wayOut(Object.getPrototypeOf(one), '_onTimeout'); wayOut(Object.getPrototypeOf(one), '_idleNext') }`,
  'what process still has': `
    keep(process); keep(console)
    for (const name of ['stdin', 'stdout', 'stderr', '_getActiveHandles', '_events']) keep(at(process, name))
    try { for (const handle of (process as any)._getActiveHandles()) keep(handle) } catch { }`,
  'who called a function': `
    const sloppy = Function('keep', 'for (let f = arguments.callee, n = 0; f && n < 20; f = f.caller, n++) { keep(f); try { keep(f.arguments) } catch {} }')
    sloppy(keep)`,
  'modules that were imported': `
    import assert from 'node:assert'
    import buffer from 'node:buffer'
    import util from 'node:util'
    for (const module of [assert, buffer, util]) keep(module)
    keep(new AbortController().signal)
    keep(new buffer.Blob(['x']).stream())`,
}

describe('student code that hunts for a socket', () => {
  let folder: Folder
  let sockets: string
  let servers: Server[]
  let connections: string[]
  beforeEach(async () => {
    folder = exerciseFolder()
    sockets = mkdtempSync(join(tmpdir(), 'masque-sockets-'))
    connections = []
    const listen = (what: string, where: { port: number; host: string } | { path: string }) =>
      new Promise<Server>(resolve => {
        const server = createServer(socket => {
          connections.push(what)
          socket.destroy()
        })
        server.listen(where, () => resolve(server))
      })
    servers = [
      await listen('TCP', { port: 0, host: '127.0.0.1' }),
      await listen('Unix', { path: join(sockets, 'socket') }),
    ]
  })
  afterEach(async () => {
    for (const server of servers) server.close()
    await folder.remove()
    rmSync(sockets, { recursive: true, force: true })
  })

  for (const [what, code] of Object.entries(ATTACKS)) {
    it(`finds none by ${what}`, async () => {
      folder.write('a.ts', `${HUNTER}\n${code}`)
      const { port } = servers[0].address() as { port: number }
      const student = folder.open()
      const targets = [{ port, host: '127.0.0.1' }, { path: join(sockets, 'socket') }]
      for (let i = 0; i < 2; i++) expect(await student.call('a.ts', 'hunt', targets)).to.equal(0)
      expect(connections).to.deep.equal([])
    })
  }

  it('may do what built-in objects that cannot be changed are careless about: name its own things as they do', async () => {
    folder.write(
      'a.ts',
      `class MalformedError extends Error {
         constructor(message: string) { super(message); this.name = 'MalformedError'; this.message = message + '!' }
       }
       class Table extends Map<string, number> { constructor() { super(); (this as any).get = () => 7 } }
       class Stack extends Array<number> { constructor() { super(); (this as any).push = () => 8 } }
       class Field { toString = () => 'field' }
       export function f() {
         const error = new MalformedError('x')
         const words: Record<string, number> = {}
         for (const word of ['toString', 'valueOf', 'hasOwnProperty', 'length', 'name']) words[word] = 1
         const old: any = function () {}
         old.call = 5
         old.prototype.toString = () => 'old'
         const copy = Object.assign(Object.create(Error.prototype), { message: 'copied', toString: () => 'copy' })
         return [error.name, error.message, String(error), new Table().get('a'), new Stack().push(1), String(new Field()), words,
           old.call, String(new old()), String(copy), error instanceof MalformedError, Object.keys(words).length]
       }
       export const print = () => { console.log([1], new Map([[1, 2]]), new TypeError('t').name) }
       export const refuse = () => { throw new MalformedError('y') }`,
    )
    const code = folder.open()
    expect(await code.call('a.ts', 'f')).to.deep.equal([
      ...['MalformedError', 'x!', 'MalformedError: x!', 7, 8, 'field'],
      { toString: 1, valueOf: 1, hasOwnProperty: 1, length: 1, name: 1 },
      ...[5, 'old', 'copy', true, 5],
    ])
    const [printed] = await code.batch('a.ts', 'print', [[]])
    expect(printed).to.deep.equal({ ok: true, value: undefined, output: '[ 1 ] Map(1) { 1 => 2 } TypeError\n' })
    const [refused] = await code.batch('a.ts', 'refuse', [[]])
    expect(refused?.ok === false && refused.error.message).to.equal('y!')
  })
})
