import { expect } from 'chai'
import { filesBelow, read } from '../docs/repository.ts'

describe('the QUIC library', () => {
  it('is known to src/quic/quiche and to nothing else, and this folder to the endpoint only', () => {
    const importing = (what: RegExp): string[] =>
      filesBelow('src', ['.ts', '.tsx']).filter(file => what.test(read(file)))
    const knowsLibrary = importing(/from '@matrixai\/quic/)
    expect(knowsLibrary.filter(file => !file.startsWith('src/quic/quiche/'))).to.deep.equal([])
    expect(knowsLibrary).not.to.deep.equal([])
    expect(importing(/from '[^']*\/quiche\//)).to.deep.equal(['src/quic/endpoint.ts'])
  })
})
