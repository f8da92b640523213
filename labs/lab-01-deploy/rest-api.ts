/** The server that the student has started, as it tells about itself over HTTP; in grading, one that is started here. */
import { ClientError } from '../../src/client/client.ts'
import type { ServerConfig } from '../../src/server/config.ts'
import type { ClientInfo, ServerStatus } from '../../src/server/status.ts'
import { CheckFailure } from '../kit/check/check-failure.ts'
import type { CheckContext } from '../kit/lab/types.ts'
import { loadServer, NETWORK, newClient, ownClient, showStatus, startServer, TRUST } from './deployment.ts'

export interface RunningServer {
  config: ServerConfig
  /** Of its REST API. */
  url: string
  status: ServerStatus
}

/** Fails the check unless a server runs, with the pools of server.toml, and it is the student's. */
export async function runningServer(context: CheckContext): Promise<RunningServer> {
  const config = await loadServer(context)
  const url = context.mode === 'live' ? await startedUrl(context, config) : (await startServer(context, config)).apiUrl
  const status = await context.do(`GET ${url}/api/v1/status`, () => get<ServerStatus>(context, url, '/api/v1/status'))
  showStatus(context, status)
  if (context.mode === 'live') await expectOwn(context, config, status)
  // A server that was started before the file was changed still has the old pools.
  const configured = [config.pool.ipv4, config.pool.ipv6].filter(prefix => prefix !== undefined).map(String)
  const running = status.pools.map(pool => pool.prefix)
  context.expect('it runs with the pools in server.toml', configured.join() === running.join(), {
    expected: `a server with the pools ${configured.join(' and ')}`,
    found: `one with ${running.join(' and ')}`,
    misconception: 'The server reads its configuration when it starts. Stop it with Ctrl-C and start it again.',
  })
  return { config, url, status }
}

export async function clientsOf(context: CheckContext, url: string): Promise<ClientInfo[]> {
  return await context.do(`GET ${url}/api/v1/clients`, () => get<ClientInfo[]>(context, url, '/api/v1/clients'))
}

async function startedUrl(context: CheckContext, config: ServerConfig): Promise<string> {
  const host = config.api.host.includes(':') ? `[${config.api.host}]` : config.api.host
  const url = `http://${host}:${config.api.port}`
  context.expect('the REST API is on', config.api.enabled, {
    expected: 'server.toml: api.enabled = true, so that the server can be asked',
    found: 'api.enabled = false',
  })
  await context.do(`GET ${url}/health`, async () => {
    try {
      await get(context, url, '/health')
    } catch (error) {
      throw new CheckFailure({
        expected: `your server to answer at ${url}/health`,
        found: `${(error as Error).message}. Start it in another terminal and leave it running: npm run server -- -c labs/lab-01-deploy/exercises/server.toml`,
        read: ['labs/lab-01-deploy/README.md, "Three terminals"'],
      })
    }
  })
  return url
}

/**
 * On a machine that is shared, the ports in server.toml may be somebody else's, whatever is done for everybody to have their own. The server that answers there is the student's own
 * when it shows a certificate that the student's authority has signed.
 */
async function expectOwn(context: CheckContext, config: ServerConfig, status: ServerStatus): Promise<void> {
  const others = {
    misconception:
      'On a machine that you share, a port may be taken by the server of somebody else. npm run lab -- --ports shows those that are meant for you: write them into server.toml, and the same into the client files.',
    read: ['labs/lab-01-deploy/README.md, "Three terminals"'],
  }
  const { host, port } = status.listen
  context.expect('it listens on the port in server.toml', [0, port].includes(config.listen.port), {
    expected: `a server that listens on UDP port ${config.listen.port}, as server.toml has it`,
    found: `the server that answers at port ${config.api.port} listens on UDP port ${port}`,
    ...others,
  })
  await context.do('see whether its certificate is yours', async () => {
    // A tunnel that no expectation of a task could take for the student's client.
    const client = newClient(
      context,
      { host: LOOPBACK[host] ?? host, port },
      {
        ...(await ownClient(context)),
        proxy: { target: NETWORK.library4 },
        tunnel: { requestAddresses: ['ipv4'], linkProbe: 'off' },
      },
    )
    try {
      await client.connect()
    } catch (error) {
      // Whatever else may have gone wrong is not about whose server it is.
      if (!(error instanceof ClientError) || !error.tlsAlert) return
      throw new CheckFailure({
        expected: 'the server that you have started, with the certificate in cert/out',
        found: `one whose certificate was not signed by your authority (TLS alert ${error.tlsAlert.name})`,
        ...others,
        read: [...others.read, TRUST],
      })
    } finally {
      await client.close()
    }
  })
}

/** Who listens everywhere is reached here. */
const LOOPBACK: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' }

async function get<T>(context: CheckContext, url: string, path: string): Promise<T> {
  let response: Response
  try {
    // No keep-alive: an idle connection would keep a server of ours from closing.
    response = await fetch(url + path, {
      headers: { connection: 'close' },
      signal: AbortSignal.any([context.signal, AbortSignal.timeout(10_000)]),
    })
  } catch (error) {
    const { code } = ((error as Error).cause ?? {}) as { code?: string }
    throw new Error(
      code === 'ECONNREFUSED'
        ? `nothing listens at ${url}`
        : `no answer from ${url}${path}: ${code ?? (error as Error).message}`,
    )
  }
  const text = await response.text()
  if (!response.ok) throw new Error(`${url}${path} answered ${response.status}: ${text.slice(0, 100)}`)
  try {
    return JSON.parse(text) as T
  } catch {
    throw new Error(`${url}${path} is not our server: it answered "${text.slice(0, 60)}"`)
  }
}
