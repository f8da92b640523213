import { expect } from 'chai'
import fc from 'fast-check'
import { Text } from 'ink'
import { render } from 'ink-testing-library'
import { COURSES_KEY, type WindowCourse } from '../../../../labs/kit/check/window-recorder.ts'
import { ASCII, UNICODE } from '../../../../labs/kit/lab/marks.ts'
import { lineColumns, plainText } from '../../../../labs/kit/lab/text.ts'
import type { Panel, PanelProps } from '../../../../labs/kit/lab/types.ts'
import { windowLines } from '../../../../labs/kit/ui/window-lines.ts'
import { withWindow } from '../../../../labs/kit/ui/with-window.tsx'
import { windowCourse } from '../window-course.ts'

const OPTIONS = { width: 78, rows: 8, marks: ASCII, running: true, step: 0 }

const text = (courses: readonly WindowCourse[], options: Partial<typeof OPTIONS & { inWords: true }> = {}) =>
  windowLines(courses, { ...OPTIONS, ...options }).map(plainText)

/** What is drawn between the axis and the figures, without its blanks at the end. */
const plots = (lines: readonly string[]) =>
  lines.filter(line => line.includes('|')).map(line => line.slice(18, 61).trimEnd())

describe('the windows of a check, over time', () => {
  it('are drawn with the engine, axes and units: window and bytes in flight on one scale', () => {
    expect(text([windowCourse()])).to.deep.equal([
      'in datagrams   engine typescript, a sample each 0.1 s',
      `cwnd          15 |${'='.repeat(43)}  12 kB now`,
      `  kB           0 |${'#'.repeat(43)}  always 12`,
      'in flight     15 |                                             3 kB now',
      `  kB           0 |${'-'.repeat(43)}  always 3`,
      `est. RTT      50 |${'#'.repeat(43)}  50 ms now`,
      `  ms           0 |${'#'.repeat(43)}  always 50`,
      '                  0                    2                  4 s',
    ])
  })

  it('speak of now only while the check runs', () => {
    expect(text([windowCourse()], { running: false })[1]).to.match(/12 kB last$/)
  })

  it('follow the time: what comes later is farther to the right, and what has not come yet is empty', () => {
    const half = Array.from({ length: 21 }, (_, i) => i * 100)
    const lines = text([windowCourse({ atMs: half, cwnd: half.map(ms => (ms < 1000 ? 15_000 : 3000)) })])
    const [top, bottom] = plots(lines)
    expect(top).to.match(/^#{10,11}$/)
    expect(bottom).to.match(/^#{10,11}-{10,12}$/)
    expect(lines[1]).to.match(/3 kB now$/)
    expect(lines[2]).to.match(/3 to 15$/)
  })

  it('have a gap where there was no sample; zero is none', () => {
    const atMs = [0, 100, 200, 300, 1500, 1600, 1700, 1800, 1900, 2000]
    const [, , , bottom] = plots(text([windowCourse({ atMs, inFlight: atMs.map(() => 0), untilMs: 4000 })]))
    expect(bottom).to.match(/^_{4,5} {11,13}_{5,7}$/)
    expect(text([windowCourse({ atMs, untilMs: 4000 })])[1]).to.match(/12 kB last$/)
  })

  it('say what an engine does not tell, and what was not measured', () => {
    const atMs = [0, 100]
    const quiche = windowCourse({
      engine: 'quiche',
      atMs,
      inFlight: [undefined, undefined],
      rttMs: [undefined, undefined],
    })
    const lines = text([quiche])
    expect(lines[0]).to.match(/engine quiche/)
    expect(lines.join('\n'))
      .to.match(/^in flight +not told by quiche$/m)
      .and.match(/^est\. RTT +not measured yet$/m)
    // The rest has the room.
    expect(plots(lines)).to.have.length(4)
    expect(text([quiche], { rows: 3 }).join('\n')).to.include('not told by quiche')
    expect(text([quiche], { inWords: true }).join('\n')).to.include('bytes in flight: not told by quiche')
  })

  it('say where there is no connection, and no sample', () => {
    const empty = windowCourse({ atMs: [], engine: undefined })
    expect(text([empty])[1]).to.equal('there is no QUIC connection yet')
    expect(text([empty], { inWords: true })).to.deep.equal(['in datagrams: there is no QUIC connection yet.'])
    expect(text([])).to.deep.equal([])
  })

  it('mark where it is another path, on which all begins anew', () => {
    const lines = text([windowCourse({ movedAtMs: [1000] })])
    expect(lines.at(-1)).to.equal('                  0         ^          2                  4 s  ^ another path')
  })

  it('have room for a move at their very end', () => {
    expect(text([windowCourse({ movedAtMs: [4000] })]).at(-1)).to.match(/ 4 \^ {2}\^ another path$/)
  })

  it('are one connection at a time, of which it is said which one', () => {
    const two = [windowCourse(), windowCourse({ title: 'on one stream' })]
    expect(text(two)[0]).to.match(/^in datagrams .* connection 1 of 2$/)
    expect(text(two, { step: 1 })[0]).to.match(/^on one stream .* connection 2 of 2$/)
  })

  it('have whole words and numbers in their title, or none', () => {
    const titles = (title: string) => text([windowCourse({ title }), windowCourse()], { width: 78 })[0]!
    expect(titles('x'.repeat(13))).to.match(/^x{13} {3}engine typescript, a sample each 0\.1 s +connection 1 of 2$/)
    expect(titles('x'.repeat(22))).to.match(/^x{22} {3}engine typescript +connection 1 of 2$/)
    // Not the second without the first.
    expect(titles('x'.repeat(40))).to.match(/^x{40} +connection 1 of 2$/)
    expect(titles('x'.repeat(48))).to.match(/^x{48} +connection 1 of 2$/)
  })

  it('are figures where there is no room to draw', () => {
    for (const small of [{ rows: 6 }, { width: 34 }]) {
      expect(text([windowCourse()], small).slice(1), JSON.stringify(small)).to.deep.equal([
        'cwnd       12 kB, always 12',
        'in flight  3 kB, always 3',
        'est. RTT   50 ms, always 50',
      ])
    }
  })

  it('are figures and sentences in plain mode, all of them, with their gaps and moves', () => {
    const atMs = [0, 100, 200, 1500, 1600]
    const cwnd = [15_000, 10_500, 7350, 7350, 3000]
    const lines = text([windowCourse({ atMs, cwnd, movedAtMs: [1500] }), windowCourse({ title: 'on one stream' })], {
      inWords: true,
    })
    expect(lines.slice(0, 7)).to.deep.equal([
      'in datagrams, QUIC by the engine typescript: 5 samples in 1.60 s, one each 0.1',
      's.',
      '  congestion window, kB: 15, then 10.5, 7.35, 7.35, at last 3; 3 to 15',
      '  bytes in flight, kB: 3, then 3, 3, 3, at last 3; always 3',
      '  round-trip time, as typescript estimates it, ms: 50, then 50, 50, 50, at',
      '  last 50; always 50',
      '  another path from 1.50 s on',
    ])
    expect(lines[7]).to.equal('  no sample from 0.20 to 1.50 s')
    expect(lines.join('\n')).to.include('on one stream, QUIC by')
    expect(lines.join('\n')).to.not.match(/[|#]/)
  })

  it('keep within any room, whatever the numbers are, and draw only characters that the terminal has', () => {
    const values = fc.array(fc.option(fc.double({ min: 0, max: 1e9, noNaN: true }), { nil: undefined }), {
      minLength: 12,
      maxLength: 12,
    })
    fc.assert(
      fc.property(
        fc.record({
          width: fc.integer({ min: 20, max: 200 }),
          rows: fc.integer({ min: 1, max: 50 }),
          step: fc.integer({ min: 0, max: 1 }),
        }),
        fc.uniqueArray(fc.integer({ min: 0, max: 100_000 }), { maxLength: 12 }),
        values,
        fc.integer({ min: 0, max: 10_000 }),
        fc.boolean(),
        (room, at, inFlight, later, unicode) => {
          const atMs = at.toSorted((a, b) => a - b)
          const given = windowCourse({
            atMs,
            inFlight: inFlight.slice(0, atMs.length),
            rttMs: inFlight.slice(0, atMs.length),
            untilMs: (atMs.at(-1) ?? 0) + later,
            movedAtMs: atMs.slice(0, 3),
          })
          const lines = windowLines([given, given], { ...OPTIONS, ...room, marks: unicode ? UNICODE : ASCII })
          expect(lines.length).to.be.at.most(room.rows)
          for (const line of lines) {
            expect(lineColumns(line)).to.be.at.most(room.width)
            if (!unicode) expect(plainText(line)).to.match(/^[\x20-\x7e]*$/)
          }
        },
      ),
    )
  })
})

describe('a panel with windows', () => {
  const Own: Panel = Object.assign((_: PanelProps) => <Text>its own</Text>, {
    lines: () => [[{ text: 'its own' }]],
    steps: () => 7,
  })
  const Both = withWindow(Own)
  const props = (courses: readonly WindowCourse[], view?: string): PanelProps => ({
    task: undefined,
    phases: [],
    live: { series: [], comparisons: [], shown: courses.length > 0 ? { [COURSES_KEY]: courses } : {} },
    passed: undefined,
    ...OPTIONS,
    view,
  })

  it('is its own until it is switched to the windows, and where there are none', () => {
    for (const given of [props([windowCourse()]), props([], 'window'), props([windowCourse()], 'something else')]) {
      expect(Both.lines(given).map(plainText)).to.deep.equal(['its own'])
      expect(Both.steps?.(given)).to.equal(7)
    }
    expect(Both.views?.(props([]))).to.deep.equal([])
    expect(Both.views?.(props([windowCourse()]))).to.deep.equal(['window'])
  })

  it('draws with Ink what its lines say, a step for each connection', () => {
    const given = props([windowCourse(), windowCourse({ title: 'on one stream' })], 'window')
    expect(Both.steps?.(given)).to.equal(2)
    const { lastFrame, unmount } = render(<Both {...given} />)
    const drawn = (lastFrame() ?? '').split('\n').map(line => line.replace(/\u001b\[[0-9;]*m/g, '').trimEnd())
    expect(drawn).to.deep.equal(Both.lines(given).map(plainText))
    expect(drawn).to.have.length(8)
    unmount()
    const own = render(<Both {...props([windowCourse()])} />)
    expect(own.lastFrame()).to.equal('its own')
    own.unmount()
  })
})
