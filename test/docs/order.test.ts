import { expect } from 'chai'
import { filesBelow, read } from './repository.ts'

/**
 * A top-level await lets everything above it run, functions that are written below it among them, while the constants below it are not
 * there yet: `ReferenceError: Cannot access 'X' before initialization`, and only on the branch that needs X. No linter sees it. So
 * constants and classes stand above the first top-level await of a file.
 *
 * Files are formatted: what begins at the left margin is at the top level.
 */
function declaredTooLate(source: string): string[] {
  const late: string[] = []
  const functions = source.match(/^(export )?(async )?function[\s\S]*?^\}/gm) ?? []
  const isUsedAbove = (line: string): boolean => {
    const names =
      line
        .replace(/^(export )?(const|let|abstract class|class) /, '')
        .split(/ = | \{$|: |\bextends\b/, 1)[0]
        .match(/\w+/g) ?? []
    return functions.some(text => names.some(name => new RegExp(`\\b${name}\\b`).test(text)))
  }
  let waits = false
  let inBlock = false
  let inText = false
  for (const line of source.split('\n')) {
    const begins = !inText && /^[A-Za-z{]/.test(line)
    if (begins) {
      if (waits && /^(export )?(const|let|class|abstract class) /.test(line) && isUsedAbove(line)) late.push(line)
      inBlock = /^(try|if|for|while|switch|do|\{)\b|^\{/.test(line)
    }
    const code = line.replace(/\/\/.*|'[^']*'/g, '')
    if (
      begins &&
      /^(?!(export )?(async )?function\b)(?!\/\/)/.test(line) &&
      /^[^=]*=? ?\bawait\b|^for await\b/.test(code)
    )
      waits = true
    if (inBlock && /^ +(.*[ (!])?await\b/.test(code)) waits = true
    // A template over several lines may have anything at its margin.
    if ((line.match(/(?<!\\)`/g)?.length ?? 0) % 2 === 1) inText = !inText
  }
  return late
}

describe('modules', () => {
  it('are looked at for constants below a top-level await', () => {
    expect(declaredTooLate(`await run()\n\nconst A = 1\nfunction run() {\n  return A\n}\n`)).to.deep.equal([
      'const A = 1',
    ])
    expect(
      declaredTooLate(`process.exitCode = await run()\nfunction run() {\n  return A\n}\nlet A = 1\n`),
    ).to.have.length(1)
    expect(
      declaredTooLate(`const { a } = await import('x')\nclass B {}\nfunction f() {\n  return new B()\n}\n`),
    ).to.have.length(1)
    expect(
      declaredTooLate(`try {\n  await run()\n} finally {\n}\nconst A = 1\nfunction run() {\n  return A\n}\n`),
    ).to.have.length(1)
    expect(declaredTooLate(`const a = await 1\nconst b = await a\n`), 'one step after the other').to.deep.equal([])
    expect(declaredTooLate(`const A = 1\nawait run()\nasync function run() {\n  const B = await A\n}\n`)).to.deep.equal(
      [],
    )
    expect(declaredTooLate(`const f = async () => {\n  await 1\n}\nconst A = 1\n`)).to.deep.equal([])
    expect(declaredTooLate(`program.action(async () => {\n  await 1\n})\nconst A = 1\n`)).to.deep.equal([])
    expect(declaredTooLate(`// await\nconst A = 1\n`)).to.deep.equal([])
  })

  it('have what their functions use above the first top-level await', () => {
    const files = ['src', 'labs', 'bench', 'interop', 'netem', 'solutions', 'test'].flatMap(folder =>
      filesBelow(folder, ['.ts', '.tsx', '.mjs']),
    )
    const found = files
      .filter(file => !/\/(exercises|mutants|node_modules)\//.test(file))
      .flatMap(file => declaredTooLate(read(file)).map(line => `${file}: ${line}`))
    expect(found).to.deep.equal([])
    expect(files.length).to.be.greaterThan(100)
  })
})
