/** The files of lab 3 fit together. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { startFolder } from '../../../labs/kit/lab/exercises.ts'
import { ROOT } from '../../../labs/kit/lab/registry.ts'
import { lab } from '../../../labs/lab-03-protocol/lab.ts'
import { decodeHuffman } from '../../../solutions/lab-03-protocol/huffman.ts'
import { STATIC_TABLE as GIVEN_TABLE } from '../../../solutions/lab-03-protocol/static-table.ts'
import { encodeRouteAdvertisement } from '../../../src/connect-ip/route-advertisement.ts'
import { huffmanEncode } from '../../../src/http3/qpack/huffman.ts'
import { STATIC_TABLE } from '../../../src/http3/qpack/static-table.ts'
import { IpAddress } from '../../../src/ip/address.ts'
import { AddressRange } from '../../../src/ip/range.ts'
import { solutionFolder } from '../grade-lab.ts'

const START = startFolder(ROOT, lab)
const SOLUTIONS = solutionFolder(lab)

const GIVEN = ['bytes.ts', 'errors.ts', 'huffman.ts', 'static-table.ts']

describe('labs/lab-03-protocol: files', () => {
  const text = (folder: string, name: string) => readFileSync(join(folder, name), 'utf8')

  it('has the given files unchanged among the solutions', () => {
    for (const name of GIVEN) expect(text(SOLUTIONS, name), name).to.equal(text(START, name))
  })

  it('has a solution for each file that a student edits, and a starting file that says TODO', () => {
    for (const name of lab.tasks.flatMap(task => task.files)) {
      expect(readdirSync(SOLUTIONS)).to.include(name)
      if (name.endsWith('.ts')) expect(text(START, name)).to.include("throw new Error('TODO")
      if (name.endsWith('.ts')) expect(text(SOLUTIONS, name)).to.not.include('TODO')
    }
  })

  it('exports from each solution what the starting file exports', () => {
    const exported = (source: string) =>
      [...source.matchAll(/^export (?:const|function|class|interface|type) (\w+)/gm)].map(match => match[1]).sort()
    for (const name of lab.tasks.flatMap(task => task.files).filter(file => file.endsWith('.ts'))) {
      expect(exported(text(SOLUTIONS, name)), name).to.deep.equal(exported(text(START, name)))
    }
  })

  it('gives the tables of RFC 9204 and RFC 7541', () => {
    expect(GIVEN_TABLE).to.deep.equal(STATIC_TABLE)
    const every = Uint8Array.from({ length: 256 }, (_, i) => i)
    expect([...decodeHuffman(huffmanEncode(every))]).to.deep.equal([...every])
    expect(() => decodeHuffman(Uint8Array.of(0xff, 0xff))).to.throw(/ends inside a code/)
  })

  it('imports nothing from outside in files that a student has', () => {
    for (const folder of [START, SOLUTIONS]) {
      for (const name of readdirSync(folder).filter(file => file.endsWith('.ts'))) {
        for (const [, from] of text(folder, name).matchAll(/from '([^']+)'/g))
          expect(from, name).to.match(
            name === 'subject.ts' ? /\/src\/ip\/token-bucket\.ts$/ : /^(\.\/[\w-]+\.ts|node:assert\/strict)$/,
          )
      }
    }
  })

  it('has an example in the task about routes that a proxy may send', () => {
    const { brief } = lab.tasks.find(({ id }) => id === 'routes')!
    const lines = [...brief.matchAll(/^ *IPv[46] +(any|UDP) +(\S+) +- (\S+)/gm)]
    const routes = lines.map(([, protocol, start, end]) => ({
      range: new AddressRange(IpAddress.parse(start!), IpAddress.parse(end!)),
      protocol: protocol === 'any' ? 0 : 17,
    }))
    expect(routes).to.have.length(4)
    expect(() => encodeRouteAdvertisement(routes)).to.not.throw()
  })

  it('names every task and its file in the handout', () => {
    const handout = readFileSync(join(START, '..', 'README.md'), 'utf8')
    for (const task of lab.tasks) {
      expect(handout).to.include(`\`${task.id}\``).and.to.include(`\`${task.files[0]}\``)
      expect(handout).to.match(new RegExp(`\`${task.files[0]}\` \\| ${task.points} \\|`))
    }
  })
})
