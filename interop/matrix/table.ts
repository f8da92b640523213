/** In a cell, `|` ends it, and `*` would be emphasis, where it is not meant as such: in a scope. */
function escapeCell(cell: string): string {
  return cell.replaceAll('|', '\\|').replaceAll(/(?<!\*)\*(?!\*)/g, '\\*')
}

/** A table of Markdown; cells are padded, so that the text can be read as it is. */
export function table(head: string[], rows: string[][]): string {
  const escaped = [head, ...rows].map(row => row.map(escapeCell))
  const widths = head.map((_, i) => Math.max(3, ...escaped.map(row => row[i].length)))
  const line = (row: string[]) => `| ${row.map((cell, i) => cell.padEnd(widths[i])).join(' | ')} |`
  const [first, ...others] = escaped
  return [line(first), `| ${widths.map(width => '-'.repeat(width)).join(' | ')} |`, ...others.map(line)].join('\n')
}
