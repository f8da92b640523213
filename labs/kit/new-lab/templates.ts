/**
 * The files of a new lab. It works at once, with one small coding task and one question; what it is about is then changed bit
 * by bit, and at every step there is something that runs.
 */

/** By path from the top of the repository. */
export function newLabFiles(number: number, topic: string): Record<string, string> {
  const id = `lab-${String(number).padStart(2, '0')}-${topic}`
  const title = topic.charAt(0).toUpperCase() + topic.slice(1).replaceAll('-', ' ')
  const lab = `labs/${id}`
  return {
    [`${lab}/lab.ts`]: labFile(id, number, title),
    [`${lab}/checks/hops.ts`]: hopsCheck(),
    [`${lab}/checks/ping.ts`]: pingCheck(),
    [`${lab}/ui.tsx`]: uiFile(number),
    [`${lab}/README.md`]: readme(id, number, title),
    [`${lab}/start/hops.ts`]: exercise(
      "  // TODO: each router on the way takes one.\n  throw new Error('TODO: ttlAfter')",
    ),
    [`${lab}/start/answers.toml`]: answers(''),
    [`solutions/${id}/hops.ts`]: exercise('  return Math.max(0, ttl - routers)'),
    [`solutions/${id}/answers.toml`]: answers('63'),
    [`${lab}/mutants/hops.ts`]: MUTANTS,
    [`${lab}/netem/delay.sh`]: netem(id),
    [`test/labs/${id}/solution.test.ts`]: test(id, number),
  }
}

const MUTANTS = `/** Wrong solutions of \`hops\`: what the student believes, what the feedback has to say, and how the solution looks then. */
import { mutants } from '../../kit/grading/mutants.ts'

export default mutants('hops.ts', {
  'below-zero': {
    misconception: 'goes below zero',
    says: 'dropped',
    edits: [['Math.max(0, ttl - routers)', 'ttl - routers']],
  },
  'one-too-few': {
    misconception: 'the last router is forgotten',
    says: 'every router',
    edits: [['ttl - routers', 'ttl - Math.max(0, routers - 1)']],
  },
  'one-too-many': {
    misconception: 'the sender counts as a router',
    says: 'sender',
    edits: [['ttl - routers', 'ttl - routers - 1']],
  },
  'no-decrement': {
    misconception: 'nothing is taken',
    says: 'every router',
    edits: [['Math.max(0, ttl - routers)', 'ttl']],
  },
  'always-from-64': {
    misconception: 'every packet begins with 64',
    says: 'the TTL that is given',
    edits: [['ttl - routers', '64 - routers']],
  },
})
`

function exercise(body: string): string {
  return `/** The TTL of a packet after it has passed \`routers\` routers; 0 when it was dropped on the way. */
export function ttlAfter(ttl: number, routers: number): number {
${body}
}
`
}

function answers(host: string): string {
  return `# What you answer to the questions of the tasks.\n\n[ping]\nttl = "${host}"\n`
}

function labFile(id: string, number: number, title: string): string {
  return `/** Lab ${number} as data. The check of each task is in \`checks/\`, under its name. */
import { defineLab } from '../kit/lab/declare.ts'

export const lab = defineLab({
  at: import.meta.url,
  id: '${id}',
  number: ${number},
  title: '${title}',
  summary: 'One sentence about what is done here, for the list of labs.',
  objectives: ['say what a student can do afterwards that they could not do before'],
  prerequisites: ['lab 1'],
  minutes: 30,
  reading: ['RFC 9484 §7.2 Routing Operation'],
  panel: async () => (await import('./ui.tsx')).HopsPanel,
  tasks: [
    {
      id: 'hops',
      title: 'Count the hops',
      kind: 'coding',
      points: 10,
      files: ['hops.ts'],
      brief: \`
        Every router takes one from a packet's TTL. With none left, the packet is dropped.

        In \\\`hops.ts\\\`, write \\\`ttlAfter\\\`.
      \`,
      hints: ['How many routers does a packet pass that is for a host on the same link?', 'It cannot become negative.'],
      reading: ['RFC 791 §3.2, Time to Live'],
    },
    {
      id: 'ping',
      title: 'One tunnel, how many hops?',
      kind: 'question',
      points: 5,
      files: ['answers.toml'],
      brief: \`
        A host behind the proxy answers a ping with TTL 64, and the answer comes to the client through the tunnel.
      \`,
      questions: [{ id: 'ttl', prompt: 'With which TTL does it arrive?', placeholder: 'a number' }],
      hints: ['A tunnel has two ends, and only at one of them the packet is forwarded.'],
      reading: ['RFC 9484 §7.2 Routing Operation'],
    },
  ],
})
`
}

function hopsCheck(): string {
  return `/** Task 1: hops. */
import { Seeded } from '../../kit/check/seeded.ts'
import type { CheckContext, Feedback } from '../../kit/lab/types.ts'

const READ = ['RFC 791 §3.2, Time to Live']

// Cases ----------------------------------------------------------------------------------------------------------------

const HIDDEN = 20

/** Known ones first; then hidden ones, which differ from student to student; then the hostile ones. */
function casesFor(seed: string): [ttl: number, routers: number][] {
  const random = new Seeded(seed)
  const hidden = random.list(HIDDEN, (): [number, number] => [random.int(20, 255), random.int(0, 19)])
  return [[64, 0], [64, 1], [255, 3], ...hidden, [1, 1], [3, 200]]
}

// Reference ------------------------------------------------------------------------------------------------------------

const reference = (ttl: number, routers: number): number => Math.max(0, ttl - routers)

/** The usual mistakes, by what they look like from outside. */
function misconception(ttl: number, routers: number, found: number): string | undefined {
  if (found < 0) return 'A packet whose TTL is used up is dropped: the number never goes below zero.'
  if (found === ttl - routers - 1) return 'The sender is no router: it takes nothing from the TTL of its own packet.'
  if (found === 64 - routers) return 'Count from the TTL that is given. 64 is only what many systems begin with.'
  if (found === ttl - routers + 1 || found === ttl) return 'Take one for every router on the way, for the first and the last as well.'
  return undefined
}

// Judgement ------------------------------------------------------------------------------------------------------------

export async function check(context: CheckContext): Promise<Feedback> {
  const cases = casesFor(context.seed)
  const results = await context.do('call ttlAfter for known and hidden packets', () =>
    context.student.batch<number>('hops.ts', 'ttlAfter', cases),
  )
  for (const [index, [ttl, routers]] of cases.entries()) {
    const result = results[index]
    if (!result.ok) throw result.error
    const expected = reference(ttl, routers)
    const why = misconception(ttl, routers, result.value)
    context.show('case', { ttl, routers, found: result.value, expected })
    context.progress(index + 1, cases.length)
    context.expect(\`TTL \${ttl} after \${routers} routers\`, result.value === expected, {
      expected: \`ttlAfter(\${ttl}, \${routers}) to return \${expected}\`,
      found: String(result.value),
      misconception: why,
      read: READ,
    })
  }
  return {
    passed: true,
    expected: 'one less for every router, and never below zero',
    found: \`\${cases.length} of \${cases.length} packets right\`,
    read: READ,
  }
}
`
}

function pingCheck(): string {
  return `/** Task 2: ping. */
import { expectNumber } from '../../kit/check/questions.ts'
import type { CheckContext, Feedback } from '../../kit/lab/types.ts'

const READ = ['RFC 9484 §7.2 Routing Operation']

export async function check(context: CheckContext): Promise<Feedback> {
  const ttl = expectNumber(context, 'ttl', {
    right: 63,
    wrong: {
      62: 'The client end is where the packet arrives; nothing is forwarded there.',
      64: 'The proxy forwards the packet from one link to another, as a router does.',
    },
    read: READ,
  })
  return { passed: true, expected: 'TTL 63', found: \`your answer, \${ttl}\`, read: READ }
}
`
}

function uiFile(number: number): string {
  return `/** The panel of lab ${number}: the packet that the check is looking at. */
import type { Line } from '../kit/lab/text.ts'
import type { PanelProps } from '../kit/lab/types.ts'
import { linesPanel } from '../kit/ui/lines-panel.tsx'

/** What the check shows under the key \`case\`. */
interface Case {
  ttl: number
  routers: number
  expected: number
  found: number
}

/** \`64 --> R --> R --> 62\`, one line of text for each row. */
function lines({ live, width, marks }: PanelProps): Line[] {
  const shown = live.shown.case as Case | undefined
  if (!shown) return []
  const { ttl, routers, expected, found } = shown
  const drawn = Math.min(routers, Math.floor((width - 30) / 6))
  const way = \`\${' --> R'.repeat(drawn)}\${drawn < routers ? ' ...' : ''} --> \`
  const right = found === expected
  return [
    [
      { text: String(ttl), style: 'strong' },
      { text: way, style: 'muted' },
      { text: \`\${found} \${right ? marks.good : marks.bad}\`, style: right ? 'good' : 'bad' },
      ...(right ? [] : [{ text: \` (\${expected})\` }]),
    ],
  ]
}

export const HopsPanel = linesPanel(lines)
`
}

function readme(id: string, number: number, title: string): string {
  return `# Lab ${number}: ${title}

\`\`\`
npm run lab -- ${number}
\`\`\`

## Learning goals

After this lab you can ...

## Background

A figure is worth a paragraph:

\`\`\`
client ====== tunnel ====== proxy ------ host
\`\`\`

## Tasks

1. **Count the hops.** Edit \`labs/${id}/exercises/hops.ts\`.
2. **One tunnel, how many hops?** Answer in the terminal, or in \`labs/${id}/exercises/answers.toml\`.

\`netem/delay.sh\` impairs the link (Linux, root), shows what a ping makes of it, and takes it back.

## Questions for the report

1. ...
`
}

function netem(id: string): string {
  return `#!/usr/bin/env bash
# Delays everything on loopback, measures the delay with ping, and takes it away again. Linux, as root:
#
#   sudo labs/${id}/netem/delay.sh [milliseconds]
#
# The delay counts once in each direction, so a ping takes twice as long.
set -euo pipefail
delay=\${1:-20}
case $delay in '' | *[!0-9]*)
  echo "delay.sh: '$delay': a whole number of milliseconds is expected" >&2
  exit 2
  ;;
esac
if [ "$(id -u)" != 0 ]; then
  echo "delay.sh: only root may change a network device; run it with sudo" >&2
  exit 1
fi
if ! tc qdisc add dev lo root netem delay "\${delay}ms"; then
  echo "delay.sh: lo takes no netem: the kernel lacks sch_netem, or something else is there already (tc qdisc show dev lo)" >&2
  exit 1
fi
# Only now: what somebody else put there is not ours to take away.
trap 'tc qdisc del dev lo root 2>/dev/null || true' EXIT
average=$(ping -q -n -c 5 -i 0.2 127.0.0.1 | sed -nE 's|^rtt [^=]*= [^/]*/([0-9.]+)/.*|\\1|p')
echo "expected: $((2 * delay)) ms or a little more; measured: $average ms"
awk -v measured="$average" -v least="$((2 * delay))" 'BEGIN { exit !(measured >= least && measured < 1.5 * least + 10) }'
`
}

function test(id: string, number: number): string {
  return `import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { runCheck, runChecks } from '../../../labs/kit/run/engine.ts'
import { mutated } from '../../../labs/kit/grading/mutants.ts'
import { lab } from '../../../labs/${id}/lab.ts'
import hops from '../../../labs/${id}/mutants/hops.ts'

const TOP = join(import.meta.dirname, '..', '..', '..')

describe('lab ${number}, checked as it is graded', () => {
  let root: string
  const exercises = () => join(root, 'labs', lab.id, 'exercises')
  const overlay = (folder: string) => cpSync(folder, exercises(), { recursive: true })
  const options = () => ({ root, mode: 'unattended' as const, seed: 'test' })

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'masque-lab-test-'))
    overlay(join(TOP, 'labs', lab.id, 'start'))
  })
  afterEach(() => rmSync(root, { recursive: true, force: true }))

  it('passes the reference solution in every task', async () => {
    overlay(join(TOP, 'solutions', lab.id))
    const results = await runChecks(lab, lab.tasks, options())
    expect(results.filter(result => !result.passed).map(result => result.feedback)).to.deep.equal([])
  })

  it('fails the starting files in every task', async () => {
    const results = await runChecks(lab, lab.tasks, options())
    expect(results.filter(result => result.passed).map(result => result.task)).to.deep.equal([])
  })

  for (const mutant of hops) {
    it(\`hops: rejects \${mutant.id}, with feedback that fits\`, async () => {
      overlay(join(TOP, 'solutions', lab.id))
      const file = join(exercises(), mutant.file)
      writeFileSync(file, mutated(mutant, readFileSync(file, 'utf8')))
      const { passed, feedback } = await runCheck(lab, lab.tasks[0], options())
      expect(passed).to.equal(false)
      expect(JSON.stringify(feedback)).to.include(mutant.says)
    })
  }
})
`
}
