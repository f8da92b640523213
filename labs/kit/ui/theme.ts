/**
 * Colours and marks. A colour never says anything alone: a mark of another shape, or a word, says it too. With NO_COLOR
 * set there are no colours; bold, dim and reverse stay, as https://no-color.org has it.
 */
import type { TextProps } from 'ink'
import { ASCII, type Marks, UNICODE } from '../lab/marks.ts'
import type { Line, Style } from '../lab/text.ts'
import type { PhaseState } from '../lab/types.ts'

export interface Theme {
  marks: Marks
  style(style: Style | undefined): TextProps
}

type Environment = Readonly<Record<string, string | undefined>>

export function themeFor(env: Environment = process.env, platform: NodeJS.Platform = process.platform): Theme {
  const colour = !env.NO_COLOR
  const styles: Record<Style, TextProps> = {
    strong: { bold: true },
    emphasis: { italic: true },
    code: colour ? { color: 'cyan' } : { bold: true },
    heading: { bold: true, underline: true },
    muted: { dimColor: true },
    good: colour ? { color: 'green', bold: true } : { bold: true },
    bad: colour ? { color: 'red', bold: true } : { bold: true },
    accent: colour ? { color: 'cyan', bold: true } : { bold: true },
  }
  return {
    marks: showsUnicode(env, platform) ? UNICODE : ASCII,
    style: style => (style === undefined ? {} : styles[style]),
  }
}

/** The Linux console and old Windows consoles have no braille and few symbols; a locale that is not of UTF-8 promises ASCII only. */
function showsUnicode(env: Environment, platform: NodeJS.Platform): boolean {
  if (platform === 'win32') return Boolean(env.WT_SESSION || env.TERM_PROGRAM)
  if (env.TERM === 'linux') return false
  const locale = env.LC_ALL || env.LC_CTYPE || env.LANG || ''
  return locale === '' || /utf-?8/i.test(locale)
}

export function phaseMark(theme: Theme, state: PhaseState, frame: number): { text: string; style: Style } {
  const { marks } = theme
  switch (state) {
    case 'waiting':
      return { text: marks.waiting, style: 'muted' }
    case 'running':
      return { text: marks.spinner[frame % marks.spinner.length], style: 'accent' }
    case 'done':
      return { text: marks.good, style: 'good' }
    case 'failed':
      return { text: marks.bad, style: 'bad' }
  }
}

/** A bar for something of which nobody knows how long it takes: a part of it wanders from end to end. */
export function busyBar({ marks }: Theme, elapsedMs: number, width: number): Line {
  const part = Math.max(3, Math.floor(width / 5))
  const way = width - part
  const at = Math.floor(elapsedMs / 100) % (2 * way)
  const before = at < way ? at : 2 * way - at
  return [
    { text: marks.barEmpty.repeat(before), style: 'muted' },
    { text: marks.barFull.repeat(part), style: 'accent' },
    { text: marks.barEmpty.repeat(way - before), style: 'muted' },
  ]
}
