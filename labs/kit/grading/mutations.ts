/**
 * Mutants by rule: every place of a program at which an operator, a bound, a number, a statement or the order of arguments could
 * be another. A mistake that a check does not notice there is one that it would not notice in a student's program.
 *
 * Parsed by TypeScript itself, whose interface for that is called unstable in version 7: nothing else uses it.
 */
import * as ts from 'typescript/unstable/ast'
import { createVirtualFileSystem } from 'typescript/unstable/fs'
import { API } from 'typescript/unstable/sync'

export interface Mutation {
  /** Counted from 1. */
  line: number
  column: number
  /** The lines in which something changes, with single blanks; and as many before them as make them the only ones. */
  before: string
  after: string
  /** The whole program. */
  text: string
}

interface Change {
  from: number
  to: number
  replace: string
}

/** What stands instead of an operator. */
const OPERATORS: Readonly<Record<string, readonly string[]>> = {
  '<': ['<=', '>='],
  '<=': ['<', '>'],
  '>': ['>=', '<='],
  '>=': ['>', '<'],
  '===': ['!=='],
  '!==': ['==='],
  '+': ['-'],
  '-': ['+'],
  '*': ['/'],
  '/': ['*'],
  '%': ['*'],
  '**': ['*'],
  '<<': ['>>'],
  '>>': ['<<'],
  '>>>': ['<<', '>>'],
  '&': ['|'],
  '|': ['&'],
  '^': ['|'],
  '+=': ['-=', '='],
  '-=': ['+=', '='],
  '*=': ['/='],
  '/=': ['*='],
  '|=': ['='],
  '&=': ['='],
  '<<=': ['='],
  '>>=': ['='],
  '++': ['--'],
  '--': ['++'],
}

/** What stands instead of the name of a method. */
const METHODS: Readonly<Record<string, string>> = {
  min: 'max',
  max: 'min',
  floor: 'ceil',
  ceil: 'floor',
  round: 'floor',
  some: 'every',
  every: 'some',
  shift: 'pop',
  pop: 'shift',
  push: 'unshift',
  unshift: 'push',
  indexOf: 'lastIndexOf',
  findIndex: 'findLastIndex',
  find: 'findLast',
}

/** Methods that give the same kind of value as they are called on: without the call, a step is forgotten. */
const STEPS: readonly string[] = ['slice', 'subarray', 'sort', 'toSorted', 'filter', 'reverse']

/** Every mutation of each of the programs, in the order of their places. All programs are parsed at once. */
export function mutationsOf(programs: ReadonlyMap<string, string>): Map<string, Mutation[]> {
  const paths = new Map([...programs].map(([name, text]) => [`/programs/${name}`, text]))
  const config = { compilerOptions: { noLib: true, types: [], module: 'esnext' }, files: [...paths.keys()] }
  const files = { ...Object.fromEntries(paths), '/programs/tsconfig.json': JSON.stringify(config) }
  const api = new API({ cwd: '/programs', fs: createVirtualFileSystem(files) })
  try {
    const [project] = api.updateSnapshot({ openProjects: ['/programs/tsconfig.json'] }).getProjects()
    return new Map(
      [...programs].map(([name, text]) => {
        const file = project?.program.getSourceFile(`/programs/${name}`)
        if (!file) throw new Error(`${name} cannot be parsed`)
        return [name, changesIn(file, text).map(change => mutation(text, change))]
      }),
    )
  } finally {
    api.close()
  }
}

function mutation(text: string, { from, to, replace }: Change): Mutation {
  const lineBegins = (at: number) => text.lastIndexOf('\n', at - 1) + 1
  const newline = text.indexOf('\n', to)
  const end = newline === -1 ? text.length : newline
  let start = lineBegins(from)
  while (start > 0 && text.indexOf(text.slice(start, end)) !== text.lastIndexOf(text.slice(start, end))) {
    start = lineBegins(start - 1)
  }
  const plain = (lines: string) => lines.replace(/\s+/g, ' ').trim()
  return {
    line: text.slice(0, from).split('\n').length,
    column: from - lineBegins(from) + 1,
    before: plain(text.slice(start, end)),
    after: plain(text.slice(start, from) + replace + text.slice(to, end)),
    text: text.slice(0, from) + replace + text.slice(to),
  }
}

function changesIn(file: ts.SourceFile, text: string): Change[] {
  const changes: Change[] = []
  const textOf = (node: ts.Node) => text.slice(node.getStart(file), node.end)
  const change = (node: ts.Node, ...instead: string[]) => {
    for (const replace of instead) changes.push({ from: node.getStart(file), to: node.end, replace })
  }
  /** Each node in the place of its neighbour. */
  const exchange = (nodes: readonly ts.Node[]) => {
    nodes.slice(1).forEach((right, index) => {
      const left = nodes[index]
      if (textOf(left) === textOf(right)) return
      const between = text.slice(left.end, right.getStart(file))
      changes.push({ from: left.getStart(file), to: right.end, replace: textOf(right) + between + textOf(left) })
    })
  }

  const visit = (node: ts.Node): void => {
    if (ts.isTypeNode(node) || ts.isImportDeclaration(node)) return
    if (ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node)) return
    if (ts.isBinaryExpression(node)) {
      const operator = textOf(node.operatorToken)
      change(node.operatorToken, ...(OPERATORS[operator] ?? []))
      if (['&&', '||', '??'].includes(operator)) change(node, textOf(node.left), textOf(node.right))
    } else if (ts.isPrefixUnaryExpression(node)) {
      const operator = text.slice(node.getStart(file), node.operand.getStart(file)).trim()
      const other = operator === '++' || operator === '--' ? OPERATORS[operator][0] : ''
      change(node, `${other}${textOf(node.operand)}`)
    } else if (ts.isPostfixUnaryExpression(node)) {
      const operator = text.slice(node.operand.end, node.end).trim()
      change(node, `${textOf(node.operand)}${OPERATORS[operator][0]}`)
    } else if (ts.isIfStatement(node)) {
      change(node.expression, 'true', 'false')
    } else if (ts.isConditionalExpression(node)) {
      change(node, textOf(node.whenTrue), textOf(node.whenFalse))
    } else if (ts.isWhileStatement(node)) {
      change(node.expression, 'false')
    } else if (ts.isForOfStatement(node)) {
      change(node, ';')
    } else if (ts.isForStatement(node) && node.condition) {
      change(node.condition, 'false')
    } else if (ts.isNumericLiteral(node) || ts.isBigIntLiteral(node)) {
      change(node, ...neighbours(textOf(node)))
    } else if (ts.isExpressionStatement(node) || ts.isBreakStatement(node) || ts.isContinueStatement(node)) {
      if (!textOf(node).startsWith('super(')) change(node, ';')
    } else if (ts.isNewExpression(node) || ts.isCallExpression(node)) {
      const given = node.arguments ?? []
      const commutes = /^Math\.(min|max)$/.test(textOf(node.expression))
      if (!commutes && !given.some(argument => ts.isSpreadElement(argument))) exchange(given)
      if (ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression)) {
        const { name, expression } = node.expression
        const other = METHODS[textOf(name)]
        if (other !== undefined) change(name, other)
        if (STEPS.includes(textOf(name))) change(node, textOf(expression))
      }
    } else if (ts.isArrayLiteralExpression(node)) {
      const [only, ...more] = node.elements
      if (only && ts.isSpreadElement(only) && more.length === 0) change(node, textOf(only.expression))
      // Longer lists are mostly sets, whose order means nothing.
      else if (node.elements.length <= 3 && !node.elements.some(ts.isSpreadElement)) exchange(node.elements)
    } else if (ts.isObjectLiteralExpression(node)) {
      exchangeFields(node)
    }
    node.forEachChild(visit)
  }

  /** `{ a, b: 1 }` becomes `{ a: 1, b: a }`. */
  const exchangeFields = ({ properties }: ts.ObjectLiteralExpression): void => {
    const field = (node: ts.Node): { name: string; value: string } | undefined => {
      if (ts.isShorthandPropertyAssignment(node)) return { name: textOf(node), value: textOf(node) }
      return ts.isPropertyAssignment(node) ? { name: textOf(node.name), value: textOf(node.initializer) } : undefined
    }
    properties.slice(1).forEach((right, index) => {
      const left = properties[index]
      const [first, second] = [field(left), field(right)]
      if (!first || !second || first.value === second.value) return
      const between = text.slice(left.end, right.getStart(file))
      const replace = `${first.name}: ${second.value}${between}${second.name}: ${first.value}`
      changes.push({ from: left.getStart(file), to: right.end, replace })
    })
  }

  visit(file)
  return changes.sort((a, b) => a.from - b.from || a.to - b.to)
}

/** One more and one less, written as the number is: `0x40` becomes `0x41` and `0x3f`. */
function neighbours(literal: string): string[] {
  const big = literal.endsWith('n')
  const digits = literal.replaceAll('_', '').replace(/n$/, '')
  if (!big && !Number.isSafeInteger(Number(digits))) return [`${digits} * 1.01`, `${digits} * 0.99`]
  const value = BigInt(digits)
  const written = (n: bigint) => {
    if (n < 0n) return `(${n}${big ? 'n' : ''})`
    const [, prefix = ''] = /^(0[xb])/i.exec(digits) ?? []
    return `${prefix}${n.toString({ '0x': 16, '0b': 2 }[prefix.toLowerCase()] ?? 10)}${big ? 'n' : ''}`
  }
  return [written(value + 1n), written(value - 1n)]
}
