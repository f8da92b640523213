import type { Column, Peer } from '../peers.ts'
import { caseTable, runnerCases } from './case-table.ts'
import type { Outcome, Results } from './results.ts'
import { table } from './table.ts'
import { ALL_TOPICS, topicOf } from './topics.ts'

/** What a run has shown: the peers that took part, and why the others did not. */
export interface Run {
  peers: readonly Peer[]
  skipped: ReadonlyMap<Peer, string>
  /** One for each engine that was tried. */
  passes: readonly Pass[]
}

/** What came of all cases with QUIC by one engine of ours. */
export interface Pass {
  engine: string
  results: Results
}

/** The short matrix as a table of Markdown: what it is about × peer, with how many cases passed. */
export function shortMatrix(run: Run, pass: Pass, notes: Notes = new Notes()): string {
  const columns = columnsOf(run).filter(({ column }) => casesOf(pass, column).length > 0)
  const rows = ALL_TOPICS.map(title => [
    title,
    ...columns.map(({ column }) =>
      summary(
        casesOf(pass, column).filter(([name]) => topicOf(name) === title),
        notes,
      ),
    ),
  ])
  const total = ['**all**', ...columns.map(({ column }) => summary(casesOf(pass, column), notes))]
  return table(['', ...columns.map(heading)], [...rows.filter(row => row.slice(1).some(cell => cell !== '')), total])
}

/** Every case × peer. Cases of the same name share a row. Where the engines differ, a cell says which is which. */
export function longMatrix(run: Run, notes: Notes): string {
  const columns = columnsOf(run)
  const sections: string[] = []
  const all = new Set(
    run.passes.flatMap(pass => columns.flatMap(({ column }) => casesOf(pass, column).map(([name]) => name))),
  )
  for (const topic of ALL_TOPICS) {
    const names = [...all].filter(name => topicOf(name) === topic).sort()
    // Only the peers that have a case here.
    const here = columns.filter(({ column }) => names.some(name => marks(run, column, name, notes) !== ''))
    if (here.length === 0) continue
    const rows = names.map(name => [name, ...here.map(({ column }) => marks(run, column, name, notes))])
    sections.push(`### ${topic}\n\n${table(['case', ...here.map(heading)], rows)}`)
  }
  return sections.join('\n\n')
}

/** docs/interop.md as a whole. */
export function page(run: Run): string {
  const notes = new Notes()
  const short = run.passes
    .map(pass => `## With QUIC by ${pass.engine}\n\n${shortMatrix(run, pass, notes)}`)
    .join('\n\n')
  const long = longMatrix(run, notes)
  const peers = run.peers.map(({ name, version, home, origin, purpose }) => [
    `[${name}](${home[1]}) ${version}`,
    origin,
    purpose,
  ])
  return `# Interoperability

Written by \`npm run test:interop -- --write\`; how it works, and how to add a peer: [interop/README.md](../interop/README.md).
No one here wrote these peers, but for one of our two engines, so they can only agree with masque-lab where both follow the RFCs.

${table(['peer', 'language, registry', 'what it shows'], peers)}

A column's heading says what the peer is: a **client** of our proxy, a **proxy** of our client, or a **server** of QUIC alone. A cell says how many cases passed; ✔ passed,
✘ failed. A number in brackets, or at the mark ◐, is a known fault of the peer, told below: the case was tried, and must fail.
All that needs QUIC is tried with each engine of ours (\`quic.engine\`); in the table of every case, a cell with one mark is the same with both.

${caseTable(runnerCases(run.passes))}

${short}
${notes.text()}
## Every case

${long}
`
}

/** Footnotes: known faults of peers, numbered as they are met. */
export class Notes {
  readonly #texts: string[] = []

  number(text: string): number {
    const known = this.#texts.indexOf(text)
    return known >= 0 ? known + 1 : this.#texts.push(text)
  }

  /** As a list; an empty string when there are none. */
  text(): string {
    return this.#texts.length === 0 ? '' : `\nKnown faults of peers:\n\n${this.lines().join('\n')}\n`
  }

  lines(): string[] {
    return this.#texts.map((text, i) => `${i + 1}. ${text}`)
  }
}

interface PeerColumn {
  peer: Peer
  column: Column
}

function columnsOf({ peers, skipped }: Run): PeerColumn[] {
  return peers.flatMap(peer => (skipped.has(peer) ? [] : peer.columns.map(column => ({ peer, column }))))
}

const heading = ({ peer, column }: PeerColumn) => `${peer.name} ${column.role}`

function casesOf({ results }: Pass, column: Column): [string, Outcome][] {
  return [...(results.get(column.suite) ?? [])]
}

/** The mark of a case, or where they differ one for each engine: `✔ quiche, ✘ typescript`. */
function marks({ passes }: Run, column: Column, name: string, notes: Notes): string {
  const found = passes.flatMap(({ engine, results }) => {
    const outcome = results.get(column.suite)?.get(name)
    return outcome === undefined ? [] : [{ engine, mark: mark(outcome, notes) }]
  })
  const isSame = found.every(each => each.mark === found[0]?.mark)
  return isSame ? (found[0]?.mark ?? '') : found.map(each => `${each.mark} ${each.engine}`).join(', ')
}

/** `12` all passed; `11 of 12`; `(1)` is the footnote of a known fault. */
function summary(cases: [string, Outcome][], notes: Notes): string {
  if (cases.length === 0) return ''
  const judged = cases.filter(([, { kind }]) => kind === 'passed' || kind === 'failed')
  const passed = judged.filter(([, { kind }]) => kind === 'passed').length
  const faults = cases.flatMap(([, outcome]) => (outcome.kind === 'known-fault' ? [notes.number(outcome.note)] : []))
  const count = passed === judged.length ? `${passed}` : `**${passed} of ${judged.length}**`
  return [count, ...[...new Set(faults)].map(number => `(${number})`)].join(' ')
}

function mark(outcome: Outcome, notes: Notes): string {
  switch (outcome.kind) {
    case 'passed':
      return '✔'
    case 'failed':
      return '✘'
    case 'skipped':
      return 'skipped'
    case 'known-fault':
      return `◐ (${notes.number(outcome.note)})`
  }
}
