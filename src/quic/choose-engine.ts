/**
 * Which engine QUIC runs on: `quic.engine` in the configuration, or else the environment variable MASQUE_QUIC; `auto` without either.
 *
 *   auto         quiche where its binary loads on this machine, else typescript
 *   quiche       quiche, or an error that says why it cannot be had
 *   typescript   the engine in typescript/; quiche's binary is not even looked for
 *
 * Each is loaded when it is first wanted: who never asks for quiche needs no binary for this machine.
 */

import { ChoiceError } from './choice-error.ts'
import type { EngineOptions, QuicEngine } from './engine.ts'
import { ENGINE_CHOICES, type EngineChoice, type EngineName } from './quic.ts'

export interface ChosenEngine {
  readonly name: EngineName
  /** Why it is this one: the end of a line of the log. */
  readonly why: string
  /** More about it, for the same line. */
  readonly how?: string
  /** Throws when certificate and key do not fit, or when there is no application protocol. */
  make(options: EngineOptions): QuicEngine
}

interface Choosing {
  /** Default: MASQUE_QUIC. */
  environment?: string | undefined
  /** For tests: in the place of quiche's binary. */
  loadQuiche?: () => Promise<(options: EngineOptions) => QuicEngine>
}

/** Rejects with ChoiceError. */
export async function chooseEngine(
  configured: EngineChoice | undefined,
  choosing: Choosing = {},
): Promise<ChosenEngine> {
  const { environment = process.env.MASQUE_QUIC, loadQuiche = importQuiche } = choosing
  // What was configured for this endpoint is more than what holds for the whole process.
  const isConfigured = configured !== undefined && configured !== 'auto'
  const choice = isConfigured ? configured : fromEnvironment(environment)
  const asked = isConfigured ? 'quic.engine says so' : 'MASQUE_QUIC says so'
  if (choice === 'typescript') return typescript(asked)
  try {
    return { name: 'quiche', why: choice === 'quiche' ? asked : 'its binary loads here', make: await loadQuiche() }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    if (choice === 'auto') return typescript(`quiche's binary does not load here: ${why}`)
    const where = isConfigured ? 'quic.engine' : 'MASQUE_QUIC'
    throw new ChoiceError(`${where} is "quiche", whose binary does not load here: ${why}; use auto or typescript`)
  }
}

function fromEnvironment(value: string | undefined): EngineChoice {
  // Empty is how a shell leaves out a variable for one command.
  if (value === undefined || value === '') return 'auto'
  const choice = ENGINE_CHOICES.find(name => name === value)
  if (choice !== undefined) return choice
  throw new ChoiceError(
    `MASQUE_QUIC is ${JSON.stringify(value)}; expected ${ENGINE_CHOICES.slice(0, -1).join(', ')} or ${ENGINE_CHOICES.at(-1)}`,
  )
}

async function typescript(why: string): Promise<ChosenEngine> {
  const { TypescriptEngine } = await import('./typescript/engine.ts')
  const { chosenCiphers } = await import('./typescript/protection/ciphers.ts')
  return {
    name: 'typescript',
    why,
    how: chosenCiphers().why,
    make: options => new TypescriptEngine(options),
  }
}

async function importQuiche(): Promise<(options: EngineOptions) => QuicEngine> {
  const { QuicheEngine } = await import('./quiche/quiche-engine.ts')
  return options => new QuicheEngine(options)
}
