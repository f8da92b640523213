/** What can be read off a PromQL expression without an evaluation: which metrics it asks for, and by which labels. */

export interface Selector {
  metric: string
  labels: string[]
}

const LABEL_LISTS = /\b(?:by|without|on|ignoring|group_left|group_right)\b\s*\(([^)]*)\)/g
const WORDS = new Set(['and', 'or', 'unless', 'bool', 'offset', 'atan2', 'inf', 'nan', 'group_left', 'group_right'])

/** The names of metrics in an expression, each once, with the labels that are compared in braces behind it. */
export function selectorsOf(expression: string): Selector[] {
  const bare = withoutTexts(expression)
    .replace(LABEL_LISTS, ' ')
    .replace(/\[[^\]]*\]/g, ' ')
    // Durations and numbers, which may have letters: 5m, 1e-9.
    .replace(/(?<![\w:])\d[\w.]*(?:[eE][+-]?\d+)?/g, ' ')
  const found = new Map<string, Set<string>>()
  // A name in front of a parenthesis is a function's or an aggregation's.
  for (const match of bare.matchAll(/(?<![\w:{,])([a-zA-Z_:][\w:]*)\b(?![\w:])(?!\s*\()\s*(?:\{([^}]*)\})?/g)) {
    const [, metric, matchers = ''] = match
    if (WORDS.has(metric.toLowerCase())) continue
    const labels = found.get(metric) ?? new Set()
    for (const label of matchers.matchAll(/([a-zA-Z_]\w*)\s*(?:=~|!~|!=|=)/g)) labels.add(label[1])
    found.set(metric, labels)
  }
  return [...found].map(([metric, labels]) => ({ metric, labels: [...labels] }))
}

/** What labels are compared with: `a{b=~"x|y"}` is a, b and x, and a, b and y. Patterns that are more than a choice of words are left out. */
export function comparisonsOf(expression: string): { metric: string; label: string; value: string }[] {
  return [...expression.matchAll(/([a-zA-Z_:][\w:]*)\{([^}]*)\}/g)].flatMap(([, metric, matchers]) =>
    [...matchers.matchAll(/(\w+)\s*(?:=~|!~|!=|=)\s*"([\w|-]*)"/g)].flatMap(([, label, values]) =>
      values.split('|').map(value => ({ metric, label, value })),
    ),
  )
}

/** Labels by which results are grouped or matched. */
export function groupingsOf(expression: string): string[] {
  const lists = [...withoutTexts(expression).matchAll(LABEL_LISTS)].flatMap(match => match[1].split(','))
  return [...new Set(lists.map(label => label.trim()).filter(label => label !== ''))]
}

/** The left side of an alert's comparison with a number: what has data also when all is well. */
export function withoutThreshold(expression: string): string {
  return expression.replace(/\s*(?:==|!=|>=|<=|>|<)\s*[\d.]+\s*$/, '')
}

function withoutTexts(expression: string): string {
  return expression.replace(/"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`/g, '""').replace(/#.*$/gm, '')
}
