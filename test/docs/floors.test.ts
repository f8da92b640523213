/** Who may import whom: the drawing under "Floors" in docs/architecture.md, compared with every import of bin/, labs/ and src/. */
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect } from 'chai'
import { drawnFloors } from './drawn-floors.ts'
import { filesBelow, ROOT, read } from './repository.ts'

interface Import {
  from: string
  to: string
  /** `import type`: nothing is left of it when the program runs. */
  isType: boolean
}

function floorOf(file: string): string {
  const [top, folder, inKit] = file.split('/')
  if (top === 'src') return folder.replace(/\.ts$/, '')
  return top === 'labs' && folder === 'kit' ? `kit/${inKit}` : top
}

function importsOf(file: string): Import[] {
  const source = read(file).replace(/\/\*[\s\S]*?\*\//g, '')
  const statements = source.matchAll(
    /^(?:import|export) (type )?(?:[^'";]*? from )?'(\.[^']+)'|import\('(\.[^'$]+)'\)/gm,
  )
  return (
    [...statements]
      .map(([, type, named, loaded]) => ({
        from: file,
        to: join(dirname(file), named ?? loaded).replaceAll('\\', '/'),
        isType: type !== undefined,
      }))
      // Others stand in a text: the templates of a new lab, and what a bundle begins with.
      .filter(({ to }) => existsSync(join(ROOT, to)))
  )
}

/** Groups of nodes each of which leads to all others of its group (Tarjan); alone, a node is no circle. */
function circles(arrows: ReadonlyMap<string, readonly string[]>): string[][] {
  const found: string[][] = []
  const index = new Map<string, number>()
  const low = new Map<string, number>()
  const open: string[] = []
  const visit = (node: string): void => {
    index.set(node, index.size)
    low.set(node, index.size - 1)
    open.push(node)
    for (const next of arrows.get(node) ?? []) {
      if (!index.has(next)) visit(next)
      if (open.includes(next)) low.set(node, Math.min(low.get(node) as number, low.get(next) as number))
    }
    if (low.get(node) !== index.get(node)) return
    const circle = open.splice(open.indexOf(node))
    if (circle.length > 1) found.push(circle.sort())
  }
  for (const node of arrows.keys()) if (!index.has(node)) visit(node)
  return found
}

function arrowsOf(imports: readonly Import[], nameOf: (file: string) => string): Map<string, string[]> {
  const arrows = new Map<string, string[]>()
  for (const { from, to } of imports) {
    const name = nameOf(from)
    if (nameOf(to) !== name) arrows.set(name, [...(arrows.get(name) ?? []), nameOf(to)])
  }
  return arrows
}

const SANS_IO = ['connect-ip', 'http3', 'http', 'ip', 'bytes']

describe('the floors of docs/architecture.md', () => {
  const floors = drawnFloors()
  const files = ['bin', 'labs', 'src']
    .flatMap(folder => filesBelow(folder, ['.ts', '.tsx', '.mjs']))
    .filter(file => !/\/(exercises|mutants|start)\//.test(file))
  const imports = files.flatMap(importsOf)
  const heightOf = (file: string): number => floors.findIndex(row => row.includes(floorOf(file)))

  it('are those that there are', () => {
    expect(imports.length).to.be.greaterThan(1000)
    expect([...new Set(files.map(floorOf))].sort()).to.deep.equal(floors.flat().sort())
  })

  it('import only from those below, and nothing from tests, benchmarks and the like', () => {
    const upward = imports.filter(({ from, to }) => {
      if (floorOf(from) === 'bin' || to.endsWith('.json')) return false
      return heightOf(to) === -1 || (floorOf(to) !== floorOf(from) && heightOf(to) <= heightOf(from))
    })
    expect(upward.map(({ from, to }) => `${from} -> ${to}`)).to.deep.equal([])
  })

  it('that are sans-IO import only from each other, have no clock, no timer and no randomness, and print nothing', () => {
    const own = files.filter(file => SANS_IO.includes(floorOf(file)))
    const outside = imports.filter(({ from, to }) => own.includes(from) && !own.includes(to))
    expect(outside.map(({ from, to }) => `${from} -> ${to}`)).to.deep.equal([])
    const impure =
      /\b(?:set(?:Timeout|Interval|Immediate)|performance|Date|process|console|crypto|Math\.random)\b|'node:/
    const code = (file: string): string => read(file).replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '')
    expect(own.filter(file => impure.test(code(file)))).to.deep.equal([])
  })

  it('have no circle, nor do the labs, nor files of which one needs the other when it is loaded', () => {
    const folders = circles(arrowsOf(imports, dirname))
    // A folder and those below it are one.
    const isOne = (circle: string[]): boolean => circle.every(folder => `${folder}/`.startsWith(`${circle[0]}/`))
    expect(folders.filter(circle => !isOne(circle))).to.deep.equal([])
    const whenLoaded = imports.filter(({ isType }) => !isType)
    expect(circles(arrowsOf(whenLoaded, file => file))).to.deep.equal([])
    const betweenLabs = imports.filter(({ from, to }) => {
      const [a, b] = [from, to].map(file => /^labs\/(lab-[^/]+)/.exec(file)?.[1])
      return a !== undefined && b !== undefined && a !== b
    })
    expect(betweenLabs).to.deep.equal([])
  })

  it('are looked at by a test that knows an import, and a circle', () => {
    const arrows = new Map(Object.entries({ a: ['b'], b: ['c', 'd'], c: ['a'], d: ['e'], e: [] as string[] }))
    expect(circles(arrows)).to.deep.equal([['a', 'b', 'c']])
    expect(importsOf('bin/masque-lab.mjs').map(({ to }) => to)).to.include('labs/kit/cli/bundle.mjs')
    expect(importsOf('src/testbed/testbed.ts')).to.deep.include({
      from: 'src/testbed/testbed.ts',
      to: 'src/client/config.ts',
      isType: true,
    })
  })
})
