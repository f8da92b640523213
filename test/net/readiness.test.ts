import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { expect } from 'chai'
import { loadLibrary, type NativeFunction, type NativeLibrary } from '../../src/net/libc.ts'
import { readinessProblem, type Watch, watchReadable } from '../../src/net/readiness.ts'
import { heldMemory } from '../support/held-memory.ts'
import { until } from '../support/loopback.ts'
import { PATIENCE_MS } from '../support/patience.ts'

const TSX = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href
const MODULE = fileURLToPath(new URL('../../src/net/readiness.ts', import.meta.url))
const LIBC = fileURLToPath(new URL('../../src/net/libc.ts', import.meta.url))

describe('readiness of descriptors', () => {
  let eventfd: NativeFunction
  let read: NativeFunction
  let write: NativeFunction
  let close: NativeFunction
  const one = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0])
  const eight = Buffer.alloc(8)

  before(function () {
    const problem = readinessProblem()
    if (problem !== undefined) {
      console.log(`      skipped: ${problem}`)
      this.skip()
    }
    const library = loadLibrary(null) as NativeLibrary
    eventfd = library.func('int eventfd(unsigned int count, int flags)')
    read = library.func('int64 read(int fd, void *bytes, size_t length)')
    write = library.func('int64 write(int fd, void *bytes, size_t length)')
    close = library.func('int close(int fd)')
  })

  /** A descriptor of which each `read` takes one from its count (EFD_SEMAPHORE | EFD_NONBLOCK). */
  const counter = (): number => eventfd(0, 0o4001)
  const fds = (): number => readdirSync('/proc/self/fd').length

  it('is told once for each time that something is there, and not when nothing is', async () => {
    const fd = counter()
    let calls = 0
    const watch = watchReadable(fd, {
      onReadable() {
        calls++
        expect(read(fd, eight, 8)).to.equal(8)
      },
      onError: error => expect.fail(String(error)),
    })
    for (let i = 1; i <= 5; i++) {
      write(fd, one, 8)
      await until(() => calls === i)
    }
    await watch.close()
    close(fd)
    expect(calls).to.equal(5)
  })

  it('is not told while that is paused, and then of what has come meanwhile', async () => {
    const [paused, other] = [counter(), counter()]
    const calls = { paused: 0, other: 0 }
    const watchOf = (name: 'paused' | 'other', fd: number): Watch =>
      watchReadable(fd, {
        onReadable() {
          calls[name]++
          read(fd, eight, 8)
        },
        onError: error => expect.fail(String(error)),
      })
    const watches = [watchOf('paused', paused), watchOf('other', other)]
    watches[0].pause()
    watches[0].pause()
    write(paused, one, 8)
    for (let i = 1; i <= 3; i++) {
      write(other, one, 8)
      await until(() => calls.other === i)
    }
    expect(calls.paused).to.equal(0)
    watches[0].resume()
    watches[0].resume()
    await until(() => calls.paused === 1)
    watches[0].pause()
    for (const watch of watches) await watch.close()
    watches[0].resume()
    for (const fd of [paused, other]) close(fd)
  })

  it('is told again of what was left, and others have their turn meanwhile', async () => {
    const busy = counter()
    const quiet = counter()
    const order: string[] = []
    const watches = [
      watchReadable(busy, {
        onReadable() {
          read(busy, eight, 8)
          order.push('busy')
          if (order.length === 3) write(quiet, one, 8)
        },
        onError: error => expect.fail(String(error)),
      }),
      watchReadable(quiet, {
        onReadable() {
          read(quiet, eight, 8)
          order.push('quiet')
        },
        onError: error => expect.fail(String(error)),
      }),
    ]
    write(busy, Buffer.from([100, 0, 0, 0, 0, 0, 0, 0]), 8)
    await until(() => order.length === 101)
    expect(order.indexOf('quiet')).to.be.within(3, 5)
    await Promise.all(watches.map(watch => watch.close()))
    close(busy)
    close(quiet)
  })

  it('serves hundreds of descriptors at once, and keeps none open', async () => {
    const before = fds()
    const made = Array.from({ length: 300 }, () => {
      const fd = counter()
      const entry = { fd, calls: 0, watch: undefined as unknown as Watch }
      entry.watch = watchReadable(fd, {
        onReadable() {
          entry.calls++
          read(fd, eight, 8)
        },
        onError: error => expect.fail(String(error)),
      })
      return entry
    })
    for (const { fd } of made) write(fd, one, 8)
    await until(() => made.every(({ calls }) => calls === 1))
    await Promise.all(made.map(({ watch }) => watch.close()))
    for (const { fd } of made) close(fd)
    await until(() => fds() <= before)
  })

  it('holds no reader whose watch has been closed', async () => {
    const MEGABYTE = 1 << 20
    // More each time, because what was closed first is used again.
    const held = await heldMemory(async round => {
      const watched = Array.from({ length: 10 * (round + 1) }, () => {
        const fd = counter()
        const mine = new Uint8Array(MEGABYTE)
        const onReadable = (): void => void mine.fill(1)
        return { fd, watch: watchReadable(fd, { onReadable, onError: error => expect.fail(String(error)) }) }
      })
      await Promise.all(watched.map(({ watch }) => watch.close()))
      for (const { fd } of watched) close(fd)
    })
    expect(held).to.be.below(5 * MEGABYTE)
  })

  it('ends the watch whose reader throws, and no other', async () => {
    const [bad, good] = [counter(), counter()]
    const errors: unknown[] = []
    let calls = 0
    watchReadable(bad, {
      onReadable() {
        throw new Error('a bug')
      },
      onError: error => errors.push(error),
    })
    const watch = watchReadable(good, {
      onReadable() {
        read(good, eight, 8)
        calls++
      },
      onError: error => errors.push(error),
    })
    write(bad, one, 8)
    write(good, one, 8)
    await until(() => calls === 1 && errors.length === 1)
    write(good, one, 8)
    await until(() => calls === 2)
    expect(errors.map(String)).to.deep.equal(['Error: a bug'])
    await watch.close()
    close(bad)
    close(good)
  })

  it('says that a descriptor is not open', async () => {
    const errors: unknown[] = []
    const watch = watchReadable(1_000_000, { onReadable() {}, onError: error => errors.push(error) })
    // libuv has no handle to close then, and would end the process.
    await watch.close()
    await until(() => errors.length === 1)
    expect(String(errors[0])).to.include('is not open')
  })

  it('gives what a reader has promised its turn before the next descriptor is read', async () => {
    const order: string[] = []
    const watches = ['first', 'second'].map(name => {
      const fd = counter()
      write(fd, one, 8)
      const watch = watchReadable(fd, {
        onReadable() {
          read(fd, eight, 8)
          order.push('read')
          void Promise.resolve().then(() => order.push('kept'))
        },
        onError: error => expect.fail(`${name}: ${error}`),
      })
      return { fd, watch }
    })
    await until(() => order.length === 4)
    expect(order).to.deep.equal(['read', 'kept', 'read', 'kept'])
    for (const { fd, watch } of watches) {
      await watch.close()
      close(fd)
    }
  })

  for (const [how, code] of [
    ['process.exit()', 'process.exit(7)'],
    ['an uncaught error', "throw Object.assign(new Error('end'), { code: 7 })"],
    ['closing its last watch', 'watch.close().then(() => { process.exitCode = 7 })'],
  ]) {
    it(`does not keep a process that ends by ${how}`, () => {
      const program = `
        import { watchReadable } from ${JSON.stringify(pathToFileURL(MODULE).href)}
        import { loadLibrary } from ${JSON.stringify(pathToFileURL(LIBC).href)}
        const fd = loadLibrary(null).func('int eventfd(unsigned int count, int flags)')(0, 0o4000)
        const watch = watchReadable(fd, { onReadable() {}, onError() {} })
        setTimeout(() => { ${code} }, 50)`
      const { status, signal } = spawnSync(process.execPath, ['--import', TSX, '--input-type=module', '-e', program], {
        timeout: PATIENCE_MS,
      })
      expect(signal).to.equal(null)
      expect(status).to.equal(how === 'an uncaught error' ? 1 : 7)
    })
  }
})
