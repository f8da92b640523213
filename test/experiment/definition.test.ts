import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { ConfigError } from '../../src/config/config-error.ts'
import { controlPath, definitionHash, measuringPart, parseExperiment } from '../../src/experiment/definition.ts'
import { plan } from '../../src/experiment/matrix.ts'
import { plannedRuns } from '../../src/experiment/runner.ts'
import { fakeProfile, SAMPLE, sampleDefinition } from './sample-experiment.ts'

function problemsOf(toml: string): string {
  try {
    sampleDefinition(toml)
  } catch (error) {
    expect(error).to.be.instanceOf(ConfigError)
    return (error as Error).message
  }
  throw new Error('it was accepted')
}

describe('an experiment file', () => {
  it('becomes every combination of its parameters, but for those that are excluded', () => {
    const { cells } = sampleDefinition()
    expect(cells.map(cell => `${cell.parameters.profile} ${cell.parameters.encapsulation}`)).to.deep.equal([
      'loss-1 datagram',
      'loss-1 single-stream',
      'loss-5 datagram',
      'loss-5 single-stream',
      'loss-10 datagram',
    ])
  })

  it('fills in the defaults of what it does not name', () => {
    const { parameters } = sampleDefinition().cells[0]
    expect(parameters.congestion_control).to.equal('cubic')
    expect(parameters).not.to.have.property('rtt_ms')
  })

  it('has a quick variant with a name of its own', () => {
    const quick = sampleDefinition(SAMPLE, { quick: true })
    expect(quick.name).to.equal('sample-quick')
    expect(plannedRuns(quick)).to.have.length(2)
  })

  it('takes seeds as a number or as a list', () => {
    expect(sampleDefinition().seeds).to.deep.equal(['1', '2', '3'])
    expect(sampleDefinition(SAMPLE.replace('seeds = 3', 'seeds = [7, "a"]')).seeds).to.deep.equal(['7', 'a'])
    expect(sampleDefinition(SAMPLE, { seeds: 2 }).seeds).to.deep.equal(['1', '2'])
  })

  it('has the same hash with more values and seeds, and another one with another duration or probe', () => {
    const hash = definitionHash(sampleDefinition())
    expect(
      definitionHash(sampleDefinition(SAMPLE.replace('"loss-1", ', '').replace('seeds = 3', 'seeds = 9'))),
    ).to.equal(hash)
    expect(definitionHash(sampleDefinition(SAMPLE.replace('duration_s = 2', 'duration_s = 3')))).not.to.equal(hash)
    expect(definitionHash(sampleDefinition(SAMPLE.replace('interval_ms = 50', 'interval_ms = 51')))).not.to.equal(hash)
  })

  it("takes congestion controls of one's own from files, and goes by what is in them", () => {
    const folder = mkdtempSync(join(tmpdir(), 'masque-experiment-'))
    const own = (controls: string, engine = '["typescript"]') =>
      parseExperiment(
        SAMPLE.replace(
          'encapsulation = ["datagram", "single-stream"]',
          `congestion_control = ${controls}\nengine = ${engine}`,
        ).replace(/\[\[exclude\]\][^[]*/, ''),
        join(folder, 'own.toml'),
        { loadProfile: fakeProfile },
      )
    const problem = (controls: string, engine?: string) => {
      try {
        own(controls, engine)
      } catch (error) {
        expect(error).to.be.instanceOf(ConfigError)
        return (error as Error).message
      }
      throw new Error('it was accepted')
    }
    try {
      mkdirSync(join(folder, 'controllers'))
      writeFileSync(join(folder, 'controllers/mine.ts'), 'export default class {}')
      const mixed = '["cubic", "controllers/mine.ts", "cubic+controllers/mine.ts"]'
      const before = own(mixed)
      expect(Object.keys(before.controllers)).to.deep.equal(['controllers/mine.ts'])
      expect(controlPath(before.file, 'controllers/mine.ts')).to.equal(join(folder, 'controllers/mine.ts'))
      expect(controlPath(before.file, 'cubic')).to.equal('cubic')
      writeFileSync(join(folder, 'controllers/mine.ts'), 'export default class { window = 1 }')
      expect(definitionHash(own(mixed))).to.not.equal(definitionHash(before))
      // Those without one are comparable with what was measured before there were any.
      expect(measuringPart(own('["cubic+bbr"]'))).to.not.have.property('controllers')
      for (const engines of ['["quiche", "typescript"]', '["typescript", "quiche"]', '["quiche"]']) {
        expect(problem(mixed, engines), engines).to.match(/parameters\.engine.*expected \["typescript"\]/)
      }
      expect(problem('["theirs.ts"]')).to.match(/congestion_control\[0\].*"theirs\.ts".*ENOENT/)
      for (const bad of ['"vegas"', '".ts"', '"cubic+"', '"cubic+reno+bbr"', '7']) {
        expect(problem(`[${bad}]`), bad).to.match(/congestion_control\[0\].*reno, cubic, bbr, or a file/)
      }
      expect(problem('["cubic"]', '["msquic"]')).to.match(/parameters\.engine\[0\].*one of "quiche", "typescript"/)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  const wrong: [what: string, change: [string, string], said: string[]][] = [
    [
      'an unknown parameter',
      ['encapsulation = [', 'encapsulatio = ['],
      ['parameters.encapsulatio', 'did you mean encapsulation'],
    ],
    [
      'an impossible value',
      ['"single-stream"]', '"carrier-pigeon"]'],
      ['parameters.encapsulation[1]', 'carrier-pigeon', 'stream-per-packet'],
    ],
    ['a profile that is not there', ['"loss-5"', '"lost"'], ['parameters.profile[1]', 'found "lost"', 'no profile']],
    ['a value twice', ['"loss-5"', '"loss-1"'], ['parameters.profile', 'at most once']],
    ['an impossible duration', ['duration_s = 2', 'duration_s = -1'], ['duration_s', 'found -1', '0.5 to 86400']],
    ['no seeds', ['seeds = 3', 'seeds = 0'], ['seeds', 'found 0', '1 to 10000']],
    ['an unknown probe', ['[probe.ping]', '[probe.pong]'], ['probe.pong', 'did you mean ping']],
    ['an unknown option of a probe', ['interval_ms', 'intervall_ms'], ['probe.ping.intervall_ms', 'interval_ms']],
    [
      'no probe at all',
      ['[probe.ping]\ninterval_ms = 50', '[probe]'],
      ['probe', 'expected one at least', '[probe.ping]'],
    ],
    ['an exclusion that excludes nothing', ['profile = "loss-10"', 'profile = "loss-11"'], ['exclude[0]', 'no cell']],
    [
      'a figure of a measure that no probe has',
      ['[quick]', '[[figure]]\nkind = "line"\nmeasure = "ping.speed"\n[quick]'],
      ['figure[0].measure', 'found "ping.speed"', 'ping.rtt_p95_ms'],
    ],
  ]
  for (const [what, [before, after], said] of wrong) {
    it(`is refused for ${what}, with file, key, value and what is allowed`, () => {
      const message = problemsOf(SAMPLE.replace(before, after))
      for (const part of ['experiments/sample.toml', ...said]) expect(message).to.include(part)
    })
  }

  it('is refused when every cell is excluded', () => {
    expect(
      problemsOf(SAMPLE.replace('[quick]', '[[exclude]]\nencapsulation = ["datagram", "single-stream"]\n[quick]')),
    ).to.include('every cell of the matrix is excluded')
  })
})

describe('the order of runs', () => {
  const { cells } = sampleDefinition()
  const seeds = ['1', '2', '3', '4']

  it('has each cell once with the first seed, then each once with the second, and so on', () => {
    const order = plan(cells, seeds, 'x')
    expect(order).to.have.length(cells.length * seeds.length)
    for (let i = 0; i < seeds.length; i++) {
      const block = order.slice(i * cells.length, (i + 1) * cells.length)
      expect(new Set(block.map(run => run.seed))).to.deep.equal(new Set([seeds[i]]))
      expect(new Set(block.map(run => run.cell.key)).size).to.equal(cells.length)
    }
  })

  it('is random, and the same each time', () => {
    const keys = (name: string) => plan(cells, seeds, name).map(run => run.key)
    expect(keys('x')).to.deep.equal(keys('x'))
    expect(keys('x')).not.to.deep.equal(keys('y'))
  })
})
