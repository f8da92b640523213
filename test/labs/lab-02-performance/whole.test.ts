/** What puts a student's parts into the proxy: with the code of the solution, and with code that means no good, in the real sandbox. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { ROOT } from '../../../labs/kit/lab/registry.ts'
import { openStudentCode, type StudentCode, type StudentObject } from '../../../labs/kit/student-code/student-code.ts'
import { lab } from '../../../labs/lab-02-performance/lab.ts'
import { StudentCarrier } from '../../../labs/lab-02-performance/whole/carrier.ts'
import { BUDGET, PartError, QUEUE, SEARCH } from '../../../labs/lab-02-performance/whole/parts.ts'
import { PumpRunner } from '../../../labs/lab-02-performance/whole/pump.ts'
import { StudentSearch } from '../../../labs/lab-02-performance/whole/search.ts'
import { until } from '../../support/loopback.ts'
import { solutionFolder } from '../grade-lab.ts'

describe('labs/lab-02-performance: parts in the proxy', () => {
  const folder = mkdtempSync(join(tmpdir(), 'masque-whole-'))
  const opened: StudentCode[] = []
  after(async () => {
    await Promise.all(opened.map(code => code.close()))
    rmSync(folder, { recursive: true, force: true })
  })

  const turns = readFileSync(join(ROOT, 'labs', lab.id, 'whole', 'naive', 'turns.ts'), 'utf8')

  function open(exercises: string): StudentCode {
    const code = openStudentCode({ exercises, ours: new Map([['turns.ts', turns]]) })
    opened.push(code)
    return code
  }

  let written = 0
  /** An object of the class that this source exports. */
  async function objectOf(className: string, body: string, ...args: unknown[]): Promise<StudentObject> {
    const file = `part-${++written}.ts`
    writeFileSync(join(folder, file), `export class ${className} { ${body} }`)
    return await open(folder).create(file, className, ...args)
  }

  /** The conversation with a pump of this source. */
  async function pumpOf(body: string): Promise<StudentObject> {
    const own = mkdtempSync(join(folder, 'pump-'))
    writeFileSync(join(own, 'pump.ts'), `export class Pump { ${body} }`)
    return await open(own).create('turns.ts', 'Turns', BUDGET)
  }

  const solution = open(solutionFolder(lab))
  const packet = (byte: number) => Uint8Array.of(byte)
  const errorOf = (work: Promise<unknown>): Promise<unknown> =>
    work.then(
      () => undefined,
      error => error,
    )

  describe('the pump', () => {
    it('moves all packets, those of one queue in order, in turns of at most the budget', async () => {
      const pump = new PumpRunner(await solution.create('turns.ts', 'Turns', BUDGET))
      const passed: number[][] = [[], []]
      for (const list of passed) pump.add(async packets => packets.map(bytes => () => void list.push(bytes[0])))
      const all = Array.from({ length: 40 }, (_, i) => i)
      for (const i of all) {
        expect(pump.offer(0, packet(i))).to.equal(true)
        expect(pump.offer(1, packet(i))).to.equal(true)
      }
      const running = pump.run()
      await until(() => passed.every(list => list.length === all.length))
      expect(pump.offer(0, packet(99))).to.equal(true)
      await until(() => passed[0].includes(99))
      pump.stop()
      await running
      expect(passed).to.deep.equal([[...all, 99], all])
      const figures = pump.takeFigures()
      expect(figures).to.deep.include({ passed: [41, 40], lost: [0, 0], longestTurn: BUDGET })
      expect(figures.turns).to.be.within(6, 8)
      expect(pump.takeFigures()).to.deep.equal({ passed: [0, 0], lost: [0, 0], turns: 0, longestTurn: 0 })
    })

    it('keeps what a queue holds, and no more', async () => {
      const pump = new PumpRunner(await solution.create('turns.ts', 'Turns', BUDGET))
      pump.add(async packets => packets.map(() => () => {}))
      const taken = Array.from({ length: QUEUE + 3 }, (_, i) => pump.offer(0, packet(i)))
      expect(taken.filter(Boolean)).to.have.length(QUEUE)
      expect(pump.takeFigures().lost).to.deep.equal([3])
    })

    for (const [what, body, says] of [
      ['never sleeps', "step() { return { type: 'yield' } }", 'in which it moved nothing'],
      ['reads without end what is empty', "step() { return { type: 'read', queue: 0 } }", 'reads that gave nothing'],
      ['reads a queue that is not there', "step() { return { type: 'read', queue: 7 } }", '{ type: "read", queue: 7 }'],
      ['reads a queue by its name', "step() { return { type: 'read', queue: 'constructor' } }", '"constructor"'],
      ['returns nothing', 'step() {}', 'undefined'],
    ] as const) {
      it(`ends for a pump that ${what}, and says so`, async () => {
        const pump = new PumpRunner(await pumpOf(body))
        pump.add(async packets => packets.map(() => () => {}))
        const error = await errorOf(pump.run())
        expect(error).to.be.instanceOf(PartError)
        expect((error as PartError).failure.found).to.include(says)
      })
    }

    it('rejects with what a pump throws, and with what a sender throws', async () => {
      const throwing = new PumpRunner(await pumpOf("step() { throw new Error('no') }"))
      expect(await errorOf(throwing.run())).to.include({ name: 'StudentError', message: 'no' })
      const pump = new PumpRunner(await solution.create('turns.ts', 'Turns', BUDGET))
      pump.add(() => Promise.reject(new PartError({ expected: '', found: 'a sender that cannot go on' })))
      pump.offer(0, packet(1))
      expect(await errorOf(pump.run())).to.include({ message: 'a sender that cannot go on' })
    })
  })

  describe('the sender', () => {
    /** What a connection is asked to do. */
    function connection(maxDatagramLength = 1200) {
      const asked: unknown[] = []
      const note =
        <T>(name: string, result: T) =>
        (...args: unknown[]): T => {
          asked.push([name, ...args])
          return result
        }
      return {
        asked,
        id: 'one',
        quic: {
          closed: false,
          maxDatagramLength,
          pathMtuSettled: true,
          streamBuffered: () => 0,
          canOpenStream: () => true,
          sendDatagram: note('datagram', 'sent'),
          streamSend: note('write', undefined),
        },
        h3: { openExtensionStream: note('open', 15), sendRaw: note('raw', undefined) },
        flush() {},
      }
    }

    /** Sends one packet through a sender of this source; returns what QUIC was asked for, or why the sender cannot go on. */
    async function send(body: string, bytes = packet(0x45)): Promise<{ asked: unknown[]; error: unknown }> {
      const file = `sender-${++written}.ts`
      writeFileSync(join(folder, file), `export class PacketSender { ${body} }`)
      const code = open(folder)
      const sender = {
        ...code,
        create: (_: string, name: string, ...args: unknown[]) => code.create(file, name, ...args),
      }
      return await sendBy(sender as StudentCode, bytes)
    }

    async function sendBy(sender: StudentCode, bytes: Uint8Array) {
      const to = connection()
      const pump = new PumpRunner(await solution.create('turns.ts', 'Turns', BUDGET))
      const options = { inner: {}, connection: to, streamId: 0, parts: { sender }, pump }
      const carrier = new StudentCarrier(options as unknown as ConstructorParameters<typeof StudentCarrier>[0])
      expect(carrier.sendPacket(bytes)).to.equal('sent')
      bytes.fill(0xff) // Whoever sends a packet may use its bytes again.
      let error: unknown
      const running = pump.run().catch(one => {
        error = one
      })
      await until(() => to.asked.length > 0 || error !== undefined)
      pump.stop()
      await running
      return { asked: to.asked, error }
    }

    it('puts a packet into a datagram as the solution says', async () => {
      const { asked } = await sendBy(solution, Uint8Array.of(0x45, 1, 2))
      expect(asked).to.deep.equal([['datagram', Uint8Array.of(0, 0, 0x45, 1, 2)]])
    })

    it('opens streams of the type that is for packets', async () => {
      const actions = `[{ type: 'open-stream', stream: 3, streamType: 0x4d51 }, { type: 'write', stream: 3, data: packet, fin: true }]`
      const { asked } = await send(`sendPacket(packet) { return ${actions} }`)
      expect(asked).to.deep.equal([
        ['open', 0x4d51],
        ['raw', 15, Uint8Array.of(0x45), true],
      ])
    })

    for (const [what, actions] of [
      ['another type of stream, on which HTTP/3 would end', "[{ type: 'open-stream', stream: 0, streamType: 0 }]"],
      ['more bytes than a packet has', "[{ type: 'datagram', data: new Uint8Array(5000) }]"],
      ['what are no bytes', "[{ type: 'datagram', data: [1, 2] }]"],
      ['more actions than a packet needs', "Array.from({ length: 9 }, () => ({ type: 'drop' }))"],
      ['an action that is none', '[null]'],
      ['no list', "'datagram'"],
    ]) {
      it(`ends for a sender that asks for ${what}`, async () => {
        const { asked, error } = await send(`sendPacket() { return ${actions} }`)
        expect(asked).to.deep.equal([])
        expect(error).to.be.instanceOf(PartError)
      })
    }
  })

  describe('the search', () => {
    function search(create: () => Promise<StudentObject>, max = 1452) {
      const failures: unknown[] = []
      const it = new StudentSearch({ max, create, failed: error => failures.push(error) })
      return { it, failures }
    }

    /** As QUIC does: sends the probe that is due, and hears what becomes of it. */
    async function play(it: StudentSearch, path: number): Promise<number[]> {
      const sizes: number[] = []
      await until(() => {
        const size = it.settled ? undefined : it.nextProbe(performance.now())
        if (size === undefined) return it.settled
        sizes.push(size)
        if (size <= path) it.onProbeAcked()
        else it.onProbeLost()
        return false
      })
      return sizes
    }

    it('finds what the path carries with the search of the solution', async () => {
      const options = { ...SEARCH, max: 1452, probeTimeoutMs: 1 }
      const { it: found, failures } = search(() => solution.create('path-mtu.ts', 'PathMtuSearch', options))
      expect(found.size).to.equal(SEARCH.base)
      const sizes = await play(found, 1333)
      expect(found.size).to.be.within(1333 - SEARCH.granularity + 1, 1333)
      expect(found.dueAt).to.equal(undefined)
      expect(sizes.filter(size => size > 1333)).to.have.length.of.at.least(SEARCH.maxProbes)
      expect(failures).to.deep.equal([])
    })

    for (const [what, body] of [
      ['a size above the largest', 'confirmed = 1453; next() { return { type: "done" } }'],
      ['a size that is none', 'confirmed = NaN; next() { return { type: "done" } }'],
      ['a probe below the base', 'confirmed = 1200; next() { return { type: "probe", size: 0 } }'],
      ['a wait without an end', 'confirmed = 1200; next() { return { type: "wait", untilMs: Infinity } }'],
      ['nothing', 'confirmed = 1200; next() {}'],
    ]) {
      it(`ends for a search that says ${what}, and stays at what every path carries`, async () => {
        const { it: found, failures } = search(() => objectOf('PathMtuSearch', body))
        await until(() => failures.length > 0)
        expect(failures[0]).to.be.instanceOf(PartError)
        expect(found.size).to.equal(SEARCH.base)
        expect(found.settled).to.equal(true)
        expect(found.nextProbe(performance.now())).to.equal(undefined)
      })
    }
  })
})
