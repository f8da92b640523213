/** Signs for states, bars and curves, with a set for terminals that show no more than ASCII. */

export interface Marks {
  solved: string
  attempted: string
  open: string
  good: string
  bad: string
  waiting: string
  pointer: string
  rule: string
  barFull: string
  barEmpty: string
  up: string
  down: string
  spinner: readonly string[]
  /** From the lowest to the highest. */
  sparkline: readonly string[]
  /** An expected range. */
  range: string
}

export const UNICODE: Marks = {
  solved: '✓',
  attempted: '✗',
  open: '○',
  good: '✓',
  bad: '✗',
  waiting: '·',
  pointer: '❯',
  rule: '─',
  barFull: '━',
  barEmpty: '─',
  up: '↑',
  down: '↓',
  spinner: ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'],
  sparkline: ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'],
  range: '▒',
}

export const ASCII: Marks = {
  solved: '+',
  attempted: 'x',
  open: 'o',
  good: '+',
  bad: 'x',
  waiting: '.',
  pointer: '>',
  rule: '-',
  barFull: '=',
  barEmpty: '-',
  up: '^',
  down: 'v',
  spinner: ['|', '/', '-', '\\'],
  sparkline: ['_', '.', '-', '=', '*', '#'],
  range: '#',
}
