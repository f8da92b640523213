/** The form that CI systems show: one suite a student and lab, one case a task. */
import { type Report, withoutControls } from './results.ts'

export function toJunit(report: Report): string {
  const lines = ['<?xml version="1.0" encoding="UTF-8"?>', '<testsuites name="check-solutions">']
  for (const { lab, kind, name, tasks, problems, notes } of report.results) {
    // Of a mutant or a starting file it is right to fail.
    const wrong = (passed: boolean) => (kind === 'submission' || kind === 'reference' ? !passed : passed)
    const failures = tasks.filter(task => wrong(task.passed)).length
    const suite = kind === 'submission' ? name : `${kind} ${name}`
    const count = tasks.length + (problems.length > 0 ? 1 : 0)
    const errors = problems.length > 0 ? 1 : 0
    lines.push(
      `  <testsuite name="${xml(`${lab}: ${suite}`)}" tests="${count}" failures="${failures}" errors="${errors}">`,
    )
    for (const { task, passed, feedback, ms } of tasks) {
      const time = ms === undefined ? '' : ` time="${(ms / 1000).toFixed(3)}"`
      const head = `    <testcase classname="${xml(`${lab}.${suite}`)}" name="${xml(task)}"${time}`
      if (!wrong(passed)) lines.push(`${head}/>`)
      else {
        const text = feedback
          ? [`expected: ${feedback.expected}`, `found: ${feedback.found}`, feedback.misconception ?? '']
              .join('\n')
              .trim()
          : 'it passes'
        lines.push(
          `${head}>`,
          `      <failure message="${xml(text.split('\n')[0])}">${xml(text)}</failure>`,
          '    </testcase>',
        )
      }
    }
    if (problems.length > 0) {
      lines.push(
        `    <testcase classname="${xml(`${lab}.${suite}`)}" name="as it has to be">`,
        `      <error message="${xml(problems[0])}">${xml(problems.join('\n'))}</error>`,
        '    </testcase>',
      )
    }
    if (notes.length > 0) lines.push(`    <system-out>${xml(notes.join('\n'))}</system-out>`)
    lines.push('  </testsuite>')
  }
  lines.push('</testsuites>')
  return `${lines.join('\n')}\n`
}

function xml(text: string): string {
  return withoutControls(text)
    .replace(/\p{Cs}|[\ufffe\uffff]/gu, '?')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll('\n', '&#10;')
}
