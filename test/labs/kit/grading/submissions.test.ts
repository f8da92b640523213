import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { linkSync, mkdirSync, readdirSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { grade } from '../../../../labs/kit/grading/grade.ts'
import { alike, type Result } from '../../../../labs/kit/grading/results.ts'
import { SubmissionsError, submissionSubjects } from '../../../../labs/kit/grading/subjects.ts'
import { loadLabs, ROOT } from '../../../../labs/kit/lab/registry.ts'
import type { Lab } from '../../../../labs/kit/lab/types.ts'
import { inProcess } from '../../../../labs/kit/run/runner.ts'
import { ownTmpdir } from '../../../support/own-tmpdir.ts'
import { type Class, classFolder } from './class-folder.ts'

describe('grading submissions', () => {
  let labs: Lab[]
  let submitted: Class
  before(async () => {
    labs = await loadLabs()
  })
  beforeEach(() => {
    submitted = classFolder()
  })
  afterEach(() => submitted.remove())

  const lab = (number: number, tasks?: readonly string[]): Lab => {
    const found = labs.find(candidate => candidate.number === number)!
    return tasks ? { ...found, tasks: found.tasks.filter(task => tasks.includes(task.id)) } : found
  }
  /** In this process, which is what is to be left unharmed. */
  const gradeLab = async (which: Lab, inWorkers = false): Promise<Result[]> =>
    await grade(submissionSubjects(ROOT, submitted.path, [which], true), {
      root: ROOT,
      jobs: 2,
      ...(inWorkers ? {} : { runner: () => inProcess }),
    })
  const of = (results: readonly Result[], name: string): Result => results.find(result => result.name === name)!
  const passed = (result: Result): string[] => result.tasks.filter(task => task.passed).map(({ task }) => task)
  const told = (result: Result, task = result.tasks[0].task): string => {
    const feedback = result.tasks.find(candidate => candidate.task === task)?.feedback
    return [feedback?.expected, feedback?.found, feedback?.misconception].join('\n')
  }

  it('gives all points for the reference solution, in worker processes', async () => {
    submitted.handIn('ada', 'lab-03-protocol')
    const [ada] = await gradeLab(lab(3, ['varint', 'capsules']), true)
    expect(ada).to.include({ kind: 'submission', name: 'ada', lab: 'lab-03-protocol', seed: 'ada' })
    expect(passed(ada!), JSON.stringify(ada)).to.deep.equal(['varint', 'capsules'])
    expect(ada!.points).to.equal(ada!.of)
    expect(ada!.problems).to.deep.equal([])
  })

  it('grades what is missing from the starting files, and says so', async () => {
    submitted.handIn('bob', 'lab-03-protocol', { 'varint.ts': undefined })
    mkdirSync(join(submitted.path, 'eve'))
    const results = await gradeLab(lab(3, ['varint']))
    expect(of(results, 'bob').notes).to.include('varint.ts was not handed in; the starting file was graded')
    expect(passed(of(results, 'bob'))).to.deep.equal([])
    expect(of(results, 'eve')).to.include({ points: 0 })
    expect(of(results, 'eve').notes).to.deep.equal(['nothing was handed in'])
  })

  it('knows a run that two students say they have measured, among others and with other comments', async () => {
    const reference = readFileSync(join(ROOT, 'solutions', 'lab-04-impairment', 'measured.toml'), 'utf8')
    const run = (median: number) => `\n[[run]]\nprofile = "lte"\n[run.rtt]\nmedian_ms = ${median}\n`
    const records: Record<string, string> = {
      ada: run(61.2) + run(70.4),
      bob: `# mine\n${reference}${run(70.4).replace('[run.rtt]', '\n# at home\n[run.rtt]')}`,
      eve: run(61.3),
    }
    const found: { kind: string; lab: string; name: string; fingerprints: Record<string, string> }[] = []
    for (const [student, text] of Object.entries(records)) {
      submitted.handIn(student, 'lab-04-impairment', { 'measured.toml': text })
      const subjects = submissionSubjects(ROOT, submitted.path, [lab(4)], true)
      const subject = subjects.find(({ name }) => name === student)!
      const fingerprints = await subject.fingerprints!(subject.layers().files[0])
      expect(Object.keys(fingerprints).every(name => /^measured\.toml, run [0-9a-f]{6}$/.test(name))).to.equal(true)
      found.push({ kind: 'submission', lab: 'lab-04-impairment', name: student, fingerprints })
    }
    // The run of the reference is nobody's.
    expect(found.map(({ fingerprints }) => Object.keys(fingerprints).length)).to.deep.equal([2, 1, 1])
    expect(alike({ results: found } as never).map(({ students }) => students)).to.deep.equal([['ada', 'bob']])
  })

  it('finds the files wherever a student may have put the lab', async () => {
    submitted.handIn('a', 'lab-03-protocol')
    const nested = submitted.handIn('b', 'lab-03-protocol')
    mkdirSync(join(submitted.path, 'b', 'labs', 'lab-03-protocol'), { recursive: true })
    execFileSync('mv', [nested, join(submitted.path, 'b', 'labs', 'lab-03-protocol', 'exercises')])
    execFileSync('mv', [submitted.handIn('x', 'lab-03-protocol'), join(submitted.path, 'c')])
    for (const result of await gradeLab(lab(3, ['varint']))) {
      expect(passed(result), result.name).to.deep.equal(result.name === 'x' ? [] : ['varint'])
    }
    submitted.handIn('d', 'lab-01-deploy')
    expect(of(await gradeLab(lab(3, ['varint'])), 'd').notes).to.deep.equal(['nothing was handed in'])
  })

  it('says what is expected when there is nothing to grade', () => {
    const subjects = (path: string) => () => submissionSubjects(ROOT, path, labs, false)
    expect(subjects(join(submitted.path, 'none'))).to.throw(SubmissionsError, 'is not a folder')
    expect(subjects(submitted.path)).to.throw(SubmissionsError, 'holds no folders')
    mkdirSync(join(submitted.path, 'ada'))
    expect(subjects(submitted.path)).to.throw(SubmissionsError, "no student's folder holds a lab")
  })

  it('is not impressed by code that cheats', async () => {
    const solution = (name: string) => JSON.stringify(join(ROOT, 'solutions', 'lab-03-protocol', name))
    const other = JSON.stringify(join(submitted.path, 'honest', 'lab-03-protocol', 'varint.ts'))
    const stub = `export function varintLength() { return 1 }
      export function encodeVarint() { return new Uint8Array(1) }
      export function decodeVarint() { return undefined }`
    const cheats: Record<string, [source: string, says: RegExp]> = {
      'imports the solution': [
        `export * from '../../../../solutions/lab-03-protocol/varint.ts'`,
        /outside the exercise folder/,
      ],
      'imports the solution by its full path': [`export * from ${solution('varint.ts')}`, /only its neighbours/],
      'reads the solution when it runs': [`const { readFileSync } = await import('node:' + 'fs')\n${stub}`, /await/],
      'reads the solution with eval': [
        `const text = (0, eval)('process.getBuiltinModule("fs").readFileSync(' + ${JSON.stringify(solution('varint.ts'))} + ')')\n${stub}`,
        /getBuiltinModule is not a function/,
      ],
      'reads another submission': [
        `const text = require('node:fs').readFileSync(${other})\n${stub}`,
        /node:fs cannot be imported/,
      ],
      'patches the assertion library': [
        `import assert from 'node:assert'\nassert.deepStrictEqual = () => {}\nObject.is = () => true\nArray.prototype.every = () => true\n${stub}`,
        /read only property 'deepStrictEqual'/,
      ],
      'ends early with status 0': [`process.exit(0)\n${stub}`, /exit status 0/],
      'ends early inside a function': [`${stub.replaceAll('return', 'process.exit(0) ||')}`, /exit status 0/],
      'prints a result': [
        `console.log('{"id":1,"value":null}\\n{"passed":true}\\nok 1')\n${stub}`,
        /varintLength|encodeVarint|decodeVarint/,
      ],
      'returns everything at once': [
        `const yes = new Proxy(() => yes, { get: (_, key) => (key === 'then' ? undefined : yes) })\nexport const varintLength = yes, encodeVarint = yes, decodeVarint = yes`,
        /function|plain|not-cloneable|copied|handed/,
      ],
    }
    submitted.handIn('honest', 'lab-03-protocol')
    for (const [name, [source]] of Object.entries(cheats))
      submitted.handIn(name, 'lab-03-protocol', { 'varint.ts': source })
    const results = await gradeLab(lab(3, ['varint']))
    expect(passed(of(results, 'honest'))).to.deep.equal(['varint'])
    for (const [name, [, says]] of Object.entries(cheats)) {
      expect(passed(of(results, name)), name).to.deep.equal([])
      expect(told(of(results, name)), name).to.match(says)
      expect(of(results, name).problems, name).to.deep.equal([])
    }
  })

  it('survives code that never ends, eats memory, multiplies or prints without end', async () => {
    const stub = `export function encodeVarint() {}\nexport function decodeVarint() {}`
    const hogs: Record<string, [source: string, says: RegExp]> = {
      'loops at import': [`for (;;) {}\n${stub}`, /had not ended/],
      'fills the heap': [`const all = []\nfor (;;) all.push([all.length])\n${stub}`, /memory|heap/],
      'fills buffers': [`const all = []\nfor (;;) all.push(new Uint8Array(1 << 20).fill(1))\n${stub}`, /memory/],
      forks: [`import { fork } from 'node:child_process'\nfor (;;) fork('x')\n${stub}`, /cannot be imported/],
      'forks by another way': [
        `for (;;) (0, eval)('process').binding('spawn_sync').spawn({ file: 'sh' })\n${stub}`,
        /binding is not a function/,
      ],
      'prints megabytes': [`for (;;) console.log('\\x1b[2J'.repeat(10000))\n${stub}`, /printed more than/],
    }
    for (const [name, [source]] of Object.entries(hogs))
      submitted.handIn(name, 'lab-03-protocol', { 'varint.ts': source })
    const results = await gradeLab(lab(3, ['varint']))
    for (const [name, [, says]] of Object.entries(hogs)) {
      expect(passed(of(results, name)), name).to.deep.equal([])
      expect(told(of(results, name)), name).to.match(says)
      expect(told(of(results, name)), name).to.not.include('\x1b')
    }
  })

  it('reads no links, no pipes, nothing huge and nothing too deep, and says what it left out', async () => {
    const secret = join(ROOT, 'solutions', 'lab-03-protocol', 'varint.ts')
    symlinkSync(secret, join(submitted.handIn('link', 'lab-03-protocol', { 'varint.ts': undefined }), 'varint.ts'))
    const pipe = submitted.handIn('pipe', 'lab-03-protocol', { 'varint.ts': undefined })
    execFileSync('mkfifo', [join(pipe, 'varint.ts')])
    const huge = submitted.handIn('huge', 'lab-03-protocol', { 'varint.ts': '' })
    truncateSync(join(huge, 'varint.ts'), 3_000_000_000)
    const deep = submitted.handIn('deep', 'lab-03-protocol')
    mkdirSync(join(deep, ...Array<string>(300).fill('d')), { recursive: true })
    const many = submitted.handIn('many', 'lab-03-protocol')
    for (let i = 0; i < 2100; i++) writeFileSync(join(many, `z${i}.ts`), '')
    // A whole folder that is a link, and a student who is one.
    mkdirSync(join(submitted.path, 'linked-folder'))
    symlinkSync(join(ROOT, 'solutions', 'lab-03-protocol'), join(submitted.path, 'linked-folder', 'lab-03-protocol'))
    symlinkSync(join(submitted.path, 'deep'), join(submitted.path, 'linked-student'))
    const twice = submitted.handIn('twice', 'lab-03-protocol')
    linkSync(join(twice, 'varint.ts'), join(submitted.path, 'varint.ts'))
    const odd = submitted.handIn('odd\\..\\..\nname', 'lab-03-protocol')
    writeFileSync(join(odd, '..\\..\\..\\escape.ts'), 'x')

    const results = await gradeLab(lab(3, ['varint']))
    expect(of(results, 'link').notes).to.include('varint.ts was left out: a symbolic link')
    expect(of(results, 'twice').notes.join()).to.match(/varint\.ts was left out: .*a hard link/)
    expect(of(results, 'pipe').notes).to.include('varint.ts was left out: not an ordinary file')
    expect(of(results, 'huge').notes.join()).to.match(/varint\.ts was left out: 3000000000 bytes/)
    expect(of(results, 'deep').notes.join()).to.match(/too deep/)
    expect(of(results, 'many').notes.join()).to.match(/more than 2000 files/)
    for (const name of ['link', 'pipe', 'huge', 'twice']) expect(passed(of(results, name)), name).to.deep.equal([])
    for (const name of ['deep', 'many', 'odd\\..\\..\nname'])
      expect(passed(of(results, name)), name).to.deep.equal(['varint'])
    expect(of(results, 'linked-folder').notes).to.deep.equal(['nothing was handed in'])
    expect(of(results, 'linked-student')).to.equal(undefined)
  })

  it('runs no configuration that reads or writes elsewhere', async () => {
    const log = join(tmpdir(), `masque-key-log-${process.pid}`)
    const server = readFileSync(join(ROOT, 'solutions', 'lab-01-deploy', 'server.toml'), 'utf8')
    const key = '../../../cert/out/server-key.pem'
    submitted.handIn('keylog', 'lab-01-deploy', { 'server.toml': `${server}\n[quic]\nkey_log = "${log}"\n` })
    submitted.handIn('device', 'lab-01-deploy', { 'server.toml': server.replace(key, '/dev/zero') })
    submitted.handIn('dots', 'lab-01-deploy', { 'server.toml': server.replace(key, '../../../../../etc/passwd') })
    submitted.handIn('token', 'lab-01-deploy', { 'client.toml': '[auth]\ntoken_file = "/etc/shadow"\n' })
    submitted.handIn('ports', 'lab-01-deploy', { 'server.toml': server.replace('127.0.0.1', '0.0.0.0') })
    submitted.handIn('api', 'lab-01-deploy', { 'server.toml': server.replaceAll('127.0.0.1', '0.0.0.0') })
    const results = await gradeLab(lab(1, ['config']))
    expect(told(of(results, 'keylog'))).to.match(/without a key log/)
    expect(told(of(results, 'device'))).to.match(/tls\.key = "\/dev\/zero"/)
    expect(told(of(results, 'dots'))).to.match(/paths inside the repository/)
    expect(told(of(results, 'token'))).to.match(/client\.toml: auth\.token_file/)
    for (const name of ['keylog', 'device', 'dots', 'token']) expect(passed(of(results, name)), name).to.deep.equal([])
    // The check listens on loopback, whatever the file says.
    expect(passed(of(results, 'ports'))).to.deep.equal(['config'])
    // No proxy starts with an API that everybody can reach, so this one does not pass.
    expect(passed(of(results, 'api'))).to.deep.equal([])
    expect(told(of(results, 'api'))).to.match(/api\.host/)
    expect(readdirSync(tmpdir())).to.not.include(`masque-key-log-${process.pid}`)
  })

  it('leaves the submissions and the repository as they were, and nothing behind', async () => {
    submitted.handIn('ada', 'lab-03-protocol', { 'varint.ts': 'export const x = 1' })
    const state = () =>
      createHash('sha256')
        .update(readFileSync(join(submitted.path, 'ada', 'lab-03-protocol', 'varint.ts')))
        .update(
          readdirSync(join(ROOT, 'labs', 'lab-03-protocol'), { recursive: true })
            .sort()
            .join(),
        )
        .digest('hex')
    const before = state()
    const temporary = ownTmpdir()
    try {
      await gradeLab(lab(3, ['varint']))
      expect(readdirSync(temporary.path)).to.deep.equal([])
    } finally {
      temporary.remove()
    }
    expect(state()).to.equal(before)
  })
})
