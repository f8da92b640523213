import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect } from 'chai'
import { ROOT } from '../../../../labs/kit/lab/registry.ts'

interface Bundles {
  bundledUi(options: { root: string; caches: string[] }): Promise<{ openUi: unknown } | undefined>
}

describe('the terminal UI as one file', () => {
  let place: string
  let root: string
  let bundledUi: Bundles['bundledUi']
  before(async () => {
    ;({ bundledUi } = (await import(pathToFileURL(join(ROOT, 'labs', 'kit', 'cli', 'bundle.mjs')).href)) as Bundles)
  })
  beforeEach(() => {
    place = mkdtempSync(join(tmpdir(), 'masque-bundle-test-'))
    root = join(place, 'repository')
    for (const name of ['labs/kit', 'labs/lab-01-deploy', 'package.json', 'package-lock.json'])
      cpSync(join(ROOT, name), join(root, name), { recursive: true })
    for (const name of ['node_modules', 'src']) symlinkSync(join(ROOT, name), join(root, name))
  })
  afterEach(() => rmSync(place, { recursive: true, force: true }))
  const cache = () => join(place, 'cache')
  const open = (...caches: string[]) => bundledUi({ root, caches: caches.length > 0 ? caches : [cache()] })
  const kept = () => readdirSync(cache()).filter(name => name.endsWith('.mjs'))

  it('is made once, and again when a source has changed or a lab has come', async () => {
    expect((await open())?.openUi).to.be.a('function')
    const [first] = kept()
    utimesSync(join(cache(), first!), 1, 1)
    await open()
    expect(kept()).to.deep.equal([first])
    cpSync(join(root, 'labs', 'lab-01-deploy'), join(root, 'labs', 'lab-02-more'), { recursive: true })
    await open()
    expect(kept()).to.have.length(1).and.not.include(first)
  })

  it('is not had when a lab does not compile, so that the ordinary way can say why', async () => {
    writeFileSync(join(root, 'labs', 'lab-01-deploy', 'lab.ts'), 'export const lab = {')
    expect(await open()).to.equal(undefined)
  })

  it('is kept where it can be', async () => {
    const file = join(place, 'a-file')
    writeFileSync(file, '')
    expect((await open(join(file, 'below'), cache()))?.openUi).to.be.a('function')
    expect(kept()).to.have.length(1)
    expect(await open(join(file, 'below'))).to.equal(undefined)
  })

  it('is made anew when what is kept is damaged', async () => {
    mkdirSync(cache())
    writeFileSync(join(cache(), 'ui.json'), '{"file":')
    expect((await open())?.openUi).to.be.a('function')
    expect(existsSync(join(cache(), kept()[0]))).to.equal(true)
  })
})
