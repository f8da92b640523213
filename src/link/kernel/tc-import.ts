/**
 * From commands of tc, or from what `tc qdisc show` prints, to a profile: the opposite of tc.ts. The grammar is that of iproute2 6.1
 * (tc/q_netem.c, q_tbf.c, q_htb.c, q_fifo.c; tc-netem(8), tc-tbf(8)).
 *
 * What a profile cannot say is named in the notes, never dropped in silence.
 */
import { ConfigError } from '../../config/config-error.ts'
import { parseProfile } from '../profile/load-profile.ts'
import type { Direction } from '../profile/profile.ts'
import { bitsPerSecond, bytes, timeMs } from '../profile/tc-units.ts'
import { impairedDevice } from './kernel-topology.ts'
import { quoted, readTcText, TcImportError, type TcNode } from './tc-commands.ts'
import { type NetemKeys, NetemWords } from './tc-netem-words.ts'

export interface ImportOptions {
  /** What a single device impairs. */
  direction?: Direction | 'both'
  title?: string
}

export interface ImportedProfile {
  /** A profile that loads. */
  toml: string
  /** What was said and is not in it, or is there in another way; sentences. */
  notes: string[]
}

/** The keys of one table of a profile. */
type Keys = Record<string, string | number>

/** netem's own queue, when nothing is said. */
const NETEM_LIMIT = 1000
const MOST_PACKETS = 65_536
/** Of our own `tc` lines: long enough never to be full. */
const OUR_NETEM_LIMIT = 65_536

/** Throws TcImportError that names the line and what a profile would take. */
export function importTc(text: string, options: ImportOptions = {}): ImportedProfile {
  const { nodes, notes } = readTcText(text)
  const devices = [...new Set(nodes.map(({ device }) => device))]
  if (devices.length === 0) {
    throw new TcImportError(
      'there is no queueing discipline in it that impairs a link, expected a command such as "tc qdisc add dev eth0 root netem delay 100ms"',
    )
  }
  const tables = new Map<string, Keys>()
  for (const [device, name] of tablesOf(devices, options.direction, notes)) {
    tables.set(
      name,
      keysOf(
        nodes.filter(node => node.device === device),
        notes,
      ),
    )
  }
  const toml = writeProfile(merged(tables), text, options.title ?? 'Imported from tc', notes)
  try {
    parseProfile(toml, { file: 'imported.toml' })
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const problems = error.problems.map(problem => problem.replace(/^imported\.toml: /, ''))
    throw new TcImportError(`a profile cannot say this: ${problems.join('; ')}`)
  }
  return { toml, notes }
}

/** Which table of the profile a device becomes. */
function tablesOf(devices: string[], direction: ImportOptions['direction'], notes: string[]): [string, string][] {
  const ours = ([0, 1] as const).flatMap(attachment =>
    (['up', 'down'] as const).map((way): [string, string] => [
      impairedDevice(attachment, way).device,
      attachment === 0 ? way : `second.${way}`,
    ]),
  )
  const known = devices.map(device => ours.find(([name]) => name === device))
  if (direction === undefined && known.every(each => each !== undefined)) return known as [string, string][]
  if (devices.length === 1) {
    if (direction === undefined)
      notes.push(
        `tc impairs what ${devices[0]} sends; here both directions get it (--direction up or down: one of them)`,
      )
    return [[devices[0], direction ?? 'both']]
  }
  if (devices.length > 2 || direction !== undefined) {
    throw new TcImportError(
      `found the devices ${devices.join(', ')}, expected ${direction === undefined ? 'at most two, for up and down' : 'one, for that direction'}: import them one by one`,
    )
  }
  notes.push(`${devices[0]} is taken for up (client to server), ${devices[1]} for down`)
  return [
    [devices[0], 'up'],
    [devices[1], 'down'],
  ]
}

// -- one device ------------------------------------------------------------------------------------------------------

function keysOf(nodes: readonly TcNode[], notes: string[]): Keys {
  const of = (...kinds: string[]) => nodes.filter(({ kind }) => kinds.includes(kind))
  for (const { kind, line } of nodes) {
    if (!['netem', 'tbf', 'htb', 'pfifo', 'bfifo'].includes(kind))
      notes.push(`line ${line}: ${kind}: a profile has no such queueing discipline`)
  }
  const [netem, ...moreNetem] = of('netem')
  for (const { line } of moreNetem) notes.push(`line ${line}: a second netem on the same device; the first one counts`)
  const said: NetemKeys = netem === undefined ? { keys: {} } : new NetemWords(netem, notes).read()
  const keys: Keys = { ...said.keys }

  const buckets = [...of('tbf').map(node => tbf(node, notes)), ...of('htb').flatMap(node => htb(node, notes) ?? [])]
  if (buckets.length > 1) notes.push('more than one of tbf and htb on a device: the first one counts')
  const [bucket] = buckets
  const isBehindBucket = bucket !== undefined && netem !== undefined && netem.parent !== 'root' && netem.parent !== ''
  const [fifo] = of('pfifo', 'bfifo')
  if (bucket !== undefined) {
    if (said.rate !== undefined) notes.push(`netem's rate ${said.rate} beside ${bucket.kind}'s: the latter counts`)
    keys['rate'] = bucket.rate
    if (bucket.burst !== undefined) keys['burst'] = bucket.burst
    if (isBehindBucket) {
      notes.push(`${bucket.kind} is above netem: in a profile the delay comes first, and the queue behind it`)
      keys['limit'] = packets(said.limit ?? NETEM_LIMIT, notes)
    } else if (bucket.limit !== undefined) keys['limit'] = bucket.limit
    if (fifo !== undefined) keys['limit'] = fifoLimit(fifo, notes)
  } else if (said.rate !== undefined) {
    keys['rate'] = said.rate
    keys['limit'] = packets(said.limit ?? NETEM_LIMIT, notes)
    notes.push(
      "netem's rate becomes a bottleneck behind the delay, and its limit the queue there; netem counts delayed packets as well",
    )
  } else if (fifo !== undefined) {
    notes.push(`line ${fifo.line}: ${fifo.kind} without a rate: nothing would ever wait there`)
  }
  if (said.rate === undefined && !isBehindBucket && said.limit !== undefined && said.limit !== OUR_NETEM_LIMIT) {
    notes.push(`netem's limit ${said.limit}: the delay of a profile holds ${OUR_NETEM_LIMIT} packets, always`)
  }
  return keys
}

interface Bucket {
  kind: string
  rate: string
  burst?: string
  limit?: string
}

function tbf({ words, line }: TcNode, notes: string[]): Bucket {
  const values = pairs(
    words,
    line,
    {
      rate: ['rate'],
      burst: ['burst', 'buffer', 'maxburst'],
      limit: ['limit'],
      latency: ['latency', 'lat'],
    },
    ['peakrate', 'mtu', 'minburst', 'mpu', 'overhead', 'linklayer'],
    'tbf',
    notes,
  )
  const rate = values.rate ?? fail(line, 'tbf without a rate')
  const bits = bitsPerSecond(rate) ?? fail(line, `found the rate ${quoted(rate)}, expected one such as 10mbit`)
  const burst = values.burst?.replace(/\/[0-9]+$/, '')
  const burstBytes = burst === undefined ? undefined : sizeOf(burst, line)
  const waitMs =
    values.latency === undefined
      ? undefined
      : (timeMs(values.latency) ??
        fail(line, `found the latency ${quoted(values.latency)}, expected a time such as 400ms`))
  // tc makes the limit of it: what can wait so long, and what is in the bucket.
  const limitBytes =
    values.limit !== undefined
      ? sizeOf(values.limit, line)
      : waitMs === undefined
        ? undefined
        : Math.floor((bits / 8000) * waitMs + (burstBytes ?? 0))
  return {
    kind: 'tbf',
    rate,
    ...(burstBytes !== undefined && { burst: `${burstBytes}b` }),
    ...(limitBytes !== undefined && { limit: `${limitBytes}b` }),
  }
}

/** A class; htb itself says nothing. */
function htb({ words, line, parent }: TcNode, notes: string[]): Bucket | undefined {
  if (!words.some(word => word === 'rate')) return undefined
  const values = pairs(
    words,
    line,
    { rate: ['rate'], ceil: ['ceil'] },
    ['burst', 'cburst', 'prio', 'quantum', 'mtu', 'mpu', 'overhead', 'linklayer', 'leaf'],
    'htb',
    notes,
  )
  const rate = values.rate ?? fail(line, 'a class of htb without a rate')
  if (values.ceil !== undefined && values.ceil !== rate)
    notes.push(`line ${line}: ceil ${values.ceil}: a profile has no rate to borrow, ${rate} is what it gets`)
  notes.push(
    `line ${line}: the class of htb${parent === '' ? '' : ` below ${parent}`} becomes a token bucket for all packets`,
  )
  // Its own queue is the device's, 1000 packets as a rule.
  return { kind: 'htb', rate, limit: `${NETEM_LIMIT} packets` }
}

function fifoLimit({ kind, words, line }: TcNode, notes: string[]): string {
  const { limit } = pairs(words, line, { limit: ['limit'] }, [], kind, notes)
  if (limit === undefined) return fail(line, `${kind} without a limit`)
  if (kind === 'bfifo') return `${sizeOf(limit, line)}b`
  return packets(
    Number(
      /^([0-9]+)p?$/.exec(limit)?.[1] ?? fail(line, `found the limit ${quoted(limit)}, expected a number of packets`),
    ),
    notes,
  )
}

/** Words that go in pairs: `names` are taken, `others` are named in the notes. */
function pairs<K extends string>(
  words: readonly string[],
  line: number,
  names: Record<K, string[]>,
  others: readonly string[],
  kind: string,
  notes: string[],
): Partial<Record<K, string>> {
  const values: Partial<Record<K, string>> = {}
  for (let i = 0; i < words.length; i += 2) {
    const word = words[i].toLowerCase()
    const value = words[i + 1] ?? fail(line, `found ${kind}'s ${word} without a value`)
    const name = (Object.keys(names) as K[]).find(key => names[key].includes(word))
    if (name !== undefined) values[name] = value
    else if (others.includes(word)) notes.push(`line ${line}: ${kind}'s ${word} ${value}: a profile has no such value`)
    else
      fail(
        line,
        `found ${quoted(word)}, expected one of ${kind}'s words: ${[...Object.values<string[]>(names).flat(), ...others].join(', ')}`,
      )
  }
  return values
}

/** A size may be without a unit here: bytes. */
function sizeOf(text: string, line: number): number {
  const size = /^[0-9]{1,12}$/.test(text) ? Number(text) : bytes(text)
  return size === undefined
    ? fail(line, `found the size ${quoted(text)}, expected one such as 1500b or 32kbit`)
    : Math.round(size)
}

function packets(count: number, notes: string[]): string {
  if (count <= MOST_PACKETS) return `${count} packets`
  notes.push(`a queue of ${count} packets: a profile has at most ${MOST_PACKETS}`)
  return `${MOST_PACKETS} packets`
}

function fail(line: number, what: string): never {
  throw new TcImportError(`line ${line}: ${what}`)
}

// -- the file --------------------------------------------------------------------------------------------------------

/** What is the same up and down is said once. */
function merged(tables: Map<string, Keys>): Map<string, Keys> {
  const result = new Map<string, Keys>()
  for (const prefix of ['', 'second.']) {
    const [both, up, down] = ['both', 'up', 'down'].map(name => tables.get(prefix + name))
    if (both !== undefined) result.set(`${prefix}both`, both)
    else if (up !== undefined && JSON.stringify(up) === JSON.stringify(down)) result.set(`${prefix}both`, up)
    else {
      if (up !== undefined) result.set(`${prefix}up`, up)
      if (down !== undefined) result.set(`${prefix}down`, down)
    }
  }
  return result
}

function writeProfile(tables: Map<string, Keys>, text: string, title: string, notes: readonly string[]): string {
  const said = text
    .trim()
    .split(/\r?\n/)
    .map(line => line.trim())
    .filter(line => line !== '')
  const source = said.length > 20 ? [...said.slice(0, 20), `and ${said.length - 20} more lines`] : said
  const lines = [
    `title = ${JSON.stringify(title)}`,
    'about = "What commands of tc do to the packets that a device sends, as a profile."',
    `source = ${JSON.stringify(source.join('; '))}`,
    ...(notes.length > 0
      ? ['', '# Of what tc was told, this is not here, or in another way:', ...notes.map(note => `# - ${note}`)]
      : []),
  ]
  for (const [name, keys] of tables) {
    lines.push('', `[${name}]`, ...Object.entries(keys).map(([key, value]) => `${key} = ${JSON.stringify(value)}`))
  }
  return `${lines.join('\n')}\n`
}
