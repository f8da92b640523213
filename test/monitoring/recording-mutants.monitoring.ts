/** Whether the tests of the recording rules would notice a mistake in them: each rule with one mistake at a time, and promtool has to fail each of them. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { parse, stringify } from 'yaml'
import { read } from '../docs/repository.ts'
import { PATIENCE_MS } from '../support/patience.ts'

interface Rule {
  record: string
  expr: string
}
interface Rules {
  groups: { name: string; rules: Rule[] }[]
}

/** What is looked for in an expression, and what may stand there by mistake. */
const MISTAKES: readonly (readonly [RegExp, readonly string[]])[] = [
  [/\bsum\b/g, ['avg', 'max', 'min', 'count']],
  [/\brate\b/g, ['increase', 'irate', 'delta', 'idelta']],
  [/\[1m\]/g, ['[30s]', '[90s]', '[5m]']],
  [/^8 \* /g, ['', '1 * ', '9 * ', '8 + ']],
  [/ \/ /g, [' * ', ' - ']],
  [/ \+ /g, [' - ', ' * ']],
  [/job, /g, ['']],
  [/job, instance/g, ['job']],
  [/, (?:direction|reason|family|le)\b/g, ['', ', instance']],
  [/\bby\b/g, ['without']],
  [/\{direction="sent"\}/g, ['', '{direction="received"}']],
  [/\(0\.5,/g, ['(0.45,', '(0.9,']],
  [/\(0\.99,/g, ['(0.95,', '(0.995,', '(0.9,']],
  [/masque_vpn_bytes_total/g, ['masque_vpn_packets_total']],
  [/masque_vpn_packets_total/g, ['masque_vpn_bytes_total', 'masque_vpn_packets_dropped_total']],
  [/masque_vpn_packets_dropped_total/g, ['masque_vpn_packets_total']],
  [/masque_vpn_quic_packets_lost_total/g, ['masque_vpn_quic_packets_total']],
  [/masque_vpn_quic_packets_total/g, ['masque_vpn_quic_packets_lost_total', 'masque_vpn_packets_total']],
  [/masque_vpn_ip_pool_used\)/g, ['masque_vpn_ip_pool_total)']],
  [/masque_vpn_ip_pool_total\)/g, ['masque_vpn_ip_pool_used)']],
  [/instance_reason:masque_vpn_packets_dropped:rate1m/g, ['instance_direction:masque_vpn_packets:rate1m']],
  [
    /instance_direction:masque_vpn_packets:rate1m/g,
    ['instance_reason:masque_vpn_packets_dropped:rate1m', 'instance_direction:masque_vpn_bits:rate1m'],
  ],
]

/** A quantile is the same whether all buckets are counted by the second or the minute, added up or halved: no mistakes there. */
const SAME_QUANTILE = ['increase', 'avg']

/** Each place of each mistake. */
function* mutantsOf({ expr }: Rule): Iterable<string> {
  for (const [pattern, replacements] of MISTAKES) {
    for (const { index, 0: found } of expr.matchAll(pattern)) {
      for (const replacement of replacements) {
        if (expr.startsWith('histogram_quantile') && SAME_QUANTILE.includes(replacement)) continue
        yield expr.slice(0, index) + replacement + expr.slice(index + found.length)
      }
    }
  }
}

describe('the tests of the recording rules', () => {
  let folder: string
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'masque-recording-'))
  })
  after(() => rmSync(folder, { recursive: true, force: true }))

  const tests = read('monitoring/rules/tests/recording.test.yml')
  const rules = parse(read('monitoring/rules/recording.yml')) as Rules

  /** So many at a time. */
  const CHUNK = 25
  const passing = (variants: readonly { name: string; rules: Rules }[]): string[] =>
    Array.from({ length: Math.ceil(variants.length / CHUNK) }, (_, i) =>
      passingOf(variants.slice(i * CHUNK, (i + 1) * CHUNK)),
    ).flat()

  /** Of files with these rules: those of which promtool finds nothing wrong. */
  const passingOf = (variants: readonly { name: string; rules: Rules }[]): string[] => {
    const files = variants.map(({ rules }, i) => {
      const place = join(folder, String(i))
      mkdirSync(join(place, 'tests'), { recursive: true })
      writeFileSync(join(place, 'recording.yml'), stringify(rules))
      const file = join(place, 'tests', 'recording.test.yml')
      writeFileSync(file, tests)
      return file
    })
    const { stdout, stderr } = spawnSync('promtool', ['test', 'rules', ...files], {
      encoding: 'utf8',
      timeout: PATIENCE_MS,
      maxBuffer: 64 << 20,
    })
    // What fails is told on the other stream.
    const results = new Map(
      [...stdout.matchAll(/Unit Testing: +(\S+)\n( +SUCCESS)?/g)].map(([, file, success]) => [
        file,
        success !== undefined,
      ]),
    )
    expect(results.size, stderr.slice(0, 2000)).to.equal(files.length)
    return variants.flatMap(({ name }, i) => (results.get(files[i]) ? [name] : []))
  }

  it('pass with the rules as they are, and fail with each rule away, under another name, or with one mistake in it', () => {
    const asTheyAre = passing([{ name: 'as they are', rules }])
    expect(asTheyAre).to.deep.equal(['as they are'])
    const changed = (rule: Rule, to: Rule | undefined): Rules => ({
      groups: rules.groups.map(group => ({
        ...group,
        rules: group.rules.flatMap(each => (each !== rule ? [each] : to === undefined ? [] : [to])),
      })),
    })
    const variants = rules.groups
      .flatMap(group => group.rules)
      .flatMap(rule => [
        { name: `without ${rule.record}`, rules: changed(rule, undefined) },
        { name: `${rule.record} under another name`, rules: changed(rule, { ...rule, record: `${rule.record}x` }) },
        ...[...mutantsOf(rule)].map(expr => ({
          name: `${rule.record}: ${expr}`,
          rules: changed(rule, { ...rule, expr }),
        })),
      ])
    // So that it does not pass because nothing was changed.
    expect(variants.length).to.be.greaterThan(150)
    expect(passing(variants)).to.deep.equal([])
  })
})
