/** Task 7: what the REST API answers to who asks, to who may not, and to who may. */
import { createHash } from 'node:crypto'
import { expectEach, expectNumber, type WrongAnswers } from '../../kit/check/questions.ts'
import type { CheckContext, Feedback } from '../../kit/lab/types.ts'
import { connect, loadServer, ownClient, startServer } from '../deployment.ts'
import { clientsOf } from '../rest-api.ts'

const READ = ['docs/api.md', 'RFC 9110 §15.5 Client Error 4xx', 'RFC 9457 §3 The Problem Details JSON Object']

// Cases ----------------------------------------------------------------------------------------------------------------

const IN_GENERAL: WrongAnswers = {
  200: '200 would have something to show: an answer with content.',
  202: '202 says that it may be done later, and asks nobody to count on it.',
  400: '400 is for a request that cannot be understood. This one can, every letter of it.',
  404: '404 says that there is no such thing. There is.',
  405: '405 says that this path does not know this method, whoever asks. This one does.',
  500: '500 says that the server has made a mistake. It has not.',
}

const QUESTIONS = {
  open: {
    text: 'you know what a server without a token answers',
    wrong: {
      ...IN_GENERAL,
      401: '401 invites to come again with credentials. Here none would help, because none are configured.',
      204: 'Everybody on this machine may read. To end the tunnel of somebody else is more than that.',
    },
  },
  wrong: {
    text: 'you know what a wrong token gets',
    wrong: {
      ...IN_GENERAL,
      403: '403 is for credentials that are valid and not enough, or where none would help. This token is not valid, and others would be: the right ones.',
      407: '407 is what a proxy in between asks for, for itself.',
    },
  },
  ended: {
    text: 'you know what the right token gets',
    wrong: { ...IN_GENERAL, 200: '200 comes with content. What is there to show of a tunnel that has been ended?' },
  },
  after: {
    text: 'you know what is left of a client whose tunnel has been ended',
    wrong: {
      ...IN_GENERAL,
      404: '',
      200: 'The list has the tunnels that are open now. What has been is in /api/v1/logs.',
      204: '204 is success. But of this client nothing is there any more.',
      410: '410 would say that it was there once, and will never be again: then the server had to remember all clients that ever were.',
    },
  },
} as const

// Reference ------------------------------------------------------------------------------------------------------------

const TOKEN = 'the-token-of-this-check'
const MOST_WAITS = 400
const WAIT_MS = 50

interface Answer {
  status: number
  type: string
  detail: string
}

/** What the API really answers, by the ids of the questions. */
async function measure(context: CheckContext): Promise<Record<keyof typeof QUESTIONS, Answer>> {
  const config = await loadServer(context)
  const withoutToken = await serverWithClient(context, config)
  const open = await context.do('DELETE, where no token is configured', () =>
    ask(context, withoutToken, 'DELETE', TOKEN),
  )
  const withToken = await serverWithClient(context, config, createHash('sha256').update(TOKEN).digest('hex'))
  const wrong = await context.do('DELETE, with a wrong token', () => ask(context, withToken, 'DELETE', `${TOKEN}?`))
  const ended = await context.do('DELETE, with the right token', () => ask(context, withToken, 'DELETE', TOKEN))
  const after = await context.do('GET the same client', async () => {
    // It is ended in good order, which takes a moment.
    for (let waits = 0; ; waits++) {
      const answer = await ask(context, withToken, 'GET')
      if (answer.status !== 200 || waits === MOST_WAITS) return answer
      await new Promise(resolve => setTimeout(resolve, WAIT_MS))
      context.signal.throwIfAborted()
    }
  })
  return { open, wrong, ended, after }
}

/** The URL of the only client of a server of its own. */
async function serverWithClient(
  context: CheckContext,
  config: Awaited<ReturnType<typeof loadServer>>,
  tokenSha256?: string,
): Promise<string> {
  const server = await startServer(context, config, tokenSha256)
  await connect(context, server, await ownClient(context))
  const [client] = await clientsOf(context, server.apiUrl)
  return `${server.apiUrl}/api/v1/clients/${encodeURIComponent(client.id)}`
}

async function ask({ signal }: CheckContext, url: string, method: string, token?: string): Promise<Answer> {
  const response = await fetch(url, {
    method,
    headers: { connection: 'close', ...(token !== undefined && { authorization: `Bearer ${token}` }) },
    signal,
  })
  const text = await response.text()
  const type = response.headers.get('content-type') ?? ''
  const detail = type.startsWith('application/problem+json')
    ? String((JSON.parse(text) as { detail: unknown }).detail)
    : ''
  return { status: response.status, type, detail }
}

// Judgement ------------------------------------------------------------------------------------------------------------

export async function check(context: CheckContext): Promise<Feedback> {
  const answers = await measure(context)
  expectEach(
    context,
    Object.entries(QUESTIONS).map(([question, { text, wrong }]) => each => {
      expectNumber(each, question, {
        text,
        expected: 'the status codes of four answers, such as 200',
        right: answers[question as keyof typeof QUESTIONS].status,
        wrong,
        read: READ,
      })
    }),
  )
  const { open, wrong, ended, after } = answers
  return {
    passed: true,
    expected: 'the status codes with which the API answers',
    found: [
      `${open.status}: ${open.detail}`,
      `${wrong.status}: ${wrong.detail}`,
      `${ended.status}: no content`,
      `${after.status}: ${after.detail}`,
    ].join('\n'),
    read: READ,
  }
}
