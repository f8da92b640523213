import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { expect } from 'chai'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

describe('loading TypeScript', () => {
  let place: string
  let root: string
  beforeEach(() => {
    place = mkdtempSync(join(tmpdir(), 'masque-typescript-test-'))
    root = join(place, 'repository')
    for (const name of ['cache-folders.mjs', 'typescript.mjs', 'typescript-hooks.mjs'])
      cpSync(join(ROOT, 'src', 'process', name), join(root, 'src', 'process', name))
    mkdirSync(join(root, 'node_modules'))
    symlinkSync(join(ROOT, 'node_modules', 'esbuild'), join(root, 'node_modules', 'esbuild'))
    symlinkSync(join(ROOT, 'node_modules', '@esbuild'), join(root, 'node_modules', '@esbuild'))
    writeFileSync(join(root, 'package.json'), '{ "type": "module" }')
  })
  afterEach(() => rmSync(place, { recursive: true, force: true }))

  const write = (name: string, text: string) => writeFileSync(join(root, name), text)
  const start = async (name: string) => {
    const loader = pathToFileURL(join(root, 'src', 'process', 'typescript.mjs')).href
    const env = { ...process.env, XDG_CACHE_HOME: join(place, 'own') }
    return await promisify(execFile)(process.execPath, ['--import', loader, join(root, name)], { env })
  }
  const beside = () => join(root, 'node_modules', '.cache', 'masque-lab', 'typescript')
  const own = () => join(place, 'own', 'masque-lab', 'typescript')

  it('gives what is in the file, and in those that it imports, minus the types', async () => {
    write('a.ts', `import { b } from './b.ts'\nconst n: number = b(2)\nconsole.log(n satisfies number)`)
    write('b.ts', `export const b = <T extends number>(value: T): number => value + 1`)
    expect((await start('a.ts')).stdout).to.equal('3\n')
  })

  it('translates a file once, and again when it has changed or what is kept is damaged', async () => {
    write('a.ts', `console.log('as written' as string)`)
    await start('a.ts')
    const kept = readdirSync(beside())
    expect(kept).to.have.length(1)
    writeFileSync(join(beside(), kept[0]!), `console.log('as kept')\n`)
    expect((await start('a.ts')).stdout).to.equal('as kept\n')
    for (const damaged of ['', '\0'.repeat(50)]) {
      writeFileSync(join(beside(), kept[0]!), damaged)
      expect((await start('a.ts')).stdout).to.equal('as written\n')
    }
    write('a.ts', `console.log('as written anew' as string)`)
    expect((await start('a.ts')).stdout).to.equal('as written anew\n')
    expect(readdirSync(beside())).to.have.length(2)
  })

  it('keeps what it has translated in the own cache of the user where the packages belong to somebody else, and goes on where it can keep nothing', async () => {
    writeFileSync(join(root, 'node_modules', '.cache'), '')
    write('a.ts', `console.log('here' as string)`)
    expect((await start('a.ts')).stdout).to.equal('here\n')
    expect(readdirSync(own())).to.have.length(1)
    rmSync(join(place, 'own'), { recursive: true })
    writeFileSync(join(place, 'own'), '')
    expect((await start('a.ts')).stdout).to.equal('here\n')
  })

  it('has stacks name the line of the source', async () => {
    write('a.ts', `interface A {\n  a: number\n}\n\n\nexport const a: A = { a: 1 }\nthrow new Error('meant')`)
    const failed = await start('a.ts').then(
      () => expect.fail('it did not fail'),
      (error: { stderr: string }) => error.stderr,
    )
    expect(failed).to.include('Error: meant').and.include('a.ts:7:')
  })

  it('says where a file is no TypeScript, and keeps nothing of it', async () => {
    write('a.ts', `console.log('a')\nconst = 1`)
    const failed = await start('a.ts').then(
      () => expect.fail('it did not fail'),
      (error: { stderr: string }) => error.stderr,
    )
    expect(failed).to.include('a.ts:2:6: ERROR: ')
    expect(() => readdirSync(beside())).to.throw('ENOENT')
  })

  it('reads what has elements in it, and nothing but modules', async () => {
    write('b.tsx', `export const b = (props: { c: string }) => <props.c />`)
    symlinkSync(join(ROOT, 'node_modules', 'react'), join(root, 'node_modules', 'react'))
    write('c.json', '{ "c": "d" }')
    write(
      'a.ts',
      `import { b } from './b.tsx'\nimport c from './c.json' with { type: 'json' }\nconsole.log(b(c).type as string)`,
    )
    expect((await start('a.ts')).stdout).to.equal('d\n')
  })
})
