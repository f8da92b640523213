import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import {
  type CaseResult,
  caseTable,
  RUNNER_CASES,
  runnerCases,
  withCaseTable,
} from '../../interop/matrix/case-table.ts'
import { longMatrix, Notes, type Pass, page, shortMatrix } from '../../interop/matrix/render.ts'
import type { Outcome } from '../../interop/matrix/results.ts'
import { OTHER_TOPIC, topicOf } from '../../interop/matrix/topics.ts'
import type { Peer } from '../../interop/peers.ts'
import { readRows } from '../docs/conformance-table.ts'

function peer(name: string, suites: string[]): Peer {
  return {
    name,
    version: '1.0',
    home: [name, 'https://example.org/'],
    origin: 'C, a registry',
    purpose: 'a test',
    columns: suites.map(suite => ({ role: 'client', suite })),
    needsQuic: true,
    tests: [],
    prepare: async () => {},
  }
}

const PASSED: Outcome = { kind: 'passed' }
const FAILED: Outcome = { kind: 'failed' }
const FAULT: Outcome = { kind: 'known-fault', note: 'it cannot do this' }
const [one, two, absent] = [peer('one', ['suite one']), peer('two', ['suite two']), peer('absent', ['suite three'])]

const pass: Pass = {
  engine: 'quiche',
  results: new Map<string, Map<string, Outcome>>([
    [
      'suite one',
      new Map<string, Outcome>([
        ['CIP-13 asks', PASSED],
        ['CIP-13 asks again', FAILED],
        ['pings many times', PASSED],
      ]),
    ],
    [
      'suite two',
      new Map<string, Outcome>([
        ['CIP-13 asks', FAULT],
        ['CIP-03 takes */*', PASSED],
      ]),
    ],
  ]),
}

const run = {
  peers: [one, two, absent],
  skipped: new Map([[absent, 'its language is missing']]),
  passes: [pass],
}

/** The cells of the row that begins with `first`. */
function row(table: string, first: string): string[] {
  const line = table.split('\n').find(line => line.startsWith(`| ${first}`)) ?? ''
  return line.split(/(?<!\\)\|/).map(cell => cell.trim())
}

describe('the matrix of the interoperability tests', () => {
  it('has a topic of its own for each row of docs/conformance.md', () => {
    const strangers = readRows()
      .map(({ id }) => id)
      .filter(id => topicOf(`${id} does something`) === OTHER_TOPIC)
    expect(strangers).to.deep.equal([])
  })

  it('counts what passed by topic and peer, and leaves out peers that were skipped', () => {
    const table = shortMatrix(run, pass)
    expect(row(table, ' ')).to.deep.equal(['', '', 'one client', 'two client', ''])
    expect(row(table, 'Addresses')).to.deep.equal(['', 'Addresses', '**1 of 2**', '0 (1)', ''])
    expect(row(table, OTHER_TOPIC)).to.deep.equal(['', OTHER_TOPIC, '1', '', ''])
    expect(row(table, '**all**')).to.deep.equal(['', '**all**', '**2 of 3**', '1 (1)', ''])
  })

  it('shows a known fault of a peer with its footnote, never as passed', () => {
    const notes = new Notes()
    const table = longMatrix(run, notes)
    expect(row(table, 'CIP-13 asks ')).to.deep.equal(['', 'CIP-13 asks', '✔', '◐ (1)', ''])
    expect(row(table, 'CIP-13 asks again')).to.deep.equal(['', 'CIP-13 asks again', '✘', '', ''])
    expect(notes.lines()).to.deep.equal(['1. it cannot do this'])
    expect(page(run)).to.include('1. it cannot do this')
  })

  it('says of a case which engine it passed with where they differ, and has each engine’s numbers', () => {
    const ofOne = pass.results.get('suite one') as Map<string, Outcome>
    const other: Pass = {
      engine: 'typescript',
      results: new Map([['suite one', new Map([...ofOne, ['CIP-13 asks', FAILED]])]]),
    }
    const both = { ...run, passes: [pass, other] }
    const table = longMatrix(both, new Notes())
    expect(row(table, 'CIP-13 asks ')).to.deep.equal(['', 'CIP-13 asks', '✔ quiche, ✘ typescript', '◐ (1)', ''])
    expect(row(table, 'CIP-13 asks again')).to.deep.equal(['', 'CIP-13 asks again', '✘', '', ''])
    const [, quiche, typescript] = page(both).split('## With QUIC by ')
    expect(row(quiche, '**all**')).to.deep.equal(['', '**all**', '**2 of 3**', '1 (1)', ''])
    expect(row(typescript, '**all**')).to.deep.equal(['', '**all**', '**1 of 3**', ''])
  })

  it('keeps asterisks of a scope from becoming emphasis', () => {
    expect(longMatrix(run, new Notes())).to.include('| CIP-03 takes \\*/\\* |')
  })
})

describe('the table of the interop runner’s cases', () => {
  const suite = 'our QUIC, a client of quic-go'
  const of = (engine: string, outcomes: [string, Outcome][]): Pass => ({
    engine,
    results: new Map([
      [suite, new Map(outcomes)],
      [
        'our client against the Go proxy',
        new Map<string, Outcome>([
          ['asks', PASSED],
          ['CIP-13 asks', engine === 'quiche' ? FAILED : PASSED],
        ]),
      ],
    ]),
  })
  const passes = [
    of('typescript', [
      ['QUIC transfer: all of it', PASSED],
      ['QUIC transferloss: all of it', FAILED],
      ['QUIC goodput: fast', { kind: 'passed', remark: '8.5' }],
    ]),
    of('quiche', [['QUIC keyupdate: new keys', { kind: 'skipped', remark: 'it cannot say' }]]),
  ]
  const found = (name: string, client: string) =>
    runnerCases(passes).find(each => each.case === name && each.client === client && each.server === 'quic-go')

  it('has what ran, by name, and tells what did not with its reason', () => {
    expect(found('transfer', 'typescript')?.result).to.equal('passed')
    expect(found('transferloss', 'typescript')?.result).to.equal('failed')
    expect(found('goodput', 'typescript')?.goodput).to.equal('8.5')
    expect(found('transfer', 'quiche')?.result).to.equal('untried')
    expect(found('keyupdate', 'quiche')?.why).to.equal('it cannot say')
  })

  it('takes HTTP/3 for passed when all cases over it are', () => {
    expect(found('http3', 'typescript')?.result).to.equal('passed')
    expect(found('http3', 'quiche')?.result).to.equal('failed')
  })

  it('has a row for each case and a column for each pair, with letters for the reasons', () => {
    const text = caseTable(runnerCases(passes))
    const head = row(text, 'client → server').map(cell => cell.replace(/ → /, '>'))
    const at = (client: string) => head.indexOf(`${client}>quic-go`)
    expect(row(text, 'transferloss ')[at('typescript')]).to.equal('✘')
    expect(row(text, 'goodput ')[at('typescript')]).to.equal('✔ 8.5')
    expect(row(text, 'transfer ')[at('quiche')]).to.equal('—')
    expect(row(text, 'keyupdate ')[at('quiche')]).to.equal('— a')
    expect(text).to.include('- a: it cannot say')
    for (const name of RUNNER_CASES) expect(row(text, `${name} `), name).to.have.length(head.length)
  })

  it('takes a figure from a case that was measured, never the reason of one beside it that was left out', () => {
    const suite = 'our client against the Go proxy'
    const outcomes: [string, Outcome][] = [
      ['asks', { kind: 'skipped', remark: 'it cannot say' }],
      ['CIP-13 asks', PASSED],
    ]
    const [typescript] = runnerCases([{ engine: 'typescript', results: new Map([[suite, new Map(outcomes)]]) }]).filter(
      each => each.case === 'http3' && each.client === 'typescript' && each.server === 'quic-go',
    )
    expect(typescript).to.deep.equal({ case: 'http3', client: 'typescript', server: 'quic-go', result: 'passed' })
  })

  it('is in docs/interop.md what docs/interop-cases.json says, so that it can be written without a run', () => {
    const read = (name: string) => readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8')
    const cases = JSON.parse(read('interop-cases.json')) as CaseResult[]
    expect(withCaseTable(read('interop.md'), cases)).to.equal(read('interop.md'))
    expect(withCaseTable(read('interop.md'), runnerCases(passes))).to.not.equal(read('interop.md'))
    for (const { goodput, why } of cases) {
      if (goodput !== undefined) expect(goodput).to.match(/^[\d.]+( \+ [\d.]+)*$/)
      expect(goodput === undefined || why === undefined).to.equal(true)
    }
  })
})
