/** docs/openapi.yaml, and whether an answer of the REST API is one that it describes. */
import { readFileSync } from 'node:fs'
import type { IncomingHttpHeaders } from 'node:http'
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { parse } from 'yaml'

interface Described {
  content?: Record<string, { schema: object }>
  headers?: Record<string, { required?: boolean }>
  $ref?: string
}

interface Operation {
  responses: Record<string, Described>
}

export interface OpenApi {
  paths: Record<string, Record<string, Operation>>
  components: Record<string, Record<string, object>>
}

export const openapi = parse(readFileSync(new URL('../../docs/openapi.yaml', import.meta.url), 'utf8')) as OpenApi

const ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: true })
// The package is CommonJS.
;(addFormats as unknown as (to: Ajv2020) => void)(ajv)
ajv.addSchema(openapi, 'openapi.yaml')
const compiled = new Map<object, ValidateFunction>()

export interface ApiAnswer {
  status: number
  headers: IncomingHttpHeaders
  body: string
}

/** Throws when this is no answer that the description has for the request. `path` without its query. */
export function checkAgainstDescription(method: string, path: string, { status, headers, body }: ApiAnswer): void {
  const where = `${method} ${path} -> ${status}`
  const template = Object.keys(openapi.paths).find(each => matches(each, path))
  const operations = template === undefined ? undefined : openapi.paths[template]
  const operation = operations?.[method === 'HEAD' ? 'get' : method.toLowerCase()]
  // What is not described at all may only be refused.
  const described = resolve(
    operation === undefined
      ? (openapi.components.responses.Problem as Described)
      : (operation.responses[status] ?? operation.responses.default),
  )
  if (operation === undefined || operation.responses[status] === undefined) {
    if (status < 400 && status !== 308) throw new Error(`${where}: not described`)
  }
  if (status === 308) return
  for (const [name, { required }] of Object.entries(described.headers ?? {})) {
    if (required && headers[name.toLowerCase()] === undefined) throw new Error(`${where}: without ${name}`)
  }
  if (described.content === undefined) {
    if (body !== '') throw new Error(`${where}: has content`)
    return
  }
  const type = (headers['content-type'] ?? '').split(';')[0]
  const media = described.content[type]
  if (media === undefined) throw new Error(`${where}: is ${type}`)
  if (method === 'HEAD' || !type.endsWith('json')) return
  let validate = compiled.get(media.schema)
  if (validate === undefined) {
    validate = ajv.compile(withId(media.schema))
    compiled.set(media.schema, validate)
  }
  if (!validate(JSON.parse(body)))
    throw new Error(`${where}: ${ajv.errorsText(validate.errors)}\n${body.slice(0, 500)}`)
}

/** A path of the description as a regular expression on the paths that are asked for. */
function matches(template: string, path: string): boolean {
  const pattern = template.replace(/[.*+?^$()|[\]\\]/g, '\\$&').replace(/\{\w+\}/g, '[^/]+')
  return new RegExp(`^${pattern}$`).test(path)
}

function resolve(described: Described): Described {
  const name = /^#\/components\/responses\/(\w+)$/.exec(described.$ref ?? '')?.[1]
  return name === undefined ? described : (openapi.components.responses[name] as Described)
}

/** References in a part are to the whole. */
function withId(schema: object): object {
  return JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"openapi.yaml#/'))
}
