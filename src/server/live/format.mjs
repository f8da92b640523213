// Numbers as people read them: three digits and a unit.

const BIT_UNITS = ['bit/s', 'kbit/s', 'Mbit/s', 'Gbit/s']

const NOTHING = '–'

/** `[value, unit]`. */
export function bitRate(bitsPerSecond) {
  if (bitsPerSecond === null) return [NOTHING, 'Mbit/s']
  let value = bitsPerSecond
  let unit = 0
  // What would be rounded to 1000 has the next unit already.
  while (value >= 999.5 && unit < BIT_UNITS.length - 1) {
    value /= 1000
    unit++
  }
  return [unit === 0 ? String(Math.round(value)) : digits(value), BIT_UNITS[unit]]
}

/** Round trips come in whole ones. */
export function milliseconds(ms) {
  if (ms === null) return [NOTHING, 'ms']
  return [ms < 1 ? '<1' : String(Math.round(ms * 10) / 10), 'ms']
}

export function percent(share) {
  if (share === null) return [NOTHING, '%']
  const value = share * 100
  return [value === 0 ? '0' : value < 0.01 ? '<0.01' : digits(value), '%']
}

function digits(value) {
  if (value >= 99.95) return String(Math.round(value))
  return value.toFixed(value >= 9.995 ? 1 : 2)
}

/** The smallest of 1, 2, 5, 10, 20 … that is not smaller: where the axis of a chart ends, so that it seldom moves. */
export function roundUp(value) {
  if (!(value > 0)) return 1
  const power = 10 ** Math.floor(Math.log10(value))
  // A hair more than a round number, by the way in which it was computed, is that number.
  const factor = [1, 2, 5, 10].find(each => each * power >= value * (1 - 1e-9))
  return factor * power
}

export function clockTime(ms) {
  return new Date(ms).toTimeString().slice(0, 8)
}

export function duration(seconds) {
  if (seconds < 60) return `${Math.floor(seconds)} s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`
}

/** What a client is called: names come from the network, so nothing in them may turn the text around or hide. */
export function nameOf(client, length = Number.POSITIVE_INFINITY) {
  const name = visible(client.identity ?? client.addresses[0] ?? client.remote)
  return name.length > length ? `${name.slice(0, length - 1)}…` : name
}

export function visible(text) {
  return String(text).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '·')
}
