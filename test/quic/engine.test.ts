import { expect } from 'chai'
import { filesBelow, read } from '../docs/repository.ts'

describe('the QUIC library', () => {
  it('is known to src/quic/quiche and to nothing else, and this folder to what chooses the engine only', () => {
    const importing = (what: RegExp): string[] =>
      filesBelow('src', ['.ts', '.tsx']).filter(file => what.test(read(file)))
    const knowsLibrary = importing(/from '@matrixai\/quic/)
    expect(knowsLibrary.filter(file => !file.startsWith('src/quic/quiche/'))).to.deep.equal([])
    expect(knowsLibrary).not.to.deep.equal([])
    // It is loaded when it is wanted: who runs on the other engine needs no binary.
    expect(importing(/from '[^']*\/quiche\//)).to.deep.equal([])
    expect(importing(/import\('[^']*\/quiche\//)).to.deep.equal(['src/quic/choose-engine.ts'])
  })
})
