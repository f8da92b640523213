/** The network of `npm run testbed`, for tasks that are optional because not every system allows it. */
import { openRealNetwork, type RealNetwork, whyNoRealNetwork } from '../../../src/testbed/real-network.ts'
import type { CheckContext, Reading } from '../lab/types.ts'

const READ: readonly Reading[] = ['docs/tun.md, "A network to try it in"']

/**
 * Client, proxy and web server with real interfaces, gone when the check ends. Fails the check, at once and with the reason, where there can be
 * none. `programs`: what else the check runs in it.
 */
export async function realNetwork(
  context: CheckContext,
  programs: readonly string[] = [],
  whyNot = whyNoRealNetwork,
): Promise<RealNetwork> {
  const why = whyNot(programs)
  context.expect('this system can make a network with real interfaces', why === undefined, () => ({
    expected: 'a system that allows `npm run testbed`',
    found: `it does not: ${why}. The task is optional: no points are lost, and nothing else depends on it`,
    read: READ,
  }))
  const total = 5
  let done = 0
  const network = await context.do('make a network with real interfaces, with a tunnel in it', () =>
    openRealNetwork({ signal: context.signal, onStep: what => context.progress(++done, total, what) }),
  )
  context.defer(() => network.close())
  return network
}
