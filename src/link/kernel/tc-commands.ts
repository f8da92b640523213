/**
 * Commands of tc, and what `tc qdisc show` prints, as data: which queueing discipline stands on which device, with which words.
 * Nothing is known here of what the words mean; tc-import.ts does.
 */

/** One queueing discipline, or a class of htb. */
export interface TcNode {
  /** The line of the text, from 1. */
  line: number
  device: string
  /** `root`, or what it hangs below, such as `1:1`. */
  parent: string
  kind: string
  words: string[]
  /** From the output of `show`, whose spelling is another one. */
  isShown: boolean
}

/** Something in the text that is no command of tc, or one that makes no sense. The message is for people. */
export class TcImportError extends Error {
  override name = 'TcImportError'
}

export interface TcText {
  nodes: TcNode[]
  /** What was passed over, in sentences. */
  notes: string[]
}

/** What comes with Linux on every device, and impairs nothing. */
const HARMLESS = ['noqueue', 'pfifo_fast', 'fq_codel', 'fq', 'mq', 'noop']

/** Throws TcImportError that names the line. */
export function readTcText(text: string): TcText {
  const nodes: TcNode[] = []
  const notes: string[] = []
  const joined = text.replace(/\\\r?\n/g, ' ')
  for (const [index, raw] of joined.split(/\r?\n/).entries()) {
    for (const command of raw.split(/;|&&|\|\|/)) {
      const words = command.trim().split(/\s+/)
      const said = commandOf(words, /^\s/.test(raw))
      if (said === undefined) continue
      if (said === 'unknown') {
        throw new TcImportError(
          `line ${index + 1}: found ${quoted(words.join(' '))}, expected a command such as "tc qdisc add dev eth0 root netem delay 100ms", or what "tc qdisc show" prints`,
        )
      }
      obey(said, index + 1, nodes, notes)
    }
  }
  return { nodes, notes }
}

/** The words behind `tc`; undefined: nothing to obey. */
function commandOf(words: string[], isIndented: boolean): string[] | undefined | 'unknown' {
  let at = 0
  // A prompt. Behind a `#` it may also be a comment.
  if (words[0] === '$' || words[0] === '#' || words[0] === '%') at++
  const isComment = words[0].startsWith('#')
  if (words[at] === 'sudo') for (at++; words[at]?.startsWith('-'); at++);
  if (words[at] === 'ip' && words[at + 1] === 'netns' && words[at + 2] === 'exec') at += 4
  if (words[at]?.split('/').at(-1) === 'tc') {
    for (at++; words[at]?.startsWith('-'); at++);
    return words.slice(at)
  }
  if (words[at] === 'qdisc' || words[at] === 'class') return words.slice(at)
  // Blank lines, comments, statistics below a line of `tc -s qdisc show`.
  const isStatistics = isIndented && /^(Sent|backlog|rate|lended:|tokens:|maxpacket|new_flows_len)/.test(words[0])
  return words[0] === '' || isComment || isStatistics ? undefined : 'unknown'
}

function obey(words: string[], line: number, nodes: TcNode[], notes: string[]): void {
  const [object, verb, ...rest] = words
  const fail = (what: string): never => {
    throw new TcImportError(`line ${line}: ${what}`)
  }
  if (object !== 'qdisc' && object !== 'class') {
    notes.push(
      `"tc ${object} ${verb ?? ''}": packets are not chosen in a profile, all of a direction are treated alike`,
    )
    return
  }
  const isCommand = ['add', 'change', 'replace', 'link', 'del', 'delete'].includes(verb)
  // `qdisc netem 1: dev eth0 root …`: the kind comes first, and then the handle.
  const node: TcNode = {
    line,
    device: '',
    parent: '',
    kind: isCommand ? '' : (verb ?? ''),
    words: [],
    isShown: !isCommand,
  }
  const at = { index: isCommand ? 0 : 1 }
  const value = (name: string): string => rest[++at.index] ?? fail(`found ${name} without a value behind it`)
  place: for (; at.index < rest.length; at.index++) {
    switch (rest[at.index]) {
      case 'dev':
        node.device = value('dev')
        break
      case 'parent':
        node.parent = value('parent')
        break
      case 'root':
      case 'ingress':
      case 'clsact':
        node.parent = rest[at.index]
        break
      case 'handle':
      case 'classid':
      case 'refcnt':
        value(rest[at.index])
        break
      case 'offloaded':
      case 'deleted':
        break
      default:
        break place
    }
  }
  if (isCommand) node.kind = rest[at.index++] ?? ''
  node.words = rest.slice(at.index)
  // `tc class show dev eth0` does not repeat the device.
  if (node.device === '' && node.isShown) node.device = nodes.at(-1)?.device ?? 'dev'
  if (node.kind === '' && (node.parent === 'ingress' || node.parent === 'clsact')) {
    notes.push(`line ${line}: ${node.parent}: what a device receives; give the commands for the device behind it (ifb)`)
    return
  }
  if (node.device === '') fail(`found no device, expected "dev NAME" in ${quoted(['tc', ...words].join(' '))}`)
  const same = nodes.findIndex(
    ({ device, kind, parent }) =>
      device === node.device && parent === node.parent && (kind === node.kind || verb?.startsWith('del')),
  )
  if (verb === 'del' || verb === 'delete') {
    // With the root goes all that hangs below.
    const isGone = (each: TcNode) =>
      each.device === node.device && (node.parent === 'root' || each.parent === node.parent)
    for (let i = nodes.length - 1; i >= 0; i--) if (isGone(nodes[i])) nodes.splice(i, 1)
    return
  }
  if (HARMLESS.includes(node.kind)) return
  if (node.kind === '')
    fail(
      `found no queueing discipline in ${quoted(['tc', ...words].join(' '))}, expected netem, tbf, htb, pfifo or bfifo`,
    )
  if (same !== -1) {
    notes.push(`line ${line} takes the place of line ${nodes[same].line}: a profile made from commands has no timeline`)
    nodes.splice(same, 1)
  }
  nodes.push(node)
}

export function quoted(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}...` : text)
}
