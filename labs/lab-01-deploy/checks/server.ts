/** Task 3: a server that runs, and what its status says. */
import { expectNumber, type WrongAnswers } from '../../kit/check/questions.ts'
import type { CheckContext, Feedback } from '../../kit/lab/types.ts'
import { type RunningServer, runningServer } from '../rest-api.ts'

// Cases ----------------------------------------------------------------------------------------------------------------

/** By what somebody counts who gets it wrong. */
function wrongAnswers({ config, status }: RunningServer): WrongAnswers {
  const size = config.pool.ipv4 ? 2 ** (32 - config.pool.ipv4.length) : 0
  return {
    [pool4(status)?.used ?? 0]: 'That is how many are leased now (used); asked is how many there are to lease (total).',
    [size]: `There are ${size} addresses in the prefix, but not all can be leased: which are kept for something else?`,
    [size - 1]: 'More than one address of the prefix cannot be leased.',
    [size - 2]: 'Network and broadcast are left out, as on every IPv4 link. One more is in use: by whom?',
  }
}

// Reference ------------------------------------------------------------------------------------------------------------

const pool4 = (status: RunningServer['status']) => status.pools.find(pool => pool.family === 4)

// Judgement ------------------------------------------------------------------------------------------------------------

export async function check(context: CheckContext): Promise<Feedback> {
  const server = await runningServer(context)
  const { url, status } = server
  const { total, used } = pool4(status) ?? { total: 0, used: 0 }
  expectNumber(context, 'leases', {
    text: 'you read how many IPv4 addresses can be leased',
    expected: 'the number of IPv4 addresses that this server can lease, as /api/v1/status gives it under pools',
    right: Number(total),
    units: ['address', 'addresses'],
    wrong: wrongAnswers(server),
    read: [`${url}/api/v1/status`, 'src/ip/address-pool.ts'],
  })
  return {
    passed: true,
    expected: 'a healthy server, and what its status says',
    found: `/health is well; ${total} IPv4 addresses to lease, ${used} of them leased; running for ${Math.round(status.uptimeSeconds)} s`,
    read: ['src/ip/address-pool.ts'],
  }
}
