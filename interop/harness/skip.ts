/** A peer cannot be tried here; the message says why, in one line. */
export class Unavailable extends Error {
  override name = 'Unavailable'
}

/** The last line of what a tool printed that says something, for a reason in one line. */
export function lastWord(output: string): string {
  return output.trim().split('\n').filter(Boolean).at(-1)?.trim().slice(0, 200) ?? 'it said nothing'
}
