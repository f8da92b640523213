/**
 * Numbers with units, as tc reads them (iproute2 6.1: get_rate, get_time, get_size and get_percent of lib/utils.c and
 * tc/tc_util.c). Upper and lower case are the same there, and so here. Each returns undefined for what is no such value.
 *
 * Not taken over: numbers without a unit. tc takes "delay 100" for microseconds and "rate 1000" for bit/s, and nobody means that.
 */

const TIMES_MS: Record<string, number> = {
  ...named(['ns', 'nsec', 'nsecs'], 1e-6),
  ...named(['us', 'usec', 'usecs'], 1e-3),
  ...named(['ms', 'msec', 'msecs'], 1),
  ...named(['s', 'sec', 'secs'], 1e3),
}

/** tc knows no minutes; timelines have them. */
const LONG_TIMES_MS: Record<string, number> = { ...TIMES_MS, min: 6e4 }

/** `bit`: bits. `bps`: bytes! A `k` is 1000, a `ki` 1024. */
const RATES: Record<string, number> = {}
for (const [prefix, thousand] of ['', 'k', 'm', 'g', 't'].entries()) {
  RATES[`${thousand}bit`] = 1000 ** prefix
  RATES[`${thousand}bps`] = 8 * 1000 ** prefix
  if (thousand === '') continue
  RATES[`${thousand}ibit`] = 1024 ** prefix
  RATES[`${thousand}ibps`] = 8 * 1024 ** prefix
}

/** Of memory, so that a `k` is 1024; `b` is bytes, `kbit` a kilobit. */
const SIZES: Record<string, number> = {
  b: 1,
  ...named(['k', 'kb'], 1024),
  ...named(['m', 'mb'], 1024 ** 2),
  ...named(['g', 'gb'], 1024 ** 3),
  kbit: 1024 / 8,
  mbit: 1024 ** 2 / 8,
  gbit: 1024 ** 3 / 8,
}

/** In ms. */
export function timeMs(text: string): number | undefined {
  return quantity(text, LONG_TIMES_MS)
}

/** In bit/s. */
export function bitsPerSecond(text: string): number | undefined {
  return quantity(text, RATES)
}

export function bytes(text: string): number | undefined {
  return quantity(text, SIZES)
}

/** `2%`, `2` as 0.02; undefined outside of 0 % to 100 %. */
export function fraction(text: string): number | undefined {
  const percent = quantity(text, { '%': 1, '': 1 })
  return percent === undefined || percent > 100 ? undefined : percent / 100
}

function quantity(text: string, units: Record<string, number>): number | undefined {
  const match = /^([0-9]{1,12}(?:\.[0-9]{0,12})?|\.[0-9]{1,12})([a-z%]*)$/.exec(text.trim().toLowerCase())
  const unit = match && Object.hasOwn(units, match[2]) ? units[match[2]] : undefined
  return unit === undefined ? undefined : Number(match?.[1]) * unit
}

function named(names: string[], value: number): Record<string, number> {
  return Object.fromEntries(names.map(name => [name, value]))
}
