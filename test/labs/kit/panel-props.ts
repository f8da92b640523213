import type { PanelProps } from '../../../labs/kit/lab/types.ts'
import { themeFor } from '../../../labs/kit/ui/theme.ts'

/** What a panel gets from a check that has shown this, on a small terminal without Unicode. */
export function panelProps(shown: Readonly<Record<string, unknown>>, more: Partial<PanelProps> = {}): PanelProps {
  return {
    task: undefined,
    phases: [],
    live: { series: [], comparisons: [], shown },
    running: false,
    passed: false,
    step: 0,
    width: 78,
    rows: 20,
    marks: themeFor({ LANG: 'C' }).marks,
    ...more,
  }
}

export type Show = (live: { show(key: string, value: unknown): void }) => void

/** By key, what it shows. */
export function shownBy(show: Show): Record<string, unknown> {
  const shown: Record<string, unknown> = {}
  show({ show: (key, value) => void (shown[key] = value) })
  return shown
}
