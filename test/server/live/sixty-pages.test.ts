import { connect, type Socket } from 'node:net'
import { expect } from 'chai'
import { closeLoopback, connectClient, keepPinging, startServer, until } from '../../support/loopback.ts'
import { module } from './modules.ts'

const { EventParser } = await module('event-stream.mjs')

const QUERY = '/api/v1/events?types=status,clients,packet,capsule'

/** What one page has been told, by type, as text. */
type Told = Record<string, string[]>

describe('the live view on sixty screens', () => {
  const leaving = new AbortController()
  let deaf: Socket | undefined

  afterEach(async () => {
    leaving.abort()
    deaf?.destroy()
    await closeLoopback()
  })

  async function openPage(apiUrl: string): Promise<Told> {
    const { status, body } = await fetch(apiUrl + QUERY, { signal: leaving.signal })
    expect(status).to.equal(200)
    const told: Told = { status: [], clients: [], packet: [], capsule: [], lost: [] }
    const read = async (): Promise<void> => {
      const parser = new EventParser()
      for await (const text of (body as ReadableStream).pipeThrough(new TextDecoderStream()))
        for (const { type, data } of parser.push(text)) told[type].push(data)
    }
    read().catch(() => {})
    return told
  }

  it('costs a tunnel none of its pings, though one of them never reads; all see the same packets, which were sampled once', async () => {
    const server = await startServer({ api: { enabled: true, port: 0, live: true } })
    const apiUrl = server.apiUrl as string
    const { client } = await connectClient(server)
    const train = keepPinging(client, '10.90.0.1')
    deaf = connect(Number(new URL(apiUrl).port), '127.0.0.1').on('error', () => {})
    deaf.write(`GET ${QUERY} HTTP/1.1\r\nHost: localhost\r\n\r\n`)

    const pages = await Promise.all(Array.from({ length: 60 }, () => openPage(apiUrl)))
    const before = train.answered
    await connectClient(server)
    const all = (holds: (page: Told) => boolean) => until(() => train.failed !== undefined || pages.every(holds))
    // The newcomer, its capsules, and packets.
    await all(({ clients }) => JSON.parse(clients.at(-1) ?? '[]').length === 2)
    await all(({ packet, capsule }) => packet.length >= 5 && capsule.length > 0)
    const last = pages[0].packet.at(-1) as string
    await all(({ packet }) => packet.includes(last))

    const upToIt = pages.map(({ packet }) => packet.slice(0, packet.indexOf(last) + 1).slice(-3))
    // Who came last may have seen fewer.
    for (const seen of upToIt) expect(seen).to.deep.equal(upToIt[0].slice(-seen.length))
    expect(pages.flatMap(({ lost }) => lost)).to.deep.equal([])
    expect(await train.stop()).to.be.greaterThan(before)
  })
})
