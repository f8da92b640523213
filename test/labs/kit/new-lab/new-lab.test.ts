import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { ROOT } from '../../../../labs/kit/lab/registry.ts'
import { makeNewLab } from '../../../../labs/kit/new-lab/make.ts'

describe('npm run new-lab', () => {
  let root: string
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'masque-new-lab-test-'))
  })
  afterEach(() => rmSync(root, { recursive: true, force: true }))

  it('makes a lab with exercise, solution, mutants, netem script and test', () => {
    const files = makeNewLab(root, '5', 'my-topic')
    for (const file of files) expect(existsSync(join(root, file)), file).to.equal(true)
    expect(files).to.include.members([
      'labs/lab-05-my-topic/lab.ts',
      'labs/lab-05-my-topic/checks/hops.ts',
      'labs/lab-05-my-topic/checks/ping.ts',
      'labs/lab-05-my-topic/ui.tsx',
      'labs/lab-05-my-topic/README.md',
      'labs/lab-05-my-topic/start/hops.ts',
      'labs/lab-05-my-topic/mutants/hops.ts',
      'labs/lab-05-my-topic/netem/delay.sh',
      'solutions/lab-05-my-topic/hops.ts',
      'test/labs/lab-05-my-topic/solution.test.ts',
    ])
  })

  it('makes a lab that compiles, whose solution passes, and whose starting files and mutants fail', () => {
    makeNewLab(root, '5', 'my-topic')
    // A repository of its own around it: the kit and the packages are the real ones.
    for (const name of ['node_modules', 'src', 'labs/kit']) symlinkSync(join(ROOT, name), join(root, name))
    writeFileSync(join(root, 'package.json'), '{"type":"module"}')
    writeFileSync(
      join(root, 'tsconfig.json'),
      JSON.stringify({
        extends: join(ROOT, 'tsconfig.json'),
        compilerOptions: { preserveSymlinks: true },
        include: ['labs/lab-05-my-topic/*', 'labs/lab-05-my-topic/checks/*', 'solutions', 'test'],
        exclude: [],
      }),
    )
    const run = (...args: string[]) => {
      const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' })
      return { status, text: stdout + stderr }
    }
    const compiled = run(join(ROOT, 'node_modules/typescript/bin/tsc'), '--noEmit', '-p', '.')
    expect(compiled.status, compiled.text).to.equal(0)
    const test = join('test', 'labs', 'lab-05-my-topic', 'solution.test.ts')
    const tested = run(
      join(ROOT, 'node_modules/mocha/bin/mocha.js'),
      '--node-option',
      'import=tsx',
      '--timeout',
      '60000',
      test,
    )
    expect(tested.status, tested.text).to.equal(0)
    expect(tested.text).to.include('7 passing')
  })

  const wrong: [string | undefined, string | undefined, RegExp][] = [
    [undefined, undefined, /a number and a topic are expected: npm run new-lab -- 6 my-topic/],
    ['five', 'topic', /the number 'five': 1 to 99/],
    ['5', 'My Topic', /the topic 'My Topic': lower case words/],
    ['5', '../outside', /the topic/],
  ]
  for (const [number, topic, sentence] of wrong) {
    it(`refuses ${number} ${topic}, and writes nothing`, () => {
      expect(() => makeNewLab(root, number, topic)).to.throw(sentence)
      expect(readdirSync(root)).to.deep.equal([])
    })
  }

  it('never touches a lab that is there', () => {
    mkdirSync(join(root, 'labs', 'lab-05-other'), { recursive: true })
    expect(() => makeNewLab(root, '5', 'my-topic')).to.throw('there is a lab 5 already: labs/lab-05-other')
    expect(readdirSync(join(root, 'labs', 'lab-05-other'))).to.deep.equal([])
  })
})
