import { readdirSync } from 'node:fs'
import { expect } from 'chai'
import { type ApiServer, startApiServer } from '../../src/server/api-server.ts'
import type { LiveView } from '../../src/server/live-page.ts'
import { ServerMetrics } from '../../src/server/metrics.ts'
import { rawExchange } from '../support/api-client.ts'
import { FakeApiSource } from './fake-api-source.ts'

describe('the page of the live view', () => {
  const live: LiveView = {
    about: { version: '1', listen: '127.0.0.1:4433', hosts: [], hasBrowserPage: false, linkProfiles: null },
    traffic: { capsules: { events: [], leftOut: 3 } },
  }
  const files = readdirSync(new URL('../../src/server/live/', import.meta.url)).map(name =>
    name === 'index.html' ? '/live/' : `/live/${name}`,
  )
  let api: ApiServer

  async function start(view: LiveView | undefined): Promise<void> {
    const source = new FakeApiSource()
    api = await startApiServer({ host: '127.0.0.1', port: 0, source, metrics: new ServerMetrics(source), live: view })
  }
  afterEach(() => api.close())

  it('is not there, nor what it is told, unless it was asked for', async () => {
    await start(undefined)
    for (const path of [...files, '/live/about.json', '/live/capsules.json']) {
      expect((await fetch(api.url + path)).status, path).to.equal(404)
    }
  })

  it('has all its files, each with its type, and takes nothing from elsewhere', async () => {
    await start(live)
    for (const path of [...files, '/live/uPlot.esm.js', '/live/uPlot.min.css', '/browser/packets.mjs']) {
      const { status, headers } = await fetch(api.url + path)
      expect(status, path).to.equal(200)
      const policy = headers.get('content-security-policy')
      expect(policy, path).to.match(/^default-src 'none'; script-src 'self';/)
      expect(policy, path).to.include("frame-ancestors 'none'").and.not.include('unsafe')
      const ending = path.slice(path.lastIndexOf('.') + 1)
      const type = { css: 'text/css', svg: 'image/svg+xml', '/live/': 'text/html' }[ending] ?? 'text/javascript'
      expect(headers.get('content-type'), path).to.equal(`${type}; charset=utf-8`)
    }
    expect(await (await fetch(`${api.url}/live/about.json`)).json()).to.deep.equal(live.about)
    expect(await (await fetch(`${api.url}/live/capsules.json`)).json()).to.deep.equal({ events: [], leftOut: 3 })
  })

  it('has no other files, whatever is asked for', async () => {
    await start(live)
    for (const path of [
      '/live/../status.ts',
      '/live/..%2fstatus.ts',
      '/live/%2e%2e/status.ts',
      '/live/style.css/',
      '/live//',
    ]) {
      const answer = await rawExchange(api.url, `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`)
      expect(answer, path).to.match(/^HTTP\/1\.1 404 /)
    }
  })
})
