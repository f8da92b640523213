/** prom-client's metrics for the catalogue. They hold every label to its listed values, and every counter to never going down. */

import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import {
  CATALOGUE,
  type Definition,
  type LabelArgument,
  type Labels,
  type MetricName,
  type NamesOf,
  OTHER,
} from './catalogue.ts'

type Instrument = Counter<string> | Gauge<string> | Histogram<string>
type LabelValues = Readonly<Record<string, string>>

export class Instruments {
  readonly #instruments = new Map<string, Instrument>()
  /** By metric and labels, what its counter is at. */
  readonly #counted = new Map<string, number>()

  constructor(registry: Registry) {
    for (const [name, definition] of Object.entries<Definition>(CATALOGUE)) {
      this.#instruments.set(name, newInstrument(name, definition, registry))
      // A counter that only appears with its first event has no rate for it.
      if (definition.type === 'counter') for (const labels of combinations(definition)) this.#count(name, labels, 0)
    }
  }

  set<N extends NamesOf<'gauge'>>(name: N, value: number, ...[labels]: LabelArgument<N>): void {
    ;(this.#instruments.get(name) as Gauge<string>).set(bounded(name, labels), value)
  }

  /** It has no value now. */
  clear(name: NamesOf<'gauge'>): void {
    ;(this.#instruments.get(name) as Gauge<string>).reset()
  }

  /** The counter's value, which is counted elsewhere. */
  count<N extends NamesOf<'counter'>>(name: N, value: number, ...[labels]: LabelArgument<N>): void {
    this.#count(name, bounded(name, labels), value)
  }

  /** The same for all values of one label, `label`; the others are `rest`. */
  countEach<N extends NamesOf<'counter'>>(
    name: N,
    label: string & keyof Labels<N>,
    values: Readonly<Record<string, number>>,
    rest: Partial<Labels<N>> = {},
  ): void {
    let others = 0
    for (const [value, count] of Object.entries(values)) {
      if (isListed(name, label, value)) this.#count(name, bounded(name, { ...rest, [label]: value }), count)
      else others += count
    }
    this.#count(name, bounded(name, { ...rest, [label]: OTHER }), others)
  }

  observe<N extends NamesOf<'histogram'>>(name: N, seconds: number, ...[labels]: LabelArgument<N>): void {
    ;(this.#instruments.get(name) as Histogram<string>).observe(bounded(name, labels), seconds)
  }

  /** One that is smaller than the last is not taken: Prometheus would think of a restart, and add all of it again. */
  #count(name: string, labels: LabelValues, value: number): void {
    const values = Object.values(labels)
    const key = `${name} ${values.join(' ')}`
    const before = this.#counted.get(key)
    if (before === undefined && value === 0 && values.includes(OTHER)) return
    if (before !== undefined && value <= before) return
    this.#counted.set(key, value)
    ;(this.#instruments.get(name) as Counter<string>).inc(labels, value - (before ?? 0))
  }
}

function newInstrument(name: string, { type, help, labels = {}, buckets }: Definition, registry: Registry): Instrument {
  const options = { name, help, labelNames: Object.keys(labels), registers: [registry] }
  if (type === 'counter') return new Counter(options)
  return type === 'gauge' ? new Gauge(options) : new Histogram({ ...options, buckets: [...(buckets ?? [])] })
}

function isListed(name: MetricName, label: string, value: string): boolean {
  const { labels }: Definition = CATALOGUE[name]
  return labels?.[label]?.includes(value) === true
}

function bounded(name: MetricName, labels: LabelValues = {}): LabelValues {
  const entries = Object.entries(labels)
  if (entries.every(([label, value]) => isListed(name, label, value))) return labels
  return Object.fromEntries(entries.map(([label, value]) => [label, isListed(name, label, value) ? value : OTHER]))
}

/** All labels that a metric can have, but for the others. */
export function combinations({ labels = {} }: Definition): LabelValues[] {
  return Object.entries(labels).reduce<LabelValues[]>(
    (all, [label, values]) => all.flatMap(one => values.map(value => ({ ...one, [label]: value }))),
    [{}],
  )
}
