/** Task 4: a client that is told everything, and where its address comes from. */
import type { ClientInfo } from '../../../src/server/status.ts'
import { expectChoice, expectNumber } from '../../kit/check/questions.ts'
import type { CheckContext, Feedback } from '../../kit/lab/types.ts'
import { connect, loadClient, NETWORK, show } from '../deployment.ts'
import { clientsOf, runningServer } from '../rest-api.ts'

const ASSIGN = 'RFC 9484 §4.7.1 ADDRESS_ASSIGN Capsule'

// Cases ----------------------------------------------------------------------------------------------------------------

const WRONG_ORIGINS = {
  a: 'The operating system of the client does not even know of this tunnel: it lives in a process without special rights.',
  c: 'No DHCP runs here, and no router advertisements or neighbour discovery either (RFC 9484 §7.1): the proxy tells addresses in capsules of its own.',
  d: 'The QUIC handshake knows nothing of the inner network. Its transport parameters are about the connection itself.',
}

const WRONG_SOURCES = {
  32: '32 is the length of the prefix in bits, not a number of addresses.',
  64: 'That is the size of the pool. The client was given a part of it.',
  61: 'That is how many addresses the pool can lease. The client was given one lease.',
  0: 'The client has been assigned an address: it may send from that.',
}

// Judgement ------------------------------------------------------------------------------------------------------------

export async function check(context: CheckContext): Promise<Feedback> {
  const clientConfig = await loadClient(context, 'client.toml')
  const { config, url, status } = await runningServer(context)
  if (context.mode === 'unattended') await connect(context, status.listen, clientConfig)

  const clients = await clientsOf(context, url)
  show(context, 'client', clients.length > 0 ? 'connected' : 'connecting')
  if (clients.length > 0) show(context, 'addresses', clients[0].addresses)
  context.expect('a client is connected', clients.length > 0, {
    expected: 'your client among the clients of the server',
    found:
      'no client. Leave the server running and start, in one more terminal: npm run client -- -c labs/lab-01-deploy/exercises/client.toml',
  })
  const { target } = clientConfig.proxy
  const narrow =
    target === '*'
      ? undefined
      : `Nothing is wrong with the server: the client asks for a tunnel to ${target} only (proxy.target), and the proxy keeps to that scope.`
  const both = clients.find(client => hasFamily(client, 4) && hasFamily(client, 6))
  context.expect('it has an address of each family', both, () => ({
    expected: `one address from ${NETWORK.pool4} and one from ${NETWORK.pool6}`,
    found: clients.map(client => `${client.remote}: ${client.addresses.join(', ') || 'no address'}`).join('; '),
    misconception: narrow ?? 'The proxy leases addresses of the families it has pools for. Task 2 is about that.',
    read: ['RFC 9484 §4.7.2 ADDRESS_REQUEST Capsule', 'RFC 9484 §4.6 Limiting Request Scope'],
  }))
  const routed = clients.find(client => client.routes.length >= config.routes.length)
  context.expect('it is told all routes that the server offers', routed, () => ({
    expected: `the routes in server.toml: ${config.routes.map(route => route.prefix).join(', ')}`,
    found: clients.map(client => `${client.remote}: ${client.routes.join(', ') || 'no routes'}`).join('; '),
    misconception: narrow ?? 'client.toml asks for everything; was the client started before you changed it?',
    read: ['RFC 9484 §4.6 Limiting Request Scope', 'src/client/config.ts, section proxy'],
  }))
  expectChoice(context, 'origin', {
    text: 'you can say where the address comes from',
    right: 'b',
    wrong: WRONG_ORIGINS,
    read: [ASSIGN, 'RFC 9484 §7.1 Link Operation'],
  })
  expectNumber(context, 'sources', {
    text: 'you can say what the prefix length means',
    expected: 'the number of addresses that a /32 covers',
    right: 1,
    units: ['address', 'addresses'],
    wrong: WRONG_SOURCES,
    read: [ASSIGN],
  })
  return {
    passed: true,
    expected: 'a connected client with an address of each family and all routes, and its explanation',
    found: `${both.addresses.join(' and ')}, leased from the pools and told in an ADDRESS_ASSIGN capsule`,
    read: [ASSIGN, 'src/connect-ip/address-assign.ts'],
  }
}

function hasFamily({ addresses }: ClientInfo, version: 4 | 6): boolean {
  return addresses.some(address => address.includes(':') === (version === 6))
}
