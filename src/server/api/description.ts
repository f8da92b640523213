/** docs/openapi.yaml: served as JSON, rendered as a page at /api/docs/, and as docs/api.md. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { RequestHandler } from 'express'
import { parse } from 'yaml'

interface Parameter {
  $ref?: string
  name: string
  in: string
  required?: boolean
  description?: string
  schema: { enum?: string[]; type?: string; minimum?: number; maximum?: number; default?: unknown }
}

interface Answer {
  $ref?: string
  description: string
  content?: Record<string, unknown>
}

interface Operation {
  summary: string
  description?: string
  parameters?: Parameter[]
  responses: Record<string, Answer>
}

interface Description {
  info: { title: string; description: string }
  paths: Record<string, Record<string, Operation> & { parameters?: Parameter[] }>
  components: { parameters: Record<string, Parameter>; responses: Record<string, Answer> }
}

/** One thing that can be asked, in words. */
export interface Endpoint {
  readonly method: string
  readonly path: string
  readonly summary: string
  readonly description: string
  readonly parameters: readonly { name: string; values: string; text: string }[]
  readonly answers: readonly { status: string; type: string; text: string }[]
  /** Of a shell in which ID is a client's id with a dash, and TOKEN the token. */
  readonly example: string
}

const METHODS = ['get', 'post', 'delete']

export function readDescription(): Description {
  return parse(readFileSync(new URL('../../../docs/openapi.yaml', import.meta.url), 'utf8')) as Description
}

export function endpointsOf({ paths, components }: Description): Endpoint[] {
  const named = <T extends { $ref?: string }>(part: T, all: Record<string, T>): T =>
    part.$ref === undefined ? part : all[part.$ref.slice(part.$ref.lastIndexOf('/') + 1)]
  return Object.entries(paths).flatMap(([path, item]) =>
    METHODS.filter(method => Object.hasOwn(item, method)).map((method): Endpoint => {
      const { summary, description = '', responses, parameters = [] } = item[method]
      return {
        method: method.toUpperCase(),
        path,
        summary,
        description: description.trim(),
        parameters: [...(item.parameters ?? []), ...parameters]
          .map(parameter => named(parameter, components.parameters))
          .map(({ name, schema, description: text = '' }) => ({ name, values: valuesOf(schema), text })),
        answers: Object.entries(responses).map(([status, answer]) => {
          const { content = {}, description: text } = named(answer, components.responses)
          return {
            status: status === 'default' ? 'else' : status,
            type: Object.keys(content).join(),
            text: text.trim(),
          }
        }),
        example: exampleOf(method, path),
      }
    }),
  )
}

function valuesOf({ enum: words, type, minimum, maximum, default: otherwise }: Parameter['schema']): string {
  const range = maximum === undefined || maximum > 1e9 ? '' : `, ${minimum} to ${maximum}`
  const kind = words === undefined ? `${type}${range}` : words.join(', ')
  return otherwise === undefined ? kind : `${kind}; ${otherwise} when left out`
}

const QUERIES: Readonly<Record<string, string>> = {
  '/api/v1/stats': '?window=5m',
  '/api/v1/connections': '?limit=20',
  '/api/v1/logs': '?event=tunnel-closed&limit=20',
  '/api/v1/events': '?types=connection,status',
  'POST /api/v1/link': '?profile=wifi&delayMs=50&lossPercent=2',
}

function exampleOf(method: string, path: string): string {
  const url = `"http://127.0.0.1:8080${path.replace('{id}', '$ID')}${QUERIES[method === 'get' ? path : `${method.toUpperCase()} ${path}`] ?? ''}"`
  if (method !== 'get') return `curl -X ${method.toUpperCase()} -H "Authorization: Bearer $TOKEN" ${url}`
  return path === '/api/v1/events' ? `curl -N --max-time 3 ${url}` : `curl ${url}`
}

// -- as Markdown ---------------------------------------------------------------------------------------------------------

const MARKDOWN_HEAD = `# REST API

Made from [openapi.yaml](openapi.yaml) by \`npm run docs:api\`: change that file, not this one. A running proxy serves the same at \`/api/docs/\`, and as JSON at
\`/api/openapi.json\`. In the examples, \`ID\` is the id of a client with a dash for its slash, and \`TOKEN\` the API's token: the one in \`api.token_file\`, or whose SHA-256 is \`api.token_sha256\`.
`

export function toMarkdown(description: Description): string {
  const cell = (text: string): string => text.replace(/\s+/g, ' ').replaceAll('|', '\\|')
  const parts = endpointsOf(description).map(endpoint => {
    const { method, path, summary, parameters, answers, example } = endpoint
    const lines = [
      `## ${method} ${path}`,
      '',
      `${summary}${/[.?]$/.test(summary) ? '' : '.'} ${endpoint.description}`.trim(),
    ]
    if (parameters.length > 0) {
      lines.push('', '| parameter | values | |', '| --- | --- | --- |')
      for (const { name, values, text } of parameters) lines.push(`| \`${name}\` | ${cell(values)} | ${cell(text)} |`)
    }
    lines.push('', '| answer | | |', '| --- | --- | --- |')
    for (const { status, type, text } of answers)
      lines.push(`| ${status} | ${type === '' ? '' : `\`${type}\``} | ${cell(text)} |`)
    lines.push('', '```sh', example, '```')
    return `${lines.join('\n')}\n`
  })
  return [MARKDOWN_HEAD, `${description.info.description.trim()}\n`, ...parts].join('\n')
}

// -- as a page -----------------------------------------------------------------------------------------------------------

const STYLE = `body{font:1rem/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}
pre,code{font-family:ui-monospace,monospace}pre{padding:.7rem;overflow:auto;border:1px solid}
table{border-collapse:collapse;width:100%}td{border-bottom:1px solid;padding:.3rem .6rem .3rem 0;vertical-align:top}h2{margin-top:2.5rem}`

const CONTENT_SECURITY_POLICY = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`

function toPage(description: Description): string {
  const { title, description: about } = description.info
  const row = (cells: readonly string[]): string =>
    `<tr>${cells.map(text => `<td>${escaped(text)}</td>`).join('')}</tr>`
  const sections = endpointsOf(description).map(
    ({ method, path, summary, description: text, parameters, answers, example }) =>
      `<section><h2><code>${escaped(`${method} ${path}`)}</code></h2><p>${escaped(summary)}</p><p>${escaped(text)}</p>` +
      `<table>${parameters.map(({ name, values, text: what }) => row([name, values, what])).join('')}</table>` +
      `<table>${answers.map(({ status, type, text: what }) => row([status, type, what])).join('')}</table>` +
      `<pre tabindex="0">${escaped(example)}</pre></section>`,
  )
  const paragraphs = about.trim().split('\n\n')
  return (
    `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escaped(title)}</title>` +
    `<style>${STYLE}</style></head><body><main><h1>${escaped(title)}</h1>${paragraphs.map(text => `<p>${escaped(text)}</p>`).join('')}` +
    `<p><a href="../openapi.json">openapi.json</a></p>${sections.join('')}</main></body></html>`
  )
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`)
}

/** By path. */
export function descriptionFiles(): Record<string, RequestHandler> {
  let made: { json: string; page: string } | undefined
  /** When first asked for: a proxy starts without it, and so does a check in a copy of the repository that has no docs/. */
  const files = (): { json: string; page: string } => {
    if (made === undefined) {
      const description = readDescription()
      made = { json: JSON.stringify({ ...description, servers: [{ url: '/' }] }), page: toPage(description) }
    }
    return made
  }
  return {
    '/api/openapi.json': (_request, response) => {
      response.type('json').send(files().json)
    },
    '/api/docs/': (_request, response) => {
      response.set('Content-Security-Policy', CONTENT_SECURITY_POLICY).type('html').send(files().page)
    },
  }
}
