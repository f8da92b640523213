/** Times as a course has them: what a clock on the wall shows in a time zone, and what instant that is. */

/** Is it a name such as `Europe/Berlin` that this system knows? */
export function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name })
    return true
  } catch {
    return false
  }
}

const TIME = /^(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:\.\d+)?)?(Z|[+-]\d\d:\d\d)?$/i

/**
 * The instant, in ms since 1970, of `2026-11-30T23:59` (also with seconds, or a blank for the T), in `zone` if it has no offset of its own.
 * undefined: it is no such time. A time that a clock shows twice, when it is put back, is the later of the two, and one that it
 * skips is as much later as it was put forward: nobody loses an hour by it.
 */
export function instantOf(text: string, zone: string): number | undefined {
  const parts = TIME.exec(text)
  if (parts === null) return undefined
  const [year, month, day, hour, minute, second] = parts.slice(1, 7).map(part => Number(part ?? 0))
  const asUtc = Date.UTC(year, month - 1, day, hour, minute, second)
  const day1 = new Date(asUtc)
  if (day1.getUTCDate() !== day || day1.getUTCMonth() !== month - 1 || hour > 23 || minute > 59 || second > 59)
    return undefined
  const offset = parts[7]
  if (offset !== undefined) return asUtc - offsetOf(offset)
  // Zones change their offset by hours, and not twice a day.
  const offsets = [asUtc - 86_400_000, asUtc + 86_400_000].map(near => wallOf(near, zone) - near)
  const fitting = offsets.map(each => asUtc - each).filter(instant => wallOf(instant, zone) === asUtc)
  return fitting.length > 0 ? Math.max(...fitting) : asUtc - offsets[0]
}

/** `2026-11-30 23:59 (Europe/Berlin)`. */
export function timeText(instant: number, zone: string): string {
  return `${new Date(wallOf(instant, zone)).toISOString().slice(0, 16).replace('T', ' ')} (${zone})`
}

/** What a clock in the zone shows, as if it were UTC, without milliseconds. */
function wallOf(instant: number, zone: string): number {
  const format = new Intl.DateTimeFormat('en', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  })
  const part = Object.fromEntries(format.formatToParts(instant).map(({ type, value }) => [type, Number(value)]))
  return Date.UTC(part.year, part.month - 1, part.day, part.hour, part.minute, part.second)
}

function offsetOf(text: string): number {
  if (/^z$/i.test(text)) return 0
  const [hours, minutes] = text.slice(1).split(':').map(Number)
  return (text[0] === '-' ? -1 : 1) * (hours * 60 + minutes) * 60_000
}
