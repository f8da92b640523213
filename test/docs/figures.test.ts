/** Figures that are made from text: docs/figures/*.dot, by `npm run figures`. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { figureNames, pathOf, svgOf, textOf } from '../../docs/figures/render.ts'
import { drawnFloors } from './drawn-floors.ts'
import { filesBelow, linksOf, ROOT, read } from './repository.ts'

/** What stands in a text as the name of a file or, with a slash at the end, of a folder. Comments are for others. */
function namesOfFiles(text: string): string[] {
  return [...text.replace(/^\s*\/\/.*/gm, '').matchAll(/[\w./-]+(?:\.(?:ts|toml|sh|md)|[a-z0-9]\/)(?![\w/*])/g)]
    .map(([name]) => name)
    .filter(name => !name.startsWith('/'))
}

describe('the figures in docs/figures', () => {
  const names = figureNames()

  for (const name of names) {
    it(`are what their text gives: ${name}`, async () => {
      expect(readFileSync(pathOf(name, '.svg'), 'utf8'), 'npm run figures makes it anew').to.equal(await svgOf(name))
    })

    it(`are readable in the dark: ${name} brings a white background`, () => {
      expect(readFileSync(pathOf(name, '.svg'), 'utf8')).to.match(/<polygon fill="white"/)
    })

    it(`are shown on a page, with a text for who cannot see them: ${name}`, () => {
      const pages = ['README.md', ...filesBelow('docs', ['.md']), ...filesBelow('labs', ['.md'])]
      const shown = pages.filter(page => linksOf(read(page)).some(target => target.endsWith(`figures/${name}.svg`)))
      expect(shown).to.have.length(1)
      expect(read(shown[0])).to.match(new RegExp(`^!\\[[^\\]]{40,}\\]\\([^)]*figures/${name}\\.svg\\)$`, 'm'))
    })

    it(`name files that exist: ${name}`, () => {
      const missing = namesOfFiles(textOf(name)).filter(
        file => !['', 'src', 'labs/kit'].some(folder => existsSync(join(ROOT, folder, file))),
      )
      expect(missing).to.deep.equal([])
    })
  }

  it('have the floors of docs/architecture.md, in their order', () => {
    const floors = [...textOf('floors').matchAll(/<B>([^<]+)<\/B>/g)].map(([, floor]) => floor)
    expect(floors).to.deep.equal(drawnFloors().flat())
  })

  it('are looked at by a test that knows the name of a file', () => {
    expect(namesOfFiles('// no.ts\n a [label=<<B>quic/driver.ts</B><BR/>of quic/udp/>]')).to.deep.equal([
      'quic/driver.ts',
      'quic/udp/',
    ])
    expect(namesOfFiles(textOf('packet-way'))).to.have.length(19)
  })
})
