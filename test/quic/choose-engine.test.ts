import { expect } from 'chai'
import { ChoiceError } from '../../src/quic/choice-error.ts'
import { chooseEngine } from '../../src/quic/choose-engine.ts'
import { skipWithoutQuiche } from '../support/quiche.ts'

const noBinary = (): Promise<never> => Promise.reject(new Error('there is no binary for this machine'))
const notAsked = (): Promise<never> => {
  throw new Error('quiche was looked for')
}

async function refused(choosing: Promise<unknown>): Promise<string> {
  const error = await choosing.then(() => undefined).catch((error: unknown) => error)
  expect(error).to.be.instanceOf(ChoiceError)
  return (error as Error).message
}

describe('the choice of the QUIC engine', () => {
  it('is quiche by itself, where its binary loads', async function () {
    skipWithoutQuiche.call(this)
    const { MASQUE_QUIC: said } = process.env
    delete process.env.MASQUE_QUIC
    const { name, why } = await chooseEngine(undefined).finally(() => {
      if (said !== undefined) process.env.MASQUE_QUIC = said
    })
    expect({ name, why }).to.deep.equal({ name: 'quiche', why: 'its binary loads here' })
  })

  it('is typescript by itself where that does not load, and says why', async () => {
    for (const environment of ['', 'auto']) {
      const { name, why } = await chooseEngine('auto', { environment, loadQuiche: noBinary })
      expect({ name, why }).to.deep.equal({
        name: 'typescript',
        why: "quiche's binary does not load here: there is no binary for this machine",
      })
    }
  })

  it('does not even look for the binary where typescript is asked for', async () => {
    expect(await chooseEngine('typescript', { environment: 'quiche', loadQuiche: notAsked })).to.include({
      name: 'typescript',
      why: 'quic.engine says so',
    })
    expect(await chooseEngine('auto', { environment: 'typescript', loadQuiche: notAsked })).to.include({
      name: 'typescript',
      why: 'MASQUE_QUIC says so',
    })
  })

  it('is an error where quiche is asked for, and cannot be had; or where there is no such engine', async () => {
    expect(await refused(chooseEngine('quiche', { environment: 'typescript', loadQuiche: noBinary }))).to.equal(
      'quic.engine is "quiche", whose binary does not load here: there is no binary for this machine; use auto or typescript',
    )
    expect(await refused(chooseEngine('auto', { environment: 'quiche', loadQuiche: noBinary }))).to.equal(
      'MASQUE_QUIC is "quiche", whose binary does not load here: there is no binary for this machine; use auto or typescript',
    )
    expect(await refused(chooseEngine('auto', { environment: 'Quiche' }))).to.equal(
      'MASQUE_QUIC is "Quiche"; expected auto, quiche or typescript',
    )
  })
})
