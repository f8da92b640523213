import { expect } from 'chai'
import { TransportError } from '../../../src/quic/typescript/transport-error.ts'

/** Of the TransportError that comes of it; -1: none does. */
export function codeOf(action: () => unknown): number {
  try {
    action()
  } catch (error) {
    expect(error).to.be.instanceOf(TransportError)
    return (error as TransportError).code
  }
  return -1
}
