import { expect } from 'chai'
import { type CompareResult, compare, estimate, isNarrow, MAX_ROUNDS } from '../../../bench/compare/compare.ts'
import type { Arena } from '../../../bench/compare/contender.ts'
import type { RunFigures } from '../../../bench/compare/figures.ts'
import { CONTENDER_NAMES } from '../../../bench/compare/kernel-arena.ts'
import { reportText, verdict } from '../../../bench/compare/report.ts'
import type { Run } from '../../../bench/compare/run.ts'
import { loadProfile, profileNames } from '../../../src/link/profile/load-profile.ts'
import { command } from '../../support/command.ts'

const part = { sent: 100, lost: 2, p50Ms: 40, p95Ms: 60, jitterMs: 3 }

function run(contender: string, recoveryMs: number): Run {
  const figures: RunFigures = {
    recoveryMs: [recoveryMs],
    whole: part,
    before: part,
    during: part,
    after: part,
    goodputKbit: 310,
  }
  const events = [{ kind: 'outage' as const, atMs: 0, endMs: 10 }]
  return { contender, figures, echoes: [], events, stalls: 0 }
}

const TCP: Run['tcp'] = {
  goodputKbit: { before: 20_000, during: 1_000, after: 18_000 },
  standstillMs: [3210],
  hasSurvived: true,
}

/** Recovers as it is told, run by run. */
function arenaOf(recoveries: Record<string, (seed: string) => number>, turns: string[] = []): Arena {
  return {
    contenders: Object.keys(recoveries).map(name => ({ name, title: `the ${name}`, atHandover: '' })),
    hasTcp: true,
    absent: ['the absent one: not installed'],
    about: 'made up',
    async run(name, _profile, seed, traffic) {
      turns.push(traffic === 'tcp' ? `${name} ${seed} ${traffic}` : `${name} ${seed}`)
      const one = run(name, recoveries[name](seed))
      return traffic === 'tcp' ? { ...one, tcp: TCP } : one
    },
    async close() {},
  }
}

const profile = loadProfile('outage-3s')

describe('a comparison', () => {
  it('lets all take turns with the same seed, in another order from round to round', async () => {
    const turns: string[] = []
    await compare({ arena: arenaOf({ a: () => 1, b: () => 2, c: () => 3 }, turns), profile, seed: 's', rounds: 8 })
    const rounds = Array.from({ length: 8 }, (_, i) => turns.slice(3 * i, 3 * i + 3))
    rounds.forEach((round, i) => {
      expect(round.toSorted()).to.deep.equal([`a s ${i + 1}`, `b s ${i + 1}`, `c s ${i + 1}`])
    })
    expect(new Set(rounds.map(round => round.map(turn => turn[0]).join(''))).size).to.be.above(1)
  })

  it('ends after six rounds when the intervals are narrow, and goes on when they are not', async () => {
    const narrow = await compare({ arena: arenaOf({ a: () => 100 }), profile, seed: 's' })
    expect([narrow.rounds, narrow.narrow]).to.deep.equal([6, true])
    let count = 0
    const wide = await compare({ arena: arenaOf({ a: () => 1000 * ++count }), profile, seed: 's' })
    expect([wide.rounds, wide.narrow]).to.deep.equal([MAX_ROUNDS, false])
  })

  it('goes on when a contender fails, and says why', async () => {
    const fail = (): number => {
      throw new Error('it does not start')
    }
    const result = await compare({ arena: arenaOf({ a: () => 1, b: fail }), profile, seed: 's', rounds: 1 })
    expect(result.failures).to.deep.equal(['round 1, the b: it does not start'])
    expect(reportText(result))
      .to.include('round 1, the b: it does not start')
      .and.include('the absent one: not installed')
  })

  it('sends TCP after echo train and paced flow in each turn, and says what it got and whether its connection survived', async () => {
    const turns: string[] = []
    const result = await compare({
      arena: arenaOf({ a: () => 12_345 }, turns),
      profile,
      seed: 's',
      traffic: ['udp', 'tcp'],
      rounds: 2,
    })
    expect(turns).to.deep.equal(['a s 1', 'a s 1 tcp', 'a s 2', 'a s 2 tcp'])
    expect(result.contenders[0].tcpRuns.map(({ tcp }) => tcp)).to.deep.equal([TCP, TCP])
    const lines = reportText(result).split('\n')
    expect(
      lines.some(line => /^the a +0\.3 +3210 +2 of 2$/.test(line)),
      lines.join('\n'),
    ).to.equal(true)
    expect(
      lines.some(line => /^the a +20\.0 +1\.0 +18\.0$/.test(line)),
      lines.join('\n'),
    ).to.equal(true)
    const broken = { ...result.contenders[0], tcpRuns: [{ ...run('a', 1), tcp: { ...TCP, hasSurvived: false } }] }
    expect(reportText({ ...result, contenders: [broken] })).to.match(/^the a .* 0 of 1$/m)
  })

  it('keeps what echo train and paced flow gave when TCP fails, and says so', async () => {
    const arena: Arena = arenaOf({ a: () => 1 })
    const failing: Arena = {
      ...arena,
      run: (name, profile, seed, traffic) =>
        traffic === 'tcp' ? Promise.reject(new Error('no way')) : arena.run(name, profile, seed, traffic),
    }
    const result = await compare({ arena: failing, profile, seed: 's', traffic: ['udp', 'tcp'], rounds: 1 })
    expect(result.contenders[0].runs).to.have.length(1)
    expect(result.failures).to.deep.equal(['round 1, the a, TCP: no way'])
  })

  it('gives no interval for fewer than six rounds', () => {
    expect(estimate([1, 2, 3, 4, 5])).to.deep.include({ low: -Infinity, high: Infinity })
    expect(estimate([1, 2, 3, 4, 5, 6])).to.deep.equal({ median: 3.5, low: 1, high: 6 })
    expect(estimate([Infinity, Infinity]).median).to.equal(Infinity)
    expect(estimate([2, 4]).median).to.equal(3)
    expect(isNarrow([{ runs: [1, 2, 3, 4, 5].map(ms => run('a', ms)) }])).to.equal(false)
  })

  it('takes "never within the run" for an answer that is certain when it is always so', () => {
    expect(isNarrow([{ runs: Array.from({ length: 6 }, () => run('a', Number.POSITIVE_INFINITY)) }])).to.equal(true)
  })

  it('names the winner whoever it is, and a draw where intervals meet', async () => {
    const texts = async (recoveries: Record<string, () => number>): Promise<string[]> =>
      verdict(await compare({ arena: arenaOf(recoveries), profile, seed: 's' }))
    expect((await texts({ ours: () => 80, theirs: () => 50 }))[0]).to.equal(
      "the theirs recovers first; no other's interval meets its own.",
    )
    let count = 0
    const [draw] = await texts({ ours: () => 50 + (count++ % 3), theirs: () => 51 })
    expect(draw).to.match(/recovers first, but no worse, as far as can be told: the (ours|theirs)\.$/)
  })

  it('fits into 80 columns', async () => {
    const result = await compare({
      arena: arenaOf({ a: () => 12_345, b: () => Infinity }),
      profile,
      seed: 's',
      traffic: ['udp', 'tcp'],
    })
    const quiet: CompareResult = {
      ...result,
      contenders: result.contenders.map(each => ({ ...each, runs: each.runs.map(one => ({ ...one, events: [] })) })),
    }
    for (const each of [result, quiet]) {
      for (const line of reportText(each).split('\n').slice(3, 30)) expect(line.length, line).to.be.at.most(80)
    }
  })
})

describe('npm run compare', function () {
  this.timeout(300_000)

  it('measures CONNECT-IP over nat-rebind without namespaces, and says what is missing', async () => {
    const { status, stdout } = await command(['compare', 'nat-rebind', '--quick', '--userspace', '--json'])
    expect(status).to.equal(0)
    const result = JSON.parse(stdout) as CompareResult
    expect(result).to.deep.include({ profile: 'nat-rebind', rounds: 1, failures: [] })
    expect(result.absent).to.deep.equal(['all others, and TCP inside: --userspace was given'])
    expect(result.contenders.map(({ name }) => name)).to.deep.equal(['connect-ip-told', 'connect-ip-reconnect'])
    for (const { runs } of result.contenders) {
      expect(runs).to.have.length(1)
      const { figures, echoes } = runs[0]
      expect(echoes).to.have.length(800)
      // It goes on with the next packet; the rest is for a machine that is busy.
      expect(figures.recoveryMs[0]).to.be.within(25, 2000)
      expect(figures.before?.p50Ms).to.be.above(30)
      expect(figures.during?.lost).to.be.below(50)
      expect(figures.goodputKbit).to.be.within(250, 330)
    }
  })

  it('says what to type next when no profile is named, and fails as any command does that lacks something', async () => {
    const { status, stdout, stderr } = await command(['compare'])
    expect([status, stdout]).to.deep.equal([1, ''])
    for (const name of profileNames()) expect(stderr).to.include(name)
    expect(stderr).to.include('npm run compare -- outage-3s --quick')
    expect(stderr.trim().split('\n')).to.have.length(1)
  })

  it('names the contenders in its help', async () => {
    const { stdout } = await command(['compare', '--help'])
    expect(stdout.replace(/\s+/g, ' ')).to.include(`--only <names> of ${CONTENDER_NAMES.join(', ')}`)
  })

  it('refuses a profile or a contender that is not there with one sentence', async () => {
    const profile = await command(['compare', 'no-such-profile'])
    expect([profile.status, profile.stderr]).to.deep.equal([1, profile.stderr.trim().split('\n')[0] + '\n'])
    const pigeon = await command(['compare', 'nat-rebind', '--userspace', '--only', 'carrier-pigeon'])
    expect(pigeon.status).to.equal(1)
    expect(pigeon.stderr).to.include("'carrier-pigeon' is not one of connect-ip, connect-ip-told")
    const absent = await command(['compare', 'nat-rebind', '--userspace', '--only', 'openvpn'])
    expect(absent.status).to.equal(1)
    expect(absent.stderr).to.match(
      /^openvpn cannot take part here, but these can: connect-ip-told, .*--userspace was given$/m,
    )
  })
})
