import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import { quiche, skipWithoutQuiche } from '../../support/quiche.ts'

const DECLARED = readFileSync(new URL('../../../src/quic/quiche/native.d.ts', import.meta.url), 'utf8')

/** The methods of an interface or object in native.d.ts, by the name that stands at its head. */
function declared(head: string): string[] {
  const from = DECLARED.indexOf(head)
  const indent = ' '.repeat(from - DECLARED.lastIndexOf('\n', from) - 1)
  const body = DECLARED.slice(from, DECLARED.indexOf(`\n${indent}}`, from))
  const methods = [...body.matchAll(new RegExp(`^${indent}  (\\w+)\\(`, 'gm'))].map(([, name]) => name)
  expect(methods, head).to.not.have.length(0)
  return methods
}

const known = (object: object): string[] => Object.getOwnPropertyNames(object)

describe('what src/quic/quiche/native.d.ts declares of quiche', () => {
  before(skipWithoutQuiche)

  it('is there in the package: methods of a configuration, a connection, a header', () => {
    if (quiche === undefined) return
    const constructors = quiche as unknown as Record<string, { prototype: object }>
    expect(known(constructors.Config.prototype)).to.include.members(declared('export interface Config '))
    expect(known(constructors.Connection.prototype)).to.include.members(declared('export interface Connection '))
    expect(known(quiche.Config)).to.include.members(declared('Config: {'))
    expect(known(quiche.Connection)).to.include.members(declared('Connection: {'))
    expect(known(quiche.Header)).to.include.members(declared('Header: {'))
    expect(known(quiche)).to.include.members(declared('export const quiche: {'))
  })

  it('has the numbers that the package has', () => {
    if (quiche === undefined) return
    const { Shutdown, Type } = quiche
    expect([Shutdown.Read, Shutdown.Write, Type.Initial]).to.deep.equal([0, 1, 0])
  })
})
