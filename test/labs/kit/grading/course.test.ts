import { expect } from 'chai'
import { z } from 'zod'
import { courseSchema, loadCourse, parseCourse, parseHandedIn } from '../../../../labs/kit/grading/course.ts'
import { courseGrades, unknownStudents } from '../../../../labs/kit/grading/course-grades.ts'
import { gradesCsv } from '../../../../labs/kit/grading/csv.ts'
import { FORMAT, type Report, type Result, VERSION } from '../../../../labs/kit/grading/results.ts'
import { studentReports } from '../../../../labs/kit/grading/student-report.ts'
import { courseTable } from '../../../../labs/kit/grading/table.ts'
import { instantOf, isTimeZone, timeText } from '../../../../labs/kit/grading/time-zone.ts'
import { loadLabs, ROOT } from '../../../../labs/kit/lab/registry.ts'
import { ConfigError } from '../../../../src/config/config-error.ts'
import { unwrap } from '../../../../src/config/read-toml.ts'
import { read } from '../../../docs/repository.ts'
import { sampleLab, sampleTask } from '../sample-lab.ts'

const lab = sampleLab([sampleTask(), sampleTask({ id: 'second', points: 15 })])
const other = sampleLab([sampleTask({ points: 10 })], { id: 'lab-98-other', number: 98 })
const labs = [other, lab]
const COURSE = `
title = "A course"
timezone = "Europe/Berlin"
[late]
percent_per_day = 10
grace_minutes = 30
days = 5
[[lab]]
lab = 99
weight = 3
deadline = 2026-11-30T23:59:00
[[lab]]
lab = "other"
[[extension]]
student = "eve"
days = 2
reason = "ill"
[marks]
"A" = 80
"B" = 40
`
const course = (toml = COURSE) => parseCourse(toml, 'course.toml', labs)

function result(name: string, passed: string[], handedIn?: string, changes: Partial<Result> = {}): Result {
  const tasks = lab.tasks.map(({ id, points }) => ({
    task: id,
    passed: passed.includes(id),
    points: passed.includes(id) ? points : 0,
  }))
  const points = { points: 0, of: 20, notes: [], problems: [] }
  const time = handedIn === undefined ? {} : { handedIn: new Date(handedIn).toISOString() }
  return { kind: 'submission', name, lab: lab.id, seed: name, ...points, tasks, ...time, ...changes }
}

function report(...results: Result[]): Report {
  const summary = { id: lab.id, number: lab.number, title: lab.title, tasks: [] }
  return { format: FORMAT, version: VERSION, mode: 'submissions', labs: [summary], results }
}

describe('times of a course', () => {
  const at = (text: string, zone = 'Europe/Berlin') => {
    const instant = instantOf(text, zone)
    return instant === undefined ? undefined : new Date(instant).toISOString()
  }

  it('are those of its time zone, in summer and in winter, unless they have an offset of their own', () => {
    expect(at('2026-11-30T23:59:00')).to.equal('2026-11-30T22:59:00.000Z')
    expect(at('2026-07-01 12:00')).to.equal('2026-07-01T10:00:00.000Z')
    expect(at('2026-07-01T12:00:00', 'America/St_Johns')).to.equal('2026-07-01T14:30:00.000Z')
    expect(at('2026-07-01T12:00:00-05:00')).to.equal('2026-07-01T17:00:00.000Z')
    expect(at('2026-07-01T12:00:00Z')).to.equal('2026-07-01T12:00:00.000Z')
  })

  it('cost nobody an hour when the clocks change: what is there twice is the later, what is skipped is later, too', () => {
    expect(at('2026-10-25T02:30:00')).to.equal('2026-10-25T01:30:00.000Z')
    expect(at('2026-10-25T01:59:00')).to.equal('2026-10-24T23:59:00.000Z')
    expect(at('2026-03-29T02:30:00')).to.equal('2026-03-29T01:30:00.000Z')
  })

  it('are refused where no calendar and no clock shows them', () => {
    for (const wrong of ['2026-02-30T12:00', '2026-13-01T12:00', '2026-01-01T24:00', '2026-01-01', 'tomorrow', '']) {
      expect(at(wrong), wrong).to.equal(undefined)
    }
    expect(['Europe/Berlin', 'UTC', 'Europe/Atlantis'].map(isTimeZone)).to.deep.equal([true, true, false])
    expect(timeText(Date.UTC(2026, 6, 1, 10), 'Europe/Berlin')).to.equal('2026-07-01 12:00 (Europe/Berlin)')
  })
})

describe('a course file', () => {
  it('is read with its defaults', () => {
    const { labs, extensions, marks, late } = course()
    expect(labs.map(({ id, weight }) => [id, weight])).to.deep.equal([
      ['lab-99-sample', 3],
      ['lab-98-other', 1],
    ])
    expect(labs[0].tasks).to.deep.equal([
      { id: 'first', points: 5 },
      { id: 'second', points: 15 },
    ])
    expect(new Date(labs[0].deadline ?? 0).toISOString()).to.equal('2026-11-30T22:59:00.000Z')
    expect(extensions[0]).to.include({ student: 'eve', lab: undefined, days: 2, reason: 'ill' })
    expect(marks[0]).to.deep.equal({ name: 'A', from: 80 })
    expect(late.graceMs).to.equal(1_800_000)
  })

  it('names what is wrong, what was found and what is expected', () => {
    const wrong: [toml: string, says: RegExp][] = [
      [COURSE.replace('Europe/Berlin', 'Middle-earth'), /timezone: found "Middle-earth", expected a time zone/],
      [COURSE.replace('percent_per_day', 'percent_per_dey'), /did you mean percent_per_day\?/],
      [COURSE.replace('2026-11-30T23:59:00', '2026-11-30'), /lab\[0\]\.deadline: .*expected a date and time/],
      [COURSE.replace('"other"', '7'), /lab\[1\]\.lab: found 7, expected one of the labs 98, 99/],
      [COURSE.replace('"other"', '99'), /lab\[1\]\.lab: lab-99-sample is there twice/],
      [
        COURSE.replace('lab = "other"', 'lab = 98\ntasks = ["frist"]'),
        /tasks\[0\]: found "frist", expected one of first/,
      ],
      [COURSE.replace('lab = "other"', 'lab = 98\npoints = { x = 1 }'), /points\.x: no task of that name counts/],
      [COURSE.replace('lab = "other"', 'lab = 98\npoints = { first = 0 }'), /no points at all/],
      [COURSE.replace('days = 2', ''), /extension\[0\]: expected either until or days/],
      [COURSE.replace('"A" = 80', '"A" = 800'), /marks\.A: found 800, expected per cent from 0 to 100/],
      ['title = "x"', /lab: missing, expected at least one|lab: missing/],
    ]
    for (const [toml, says] of wrong) expect(() => course(toml), String(says)).to.throw(ConfigError, says)
  })

  it('has each of its keys explained in docs/grading.md, as the schema does', () => {
    const text = read('docs/grading.md')
    const keys = (schema: z.ZodType): [string, string | undefined][] => {
      const at = unwrap(schema)
      if (at instanceof z.ZodArray) return keys(at.element as z.ZodType)
      if (!(at instanceof z.ZodObject)) return []
      return Object.entries(at.shape as Record<string, z.ZodType>).flatMap(([key, inner]) => [
        [key, inner.description] as [string, string | undefined],
        ...keys(inner),
      ])
    }
    const all = keys(courseSchema)
    expect(all.length).to.be.greaterThan(15)
    for (const [key, description] of all) {
      expect(description, key).to.match(/\.$/)
      expect(text, key).to.match(new RegExp(`\\\`(\\w+\\.|\\[\\[?)?${key}(\\]\\]?)?\\\``))
    }
  })

  it('is there as an example that fits the labs', async () => {
    const { labs } = loadCourse(`${ROOT}/examples/grading/course.toml`, await loadLabs())
    expect(labs.map(({ id }) => id)).to.deep.equal(['lab-01-deploy', 'lab-03-protocol'])
  })
})

describe('grades of a course', () => {
  const graded = (...results: Result[]) => courseGrades(course(), report(...results), undefined)
  const sample = (...results: Result[]) => graded(...results)[0].labs[0]
  const both = ['first', 'second']

  it('take a share of what was reached for each day late that has begun, and nothing within the grace', () => {
    const cases: [handedIn: string, daysLate: number, points: number][] = [
      ['2026-11-30T22:59:00Z', 0, 20],
      ['2026-11-30T23:29:00Z', 0, 20],
      ['2026-11-30T23:29:01Z', 1, 18],
      ['2026-12-01T22:59:00Z', 1, 18],
      ['2026-12-01T22:59:01Z', 2, 16],
      ['2026-12-05T22:59:00Z', 5, 10],
      ['2026-12-05T22:59:01Z', 6, 0],
    ]
    for (const [handedIn, daysLate, points] of cases) {
      expect(sample(result('ada', both, handedIn)), handedIn).to.include({ daysLate, points, reached: 20 })
    }
  })

  it('give more time to those who have an extension, and to nobody less', () => {
    const late = '2026-12-02T22:59:00Z'
    expect(sample(result('eve', both, late))).to.include({ daysLate: 0, points: 20 })
    expect(sample(result('eve', both, late)).because.join(' ')).to.include('by an extension: ill.')
    expect(sample(result('ada', both, late))).to.include({ daysLate: 2, points: 16 })
    const earlier = course(COURSE.replace('days = 2', 'until = 2026-01-01T12:00:00'))
    const [{ labs }] = courseGrades(earlier, report(result('eve', both, '2026-11-30T22:00:00Z')), undefined)
    expect(labs[0].points).to.equal(20)
  })

  it('weigh the labs, and count as nothing what was not handed in', () => {
    const [ada] = graded(result('ada', ['second'], '2026-11-01T12:00:00Z'))
    // (3 × 15/20 + 1 × 0/10) / 4.
    expect(ada).to.include({ percent: 56.25, mark: 'B' })
    expect(ada.labs[1].because).to.deep.equal(['Nothing was handed in.'])
  })

  it('count only the tasks that count, with the points of the course', () => {
    const narrow = course(COURSE.replace('weight = 3', 'tasks = ["first"]\npoints = { first = 8 }'))
    const [{ labs }] = courseGrades(narrow, report(result('ada', ['first'], '2026-11-01T12:00:00Z')), undefined)
    expect(labs[0]).to.include({ reached: 8, of: 8, points: 8 })
  })

  it('are in doubt where nobody knows when it was handed in, and are said to be', () => {
    const [ada] = graded(result('ada', both))
    expect(ada.problems.join()).to.include('it is not known when it was handed in')
    expect(ada.labs[0].points).to.equal(20)
    expect(
      graded(result('ada', both, '2026-11-01T12:00:00Z', { problems: ['the worker ended'] }))[0].problems,
    ).to.deep.equal(['lab-99-sample: the worker ended'])
  })

  it('go by the list of times where there is one, and not by the files', () => {
    const list = (text: string) => parseHandedIn(text, 'times.csv', course(), labs)
    const times = list(
      'student,lab,time\r\nada,99,2026-12-01T12:00:00+01:00\n"o""neil, m",,2026-11-30 23:00\n# late\nada,99,2026-11-01T12:00\n',
    )
    const results = [result('ada', both, '2026-11-01T12:00:00Z'), result('bob', both, '2026-11-01T12:00:00Z')]
    const grades = courseGrades(course(), report(...results, result('o"neil, m', both)), times)
    expect(grades.map(({ labs }) => labs[0].daysLate)).to.deep.equal([1, 0, 0])
    expect(grades.map(({ problems }) => problems.length)).to.deep.equal([0, 1, 0])
    for (const [text, says] of [
      ['ada,99', /times\.csv:1: expected student,lab,time/],
      ['ada,77,2026-11-01T12:00', /times\.csv:1: there is no lab '77'/],
      ['ada,99,yesterday', /times\.csv:1: found 'yesterday', expected a time/],
    ] as const) {
      expect(() => list(text)).to.throw(ConfigError, says)
    }
  })

  it('can be followed step by step in the report of the student, the table and the spreadsheet', () => {
    const all = report(result('ada', ['second'], '2026-12-01T12:00:00Z'))
    const grades = courseGrades(course(), all, undefined)
    const whole = { ...all, course: { title: 'A course', grades } }
    const text = studentReports(whole).get('ada.md')
    expect(text).to.include('## A course: 50.63 %, mark B')
    expect(text).to.include('1 of the 2 tasks that count are solved: 15 of 20 points.')
    expect(text).to.include('The deadline is 2026-11-30 23:59 (Europe/Berlin).')
    expect(text).to.include('handed in 2026-12-01 13:00 (Europe/Berlin), which is the time of its newest file.')
    expect(text).to.include('That is 1 day late, 10 % each: 10 % less, 13.5 points.')
    expect(text).to.include('Together: (3 × 13.5/20 + 1 × 0/10) / (3 + 1) = 50.63 %.')
    expect(courseTable(whole)).to.match(
      /ada +50\.63 % {2}B {2}lab-99-sample 13\.5\/20 \(1 day late\), lab-98-other 0\/10/,
    )
    expect(gradesCsv(whole).split('\r\n')[1]).to.equal('ada,15,20,1,13.5,0,10,0,0,50.63,B,')
    expect(unknownStudents(course(), grades)).to.deep.equal(['eve'])
  })
})
