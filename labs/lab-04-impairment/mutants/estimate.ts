/** Wrong solutions of `estimate`. */
import { mutants } from '../../kit/grading/mutants.ts'

export default mutants('estimate.ts', {
  'always-95': {
    misconception: 'the third argument is ignored',
    says: '1.96 is 95 %',
    edits: [
      [
        'export function wilson(lost: number, sent: number, z: number): Interval {',
        `export function wilson(lost: number, sent: number): Interval {
          const z = 1.96`,
      ],
    ],
  },
  'burst-for-each-loss': {
    misconception: 'each loss counts as a burst of its length so far',
    says: 'not once for each',
    edits: [
      ['if (lost) length++', 'if (lost) bursts.push(++length)'],
      [
        `else if (length > 0) {
          bursts.push(length)`,
        'else if (length > 0) {',
      ],
      ['if (length > 0) bursts.push(length)', ''],
    ],
  },
  'h-for-1-h': {
    misconception: 'h is returned as 1-h',
    says: 'this is h',
    edits: [['{ p, r, oneMinusH }', '{ p, r, oneMinusH: 1 - oneMinusH }']],
  },
  'half-width-of-wald': {
    misconception: 'the second term below the root is missing',
    says: 'below the root there are two terms',
    edits: [['sent + z ** 2 / (4 * sent ** 2)', 'sent']],
  },
  'last-burst-forgotten': {
    misconception: 'a burst at the end of the trace is forgotten',
    says: 'until the trace ends',
    edits: [['if (length > 0) bursts.push(length)', '']],
  },
  nan: {
    misconception: 'a trace that says nothing gives NaN',
    says: 'undefined is the honest answer',
    edits: [
      ['if (losses === 0 || followed === 0 || filled + gaps === 0) return undefined', ''],
      [
        '[p, r, oneMinusH].every(value => value > 0 && value <= 1) ? { p, r, oneMinusH } : undefined',
        '{ p, r, oneMinusH }',
      ],
    ],
  },
  'not-scaled': {
    misconception: 'centre and half width are not divided',
    says: 'divided by 1 + z²/n',
    edits: [['const scale = 1 + z ** 2 / sent', 'const scale = 1']],
  },
  'nothing-sent': {
    misconception: 'nothing sent gives NaN',
    says: 'every rate is possible',
    edits: [['if (sent === 0) return { low: 0, high: 1 }', '']],
  },
  'p-and-r-exchanged': {
    misconception: 'p and r are exchanged',
    says: 'p and r are exchanged',
    edits: [['{ p, r, oneMinusH }', '{ p: r, r: p, oneMinusH }']],
  },
  percent: {
    misconception: 'the interval is in percent',
    says: 'an interval at 95 %',
    edits: [
      ['Math.max(0, (centre - half) / scale)', '100 * Math.max(0, (centre - half) / scale)'],
      ['Math.min(1, (centre + half) / scale)', '100 * Math.min(1, (centre + half) / scale)'],
    ],
  },
  'simple-gilbert': {
    misconception: 'every loss is the bad state, every arrival the good one',
    says: 'the simple Gilbert model',
    edits: [
      [
        `const c = filled / (filled + gaps)
        const x = (a * c - b ** 2) / (2 * a * c - b * (a + c))`,
        'const x = b',
      ],
      ['const p = (a * r) / (oneMinusH - a)', 'const p = (a * (1 - b)) / (1 - a)'],
    ],
  },
  'staying-for-leaving': {
    misconception: 'r is the probability to stay',
    says: 'the one to stay',
    edits: [['{ p, r, oneMinusH }', '{ p, r: x, oneMinusH }']],
  },
  triples: {
    misconception: 'c is the share of 111 among 11?',
    says: 'the share of 111 among 111 and 101',
    edits: [
      ['!trace[i + 2]', '!trace[i + 1]'],
      ['if (trace[i + 1]) filled++', 'if (trace[i + 2]) filled++'],
    ],
  },
  wald: {
    misconception: 'the textbook interval, which has no length when nothing is lost',
    says: 'interval of Wald',
    edits: [
      ['const centre = x + z ** 2 / (2 * sent)', 'const centre = x'],
      ['sent + z ** 2 / (4 * sent ** 2)', 'sent'],
      ['const scale = 1 + z ** 2 / sent', 'const scale = 1'],
    ],
  },
  'cut-off': {
    misconception: 'a value that is no probability is cut off',
    says: 'Cut off at 0 or 1',
    edits: [
      [
        'return [p, r, oneMinusH].every(value => value > 0 && value <= 1) ? { p, r, oneMinusH } : undefined',
        `const cut = (value: number) => Math.min(1, Math.max(0, value))
  return { p: cut(p), r: cut(r), oneMinusH: cut(oneMinusH) }`,
      ],
    ],
  },
  'below-one': {
    misconception: 'a probability is below 1',
    says: 'at most 1, not below it',
    edits: [['value > 0 && value <= 1', 'value > 0 && value < 1']],
  },
  'trace-overwritten': {
    misconception: 'counts in the trace itself',
    says: 'Change a copy',
    edits: [
      [
        `if (lost) length++
    else if`,
        `if (lost) {
      length++
      trace[trace.indexOf(1)] = 0
    } else if`,
      ],
    ],
  },
})
