/** Starting the programs that take part, and what all of them share. */

import type { ChildProcess } from 'node:child_process'
import { lastWord } from '../../interop/harness/skip.ts'
import { untilReady } from '../../src/process/until-ready.ts'
import type { CompareNetwork } from './network.ts'

/** Inside the tunnel, whoever makes it. */
export const INNER = { client: '10.66.0.2', server: '10.66.0.1' }
/** It takes a second or two; this is for a machine that is busy. */
const START_TIMEOUT_MS = 60_000

/** A contender could not be started; the message is for people. */
export class ContenderError extends Error {
  override name = 'ContenderError'
}

/** Starts a program and waits until it says that it is ready. */
export async function startProgram(
  network: CompareNetwork,
  where: 'client' | 'server',
  command: readonly string[],
  ready: RegExp,
): Promise<ChildProcess> {
  const child = network.spawn(where, command)
  await untilReady(child, {
    ready,
    timeoutMs: START_TIMEOUT_MS,
    failure: (how, said) => new ContenderError(`${command.join(' ')} ${how}: ${lastWord(said)}`),
  })
  return child
}

/** Addresses and the way to the other end, for devices that their program leaves bare. */
export async function configureDevices(
  network: CompareNetwork,
  devices: { client: string; server: string },
  mtu: number,
): Promise<void> {
  for (const [end, other] of [['client', 'server'] as const, ['server', 'client'] as const]) {
    const device = devices[end]
    const script = `ip addr add ${INNER[end]}/32 dev ${device}; ip link set ${device} mtu ${mtu} up; ip route add ${INNER[other]}/32 dev ${device}`
    await network.run(end, ['sh', '-ec', script])
  }
}
