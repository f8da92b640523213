/** The words behind `netem` in a command of tc, or in what `tc qdisc show` prints, as keys of a profile. */

import { DISTRIBUTIONS } from '../profile/profile.ts'
import { bitsPerSecond, fraction, timeMs } from '../profile/tc-units.ts'
import { ORDER_KEEPING_RATE, tcPercent } from './tc.ts'
import { quoted, TcImportError, type TcNode } from './tc-commands.ts'

export interface NetemKeys {
  /** Of a direction's table in a profile. */
  keys: Record<string, string | number>
  /** netem's own bottleneck, which a profile has in another place. */
  rate?: string
  /** Packets. */
  limit?: number
}

/** In the order in which tc looks for them: a word may be cut short, and the first one that begins so is meant. */
const OPTIONS = [
  'limit',
  'latency',
  'delay',
  'loss',
  'drop',
  'ecn',
  'reorder',
  'corrupt',
  'gap',
  'duplicate',
  'distribution',
  'rate',
  'slot',
  'seed',
] as const

/** Words that `show` puts between the numbers of a loss model or a rate. */
const LABELS = ['p', 'r', '1-h', '1-k', 'p13', 'p31', 'p32', 'p23', 'p14', 'packetoverhead', 'cellsize', 'celloverhead']

export class NetemWords {
  readonly #node: TcNode
  readonly #notes: string[]
  readonly #words: readonly string[]
  #at = 0

  constructor(node: TcNode, notes: string[]) {
    this.#node = node
    this.#notes = notes
    this.#words = node.words
  }

  /** Throws TcImportError at what tc would refuse as well. */
  read(): NetemKeys {
    const result: NetemKeys = { keys: {} }
    const { keys } = result
    let gap: number | undefined
    while (this.#at < this.#words.length) {
      const word = this.#words[this.#at++]
      switch (OPTIONS.find(option => option.startsWith(word))) {
        case 'limit':
          result.limit = this.#whole('limit')
          break
        case 'latency':
        case 'delay':
          keys['delay'] = this.#delay()
          break
        case 'loss':
        case 'drop':
          keys['loss'] = this.#loss()
          break
        case 'reorder':
          keys['reorder'] = this.#chance('reorder')
          break
        case 'corrupt':
          keys['corrupt'] = this.#chance('corrupt')
          break
        case 'duplicate':
          keys['duplicate'] = this.#chance('duplicate')
          break
        case 'gap':
          gap = this.#whole('gap')
          break
        case 'distribution':
          this.#distribution(keys)
          break
        case 'rate':
          this.#rate(result)
          break
        case 'ecn':
          this.#note('ecn: a profile drops packets and marks none')
          break
        case 'slot':
          this.#note(`slot ${this.#untilOption().join(' ')}: a profile has no slots`)
          break
        case 'seed':
          this.#note(`seed ${this.#value('seed')}: a seed is given when the link is started (--seed)`)
          break
        default:
          this.#fail(`found ${quoted(word)}, expected one of netem's words: ${OPTIONS.join(', ')}`)
      }
    }
    if (gap !== undefined && keys['reorder'] !== undefined) keys['gap'] = gap
    else if (gap !== undefined && gap > 0) this.#note(`gap ${gap}: it does nothing without reorder`)
    if (this.#node.isShown && String(keys['delay'] ?? '').includes(' ')) {
      this.#note('tc does not show how jitter is spread: if a distribution was given, add it')
    }
    return result
  }

  #delay(): string {
    const delay = this.#time('delay', this.#value('delay'))
    if (!this.#hasNumber()) return delay
    const jitter = this.#time('jitter', this.#next())
    if (this.#hasNumber()) return `${delay} ${jitter} ${this.#percent('the correlation of delay')}`
    return timeMs(jitter) === 0 ? delay : `${delay} ${jitter}`
  }

  #loss(): string {
    const first = this.#peek()
    if (first === 'gemodel' || first === 'state') {
      this.#at++
      const numbers = this.#percents(`loss ${first}`)
      return `${first} ${numbers.join(' ')}`
    }
    if (first === 'random') this.#at++
    return this.#chance('loss')
  }

  #chance(name: string): string {
    const rate = this.#percent(name)
    return this.#hasNumber() ? `${rate} ${this.#percent(`the correlation of ${name}`)}` : rate
  }

  #distribution(keys: NetemKeys['keys']): void {
    const name = this.#value('distribution')
    if ((DISTRIBUTIONS as readonly string[]).includes(name)) keys['distribution'] = name
    else this.#note(`distribution ${name}: a profile has ${DISTRIBUTIONS.join(', ')}; the jitter is uniform here`)
  }

  #rate(result: NetemKeys): void {
    const rate = this.#value('rate')
    // A bare number is bit/s, for a rate.
    const bits = /^[0-9]+$/.test(rate) ? Number(rate) : bitsPerSecond(rate)
    if (bits === undefined) this.#fail(`found the rate ${quoted(rate)}, expected one such as 10mbit`)
    const overheads: string[] = []
    while (this.#hasNumber(true)) overheads.push(this.#next())
    if (overheads.some(each => /^-?[0-9]/.test(each) && Number(each) !== 0)) {
      this.#note(`rate ... ${overheads.join(' ')}: a profile counts Ethernet frames, without other overheads or cells`)
    }
    if (bits === bitsPerSecond(ORDER_KEEPING_RATE)) result.keys['order'] = 'keep'
    else if (bits !== 0) result.rate = /^[0-9]+$/.test(rate) ? `${rate}bit` : rate
  }

  // -- words -----------------------------------------------------------------------------------------------------------

  #peek(): string | undefined {
    return this.#words[this.#at]
  }

  #next(): string {
    return this.#words[this.#at++]
  }

  #value(name: string): string {
    return this.#peek() === undefined ? this.#fail(`found ${name} without a value behind it`) : this.#next()
  }

  /** Whether a number comes next; in what `show` prints, or `withLabels`, behind its name. */
  #hasNumber(withLabels = false): boolean {
    const word = this.#peek()
    if (word === undefined) return false
    if ((withLabels || this.#node.isShown) && LABELS.includes(word)) return true
    return /^[-+.]?[0-9]/.test(word)
  }

  #percents(name: string): string[] {
    const numbers: string[] = []
    while (this.#hasNumber()) {
      if (this.#node.isShown && LABELS.includes(this.#peek() as string)) this.#at++
      else numbers.push(this.#percent(name))
    }
    return numbers.length > 0 ? numbers : [this.#percent(name)]
  }

  #percent(name: string): string {
    const text = this.#value(name)
    const share = fraction(text)
    return share === undefined
      ? this.#fail(`found ${quoted(text)} for ${name}, expected a percentage from 0% to 100%`)
      : tcPercent(share)
  }

  #time(name: string, text: string): string {
    if (/^0+(\.0*)?$/.test(text)) return '0ms'
    if (/^[0-9.]+$/.test(text)) {
      this.#fail(
        `found ${name} ${text} without a unit, which tc takes for microseconds; expected a time such as ${text}ms or ${text}us`,
      )
    }
    return timeMs(text) === undefined
      ? this.#fail(`found ${quoted(text)} for ${name}, expected a time such as 100ms`)
      : text
  }

  #whole(name: string): number {
    const text = this.#value(name)
    return /^[0-9]{1,10}p?$/.test(text)
      ? Number.parseInt(text, 10)
      : this.#fail(`found ${quoted(text)} for ${name}, expected a number of packets`)
  }

  #untilOption(): string[] {
    const words: string[] = []
    while (this.#peek() !== undefined && !(OPTIONS as readonly string[]).includes(this.#peek() as string))
      words.push(this.#next())
    return words
  }

  #note(text: string): void {
    this.#notes.push(`line ${this.#node.line}: ${text}`)
  }

  #fail(what: string): never {
    throw new TcImportError(`line ${this.#node.line}: ${what}`)
  }
}
