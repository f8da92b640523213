import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import fc from 'fast-check'
import type { CheckFailure } from '../../../labs/kit/check/check-failure.ts'
import { lab } from '../../../labs/lab-05-congestion/lab.ts'
import { NewRenoModel, QUIRKS, type Quirk, type Told } from '../../../labs/lab-05-congestion/new-reno-model.ts'
import { Players } from '../../../labs/lab-05-congestion/player.ts'
import {
  loaded,
  played,
  RemoteController,
  StudentControllers,
} from '../../../labs/lab-05-congestion/remote-controller.ts'
import { NewReno } from '../../../src/quic/typescript/recovery/congestion/new-reno.ts'
import { Rtt } from '../../../src/quic/typescript/recovery/rtt.ts'
import { SentPacket } from '../../../src/quic/typescript/recovery/sent-packet.ts'
import { Scratch } from '../grade-lab.ts'

const SIZE = 1200

const SAMPLE = { rate: 1, isAppLimited: false, delivered: 1, priorDelivered: 0, acked: 1, lost: 0, rttMs: 20 }

/** Calls as time goes on. */
const courses = fc.array(
  fc.record({
    call: fc.constantFrom('acked', 'acked', 'acked', 'congestion', 'persistentCongestion', 'datagramSize'),
    bytes: fc.integer({ min: 40, max: SIZE }),
    ago: fc.integer({ min: 0, max: 100 }),
    isWindowUsed: fc.boolean(),
  }),
  { maxLength: 200 },
)

function told(course: { call: string; bytes: number; ago: number; isWindowUsed: boolean }[]): Told[] {
  return course.map(({ call, bytes, ago, isWindowUsed }, now) => {
    return { call, bytes: call === 'datagramSize' ? bytes + SIZE : bytes, sentAt: now - ago, isWindowUsed, now } as Told
  })
}

describe('labs/lab-05-congestion: the model of NewReno', () => {
  it('is the NewReno of the engine', () => {
    fc.assert(
      fc.property(courses, course => {
        const calls = told(course)
        const engines = new NewReno({ datagramSize: SIZE, rtt: new Rtt(), random: () => 0 })
        const found = calls.map(one => {
          if (one.call === 'acked')
            engines.onAcked(new SentPacket(2, 0, one.sentAt, one.bytes, true, true), one.isWindowUsed)
          else if (one.call === 'congestion') engines.onCongestion(one.sentAt, one.bytes, one.now)
          else if (one.call === 'persistentCongestion') engines.onPersistentCongestion()
          else engines.onDatagramSize(one.bytes)
          return { window: engines.window, slowStartThreshold: engines.slowStartThreshold }
        })
        expect(new NewRenoModel(SIZE).play(calls)).to.deep.equal(found)
      }),
    )
  })

  it('is another one with each quirk', () => {
    const calls: Told[] = []
    // Slow start, losses, avoidance, all that there is.
    for (let now = 0; now < 3000; now++) {
      const at = { now, sentAt: now - 50, bytes: now % 7 === 0 ? 800 : SIZE }
      if (now % 700 === 40) calls.push({ call: 'congestion', ...at })
      if (now % 700 === 50) calls.push({ call: 'congestion', ...at })
      if (now === 1450) calls.push({ call: 'persistentCongestion', now })
      if (now === 2000) calls.push({ call: 'datagramSize', bytes: 1400 })
      calls.push({ call: 'acked', ...at, isWindowUsed: now % 11 !== 0 })
    }
    for (let now = 3000; now < 4000; now += 100) calls.push({ call: 'congestion', now, sentAt: now - 50, bytes: SIZE })
    const right = JSON.stringify(new NewRenoModel(SIZE).play(calls))
    const other = (quirk: Quirk) => JSON.stringify(new NewRenoModel(SIZE, quirk).play(calls)) !== right
    expect((Object.keys(QUIRKS) as Quirk[]).filter(quirk => !other(quirk))).to.deep.equal([])
  })
})

function controllersOf(players: Players, onAsk: () => void = () => {}): StudentControllers {
  const call = async (method: string, ...args: never[]) => {
    onAsk()
    return (players[method as 'add'] as (...args: never[]) => unknown).apply(players, args)
  }
  return new StudentControllers({ call } as never)
}

describe('labs/lab-05-congestion: a controller in another process', () => {
  it('is told the same, and wants the same, as in this one', async () => {
    const options = { datagramSize: SIZE, rtt: new Rtt(), random: () => 0 }
    const near = new NewReno(options)
    const far = (await controllersOf(new Players(given => new NewReno(given))).add(SIZE)).begin(options)
    for (let now = 0; now < 400; now++) {
      const packet = new SentPacket(2, now, now, SIZE - (now % 5), true, true)
      for (const controller of [near, far]) {
        controller.onSent(packet, SIZE, now)
        controller.onAcked(packet, now % 3 > 0, now + 20)
        if (controller === far) far.onAckDone(SAMPLE, 0, now + 20)
        if (now % 90 === 60) controller.onCongestion(now - 5, SIZE, now + 20)
        if (now === 300) controller.onPersistentCongestion(now + 20)
        if (now === 350) controller.onDatagramSize(1400)
      }
      await far.settle()
      expect([far.window, far.slowStartThreshold]).to.deep.equal([near.window, near.slowStartThreshold])
    }
  })

  it('is asked together with others that wait at the same time, and each is answered', async () => {
    const players = new Players(given => new NewReno(given))
    let asked = 0
    const students = controllersOf(players, () => asked++)
    const controllers = await Promise.all([1200, 1300, 1400].map(size => students.add(size)))
    asked = 0
    await Promise.all(controllers.map(controller => controller.settle()))
    expect(asked).to.equal(1)
    expect(controllers.map(({ window }) => window)).to.deep.equal([12_000, 13_000, 14_000])
  })

  it('is asked only when something has happened that can change its window', async () => {
    let asked = 0
    const wanted = { window: 12_000, slowStartThreshold: Number.POSITIVE_INFINITY, pacingRate: undefined }
    const controller = new RemoteController(async () => {
      asked++
      return wanted
    })
    await controller.settle()
    expect(controller.settle()).to.equal(undefined)
    controller.onSent({ number: 1, sentAt: 0, bytes: 1200 }, 1200, 0)
    expect(controller.settle()).to.equal(undefined)
    controller.onAcked({ number: 1, sentAt: 0, bytes: 1200 }, true, 50)
    await controller.settle()
    expect(asked).to.equal(2)
  })

  it('that is not there, hangs or throws is said of the file and the class of the student', async () => {
    const scratch = new Scratch(lab)
    const file = join(scratch.exercises, 'new-reno.ts')
    const failureOf = async (...edit: [string, string]) => {
      scratch.solve()
      writeFileSync(file, readFileSync(file, 'utf8').replace(...edit))
      const cleanUp: (() => unknown)[] = []
      const context = {
        exercises: scratch.exercises,
        signal: new AbortController().signal,
        defer: (one: () => unknown) => void cleanUp.push(one),
      }
      try {
        const students = await loaded(StudentControllers.open(context, 'new-reno.ts', 'NewReno'))
        return await played(students.add(SIZE).then(() => undefined)).catch(error => error.feedback)
      } catch (error) {
        return (error as CheckFailure).feedback
      } finally {
        for (const one of cleanUp) await one()
      }
    }
    try {
      const renamed = await failureOf('class NewReno', 'class Newreno')
      expect(renamed.expected).to.equal('new-reno.ts to export what the task names')
      expect(renamed.found).to.include('Is Newreno meant to be NewReno?')
      const hangs = await failureOf('constructor({ datagramSize }: ControllerOptions) {', '$& for (;;) {}')
      expect(hangs.found).to.match(/^new-reno\.ts, or a file that it imports: it had not ended/)
      const broken = await failureOf('constructor({ datagramSize }: ControllerOptions) {', "$& throw new Error('no')")
      expect(broken.found).to.match(/^new-reno\.ts:\d+:\d+: Error: no/)
      for (const { failing } of [renamed, hangs, broken]) expect(failing).to.equal('none')
    } finally {
      scratch.remove()
    }
  })

  it('offers no replay of calls that went well before it was made', async () => {
    const scratch = new Scratch(lab)
    try {
      scratch.solve()
      const file = join(scratch.exercises, 'new-reno.ts')
      writeFileSync(file, readFileSync(file, 'utf8').replace('this.window += packet.bytes', "throw new Error('no')"))
      const { feedback } = await scratch.check('new-reno', { mode: 'live' })
      expect(feedback.found).to.match(/^new-reno\.ts:\d+:\d+: Error: no/)
      expect(feedback.replay).to.equal(undefined)
    } finally {
      scratch.remove()
    }
  })

  it('that calculates with something undefined is told so', async () => {
    const call = async (method: string) => (method === 'add' ? 0 : Float64Array.of(Number.NaN, 1, Number.NaN))
    const controller = await new StudentControllers({ call } as never).add(SIZE)
    const failure = await Promise.resolve(controller.settle()).catch(error => error)
    expect(failure.feedback.misconception).to.include('undefined')
  })

  it('fails the check where it wants no window, or one without end', async () => {
    for (const window of [Number.NaN, 0, -1, 2 ** 21, Number.POSITIVE_INFINITY]) {
      const call = async (method: string) => (method === 'add' ? 0 : Float64Array.of(window, 1, Number.NaN))
      const controller = await new StudentControllers({ call } as never).add(SIZE)
      const failure = await Promise.resolve(controller.settle()).catch(error => error)
      expect(failure.feedback.found).to.equal(`window is ${window}`)
    }
  })
})
