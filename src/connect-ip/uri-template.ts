/**
 * The URI template that a client is configured with, RFC 9484 §3; its syntax is RFC 6570 up to level 3.
 *
 *   https://example.org/.well-known/masque/ip/{target}/{ipproto}/
 *   https://proxy.example.org:4443/masque/ip?t={target}&i={ipproto}
 *   https://proxy.example.org:4443/masque/ip{?target,ipproto}
 *   https://masque.example.org/?user=bob
 *
 * The client expands the template, which the url-template package does. The proxy goes the other way, from the path of
 * a request back to the values of the variables; RFC 6570 §1.4 warns that this is not always possible, so templates for
 * which it is not are refused when the proxy starts.
 */

import { parseTemplate } from 'url-template'
import { DecodeError } from '../bytes/errors.ts'
import { MalformedMessage } from '../http/errors.ts'
import { parseScope, type ScopeVariables } from './scope.ts'

/** The default where only the proxy's host and port are configured (RFC 9484 §3). */
export const DEFAULT_PATH_TEMPLATE = '/.well-known/masque/ip/{target}/{ipproto}/'

/** The default template of a proxy at `host:port`, to be given to parseUriTemplate. IPv6 addresses are put in brackets. */
export function defaultTemplate(host: string, port: number): string {
  return `https://${host.includes(':') && !host.startsWith('[') ? `[${host}]` : host}:${port}${DEFAULT_PATH_TEMPLATE}`
}

/** The template breaks a rule of RFC 9484 §3: the configuration is refused and nothing is sent. */
export class TemplateError extends DecodeError {
  override name = 'TemplateError'

  constructor(text: string, problem: string) {
    super(`URI template "${text.slice(0, 200)}": ${problem}`)
  }
}

/** A template for path and query only: what a proxy serves. */
export interface PathTemplate {
  /** From the "/" on. */
  readonly pathText: string
  readonly parts: readonly TemplatePart[]
}

/** A whole template: what a client is configured with. */
export interface UriTemplate extends PathTemplate {
  readonly text: string
  readonly scheme: 'https'
  /** "example.org", "[2001:db8::1]:4443". */
  readonly authority: string
}

export type TemplatePart =
  | { readonly kind: 'literal'; readonly text: string }
  /** {a,b}: operator ''; {?a,b} and {&a,b} make "?a=…&b=…" and "&a=…&b=…". */
  | { readonly kind: 'expression'; readonly operator: '' | '?' | '&'; readonly names: readonly string[] }

/** Reads and checks an absolute template. Throws TemplateError. */
export function parseUriTemplate(text: string): UriTemplate {
  refuseForeignCharacters(text)
  const match = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/([^/?#]*)(.*)$/.exec(text)
  if (!match) {
    throw new TemplateError(text, 'expected an absolute one, beginning with https:// and the host of the proxy')
  }
  const [, scheme, authority, pathText] = match
  // §4: "MUST be operated over TLS or QUIC encryption".
  if (scheme.toLowerCase() !== 'https') throw new TemplateError(text, `scheme "${scheme}"; expected https`)
  if (/[{}]/.test(authority)) {
    throw new TemplateError(text, 'a variable before the path; variables may be in the path or the query only')
  }
  const authorityProblem = problemWithAuthority(authority)
  if (authorityProblem) throw new TemplateError(text, authorityProblem)
  return { text, scheme: 'https', authority, ...parsePath(text, pathText) }
}

/** Reads and checks the path and query of a template, as in the configuration of a proxy. Throws TemplateError. */
export function parsePathTemplate(text: string): PathTemplate {
  refuseForeignCharacters(text)
  const template = parsePath(text, text)
  matcherOf(template)
  return template
}

/** The scheme, authority and path of a request for this scope. */
export interface ExpandedTemplate {
  readonly scheme: string
  readonly authority: string
  /** Path and query. */
  readonly path: string
}

/**
 * Fills in the variables. `target` and `ipproto` are "*" when left out; ":" and "/" in them come out as %3A and %2F.
 * Throws DecodeError when a value has not the form that §4.6 requires, so that nothing is sent that the proxy must reject.
 *
 * RFC 6570 turns "*" into "%2A", although RFC 9484 shows it as it is in its examples. Both decode to the same value,
 * and "the client SHALL perform URI Template expansion", so it stays "%2A".
 */
export function expandTemplate(
  template: UriTemplate,
  values: ScopeVariables = {},
  others: Readonly<Record<string, string>> = {},
): ExpandedTemplate {
  const { target = '*', ipproto = '*' } = values
  parseScope({ target, ipproto })
  // Without a prototype: a variable named "constructor" is one without a value.
  const variables = Object.assign(Object.create(null), others, { target, ipproto })
  const path = parseTemplate(template.pathText).expand(variables)
  return { scheme: template.scheme, authority: template.authority, path }
}

/**
 * The values of the variables in the path and query of a request, percent-decoded; undefined when the path is not one of
 * this template's. Throws MalformedMessage when the path fits but a value is not correctly encoded or is empty.
 */
export function matchPath(template: PathTemplate, path: string): { target?: string; ipproto?: string } | undefined {
  const raw = matcherOf(template)(path)
  if (!raw) return undefined
  const values: { target?: string; ipproto?: string } = {}
  for (const name of ['target', 'ipproto'] as const) {
    const value = raw.get(name)
    if (value !== undefined) values[name] = decodeValue(name, value)
  }
  return values
}

function refuseForeignCharacters(text: string): void {
  if (!/^[\x21-\x7e]*$/.test(text)) {
    throw new TemplateError(
      text.replace(/[^\x21-\x7e]/g, '?'),
      'a space, control or non-ASCII character; expected 0x21 to 0x7E only, others percent-encoded',
    )
  }
}

function problemWithAuthority(authority: string): string | undefined {
  if (authority === '') return 'no host; expected one after https://'
  // RFC 9110 §4.2.4: user names and passwords are not part of an https URI.
  if (authority.includes('@')) return 'a user name before the host; credentials belong in the [auth] section'
  const match = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]+)(?::([0-9]*))?$/.exec(authority)
  if (!match) return `"${authority}"; expected HOST or HOST:PORT, an IPv6 address in brackets`
  if (Number(match[2] ?? 0) > 65_535) return `port ${match[2]}; expected 1 to 65535`
  return undefined
}

function parsePath(text: string, pathText: string): PathTemplate {
  if (!pathText.startsWith('/')) {
    throw new TemplateError(text, 'no path after the host; expected one that starts with "/"')
  }
  if (/#/.test(pathText.replace(/\{[^}]*\}/g, ''))) {
    throw new TemplateError(text, 'a fragment ("#…"), which is never sent to a server; leave it out')
  }
  const parts: TemplatePart[] = []
  // Literals exclude the characters that RFC 6570 §2.1 excludes.
  const token = /\{([^{}]*)\}|((?:[^{}%"<>\\^`|]|%[0-9A-Fa-f]{2})+)/y
  while (token.lastIndex < pathText.length) {
    const at = token.lastIndex
    const match = token.exec(pathText)
    if (!match) throw new TemplateError(text, `"${pathText.slice(at, at + 10)}" is neither a literal nor a {variable}`)
    parts.push(match[2] === undefined ? parseExpression(text, match[1]) : { kind: 'literal', text: match[2] })
  }
  return { pathText, parts }
}

const REFUSED_OPERATORS: Readonly<Record<string, string>> = {
  '+': 'Reserved Expansion',
  '#': 'Fragment Expansion',
  '.': 'Label Expansion',
  '/': 'Path Segment Expansion',
  ';': 'Path-Style Parameter Expansion',
}

function parseExpression(text: string, expression: string): TemplatePart {
  const operator = expression.charAt(0)
  if (operator in REFUSED_OPERATORS) {
    throw new TemplateError(text, `{${expression}} uses ${REFUSED_OPERATORS[operator]}, which is not allowed`)
  }
  const isForm = operator === '?' || operator === '&'
  const names = (isForm ? expression.slice(1) : expression).split(',')
  for (const name of names) {
    if (/[*]$|:[0-9]+$/.test(name)) {
      throw new TemplateError(text, `{${expression}} is of level 4 of RFC 6570; expected level 3 or lower`)
    }
    if (!/^(?:[A-Za-z0-9_]|%[0-9A-Fa-f]{2})(?:\.?(?:[A-Za-z0-9_]|%[0-9A-Fa-f]{2}))*$/.test(name)) {
      throw new TemplateError(text, `{${expression}} is not an expression; expected {name} or {?name,name}`)
    }
  }
  return { kind: 'expression', operator: isForm ? operator : '', names }
}

/** Finds the raw values in a path; undefined when it does not fit. */
type Matcher = (path: string) => ReadonlyMap<string, string> | undefined

const matchers = new WeakMap<PathTemplate, Matcher>()

function matcherOf(template: PathTemplate): Matcher {
  let matcher = matchers.get(template)
  if (!matcher) {
    matcher = buildMatcher(template)
    matchers.set(template, matcher)
  }
  return matcher
}

/**
 * The path has to agree with the template piece by piece; a variable's value reaches up to the next literal. The query is
 * a set of "name=value" in any order: parameters that the template does not have are ignored, as is usual in HTTP.
 */
function buildMatcher(template: PathTemplate): Matcher {
  const { pathParts, queryParts } = splitAtQuery(template)
  const pathPieces = piecesOfPath(template, pathParts)
  const query = parametersOfQuery(template, queryParts)

  return path => {
    const mark = path.indexOf('?')
    const values = matchPieces(pathPieces, mark === -1 ? path : path.slice(0, mark))
    if (!values) return undefined
    const given = new Map<string, string>()
    for (const parameter of mark === -1 ? [] : path.slice(mark + 1).split('&')) {
      const equals = parameter.indexOf('=')
      const name = equals === -1 ? parameter : parameter.slice(0, equals)
      if (query.has(name) && given.has(name)) {
        throw new MalformedMessage(`the query has "${name}" twice; expected it once`)
      }
      given.set(name, equals === -1 ? '' : parameter.slice(equals + 1))
    }
    for (const [name, wanted] of query) {
      const value = given.get(name)
      if (wanted.kind === 'literal') {
        if (value !== wanted.text) return undefined
      } else if (value !== undefined) {
        values.set(wanted.name, value)
      }
    }
    return values
  }
}

/** The query begins with a literal "?" or with a {?…} expression. */
function splitAtQuery({ parts }: PathTemplate): { pathParts: TemplatePart[]; queryParts: TemplatePart[] } {
  for (const [i, part] of parts.entries()) {
    if (part.kind === 'expression') {
      if (part.operator === '?') return { pathParts: parts.slice(0, i), queryParts: parts.slice(i) }
      continue
    }
    const mark = part.text.indexOf('?')
    if (mark === -1) continue
    return {
      pathParts: [...parts.slice(0, i), { kind: 'literal', text: part.text.slice(0, mark) }],
      queryParts: [{ kind: 'literal', text: part.text.slice(mark + 1) }, ...parts.slice(i + 1)],
    }
  }
  return { pathParts: [...parts], queryParts: [] }
}

type Piece = { readonly kind: 'literal'; readonly text: string } | { readonly kind: 'variable'; readonly name: string }

function piecesOfPath(template: PathTemplate, parts: readonly TemplatePart[]): Piece[] {
  const pieces: Piece[] = []
  for (const part of parts) {
    if (part.kind === 'literal') {
      if (part.text) pieces.push(part)
      continue
    }
    if (part.operator !== '') {
      throw new TemplateError(template.pathText, 'a proxy cannot serve it: {&…} before the "?" of the query')
    }
    for (const [i, name] of part.names.entries()) {
      if (i > 0) pieces.push({ kind: 'literal', text: ',' })
      if (pieces.at(-1)?.kind === 'variable') {
        throw new TemplateError(
          template.pathText,
          'a proxy cannot serve it: nothing between two variables, so that nobody can tell where the first one ends',
        )
      }
      pieces.push({ kind: 'variable', name })
    }
  }
  return pieces
}

function matchPieces(pieces: readonly Piece[], path: string): Map<string, string> | undefined {
  const values = new Map<string, string>()
  let at = 0
  for (const [i, piece] of pieces.entries()) {
    if (piece.kind === 'literal') {
      if (!path.startsWith(piece.text, at)) return undefined
      at += piece.text.length
      continue
    }
    const next = pieces[i + 1]
    const end = next?.kind === 'literal' ? path.indexOf(next.text, at) : path.length
    if (end === -1) return undefined
    const value = path.slice(at, end)
    // The value of a variable never holds a "/" that is not encoded: this path is a different one.
    if (value.includes('/')) return undefined
    values.set(piece.name, value)
    at = end
  }
  return at === path.length ? values : undefined
}

/** By parameter name: which variable its value is, or which value it must have. */
function parametersOfQuery(template: PathTemplate, parts: readonly TemplatePart[]): Map<string, Piece> {
  const parameters = new Map<string, Piece>()
  const add = (name: string, piece: Piece) => {
    if (parameters.has(name)) throw new TemplateError(template.pathText, `"${name}" twice in the query`)
    parameters.set(name, piece)
  }
  for (const [i, part] of parts.entries()) {
    if (part.kind === 'expression') {
      if (part.operator !== '') {
        for (const name of part.names) add(name, { kind: 'variable', name })
      }
      continue
    }
    const items = part.text.split('&').filter(item => item !== '')
    for (const [j, item] of items.entries()) {
      const next = parts[i + 1]
      const isFollowed = j === items.length - 1 && next?.kind === 'expression' && next.operator === ''
      if (isFollowed) {
        const name = /^([^=]+)=$/.exec(item)?.[1]
        if (!name || next.names.length !== 1 || !startsParameter(parts[i + 2])) {
          throw new TemplateError(template.pathText, 'a proxy cannot serve it: expected name={variable} in the query')
        }
        add(name, { kind: 'variable', name: next.names[0] })
      } else {
        const equals = item.indexOf('=')
        const name = equals === -1 ? item : item.slice(0, equals)
        add(name, { kind: 'literal', text: equals === -1 ? '' : item.slice(equals + 1) })
      }
    }
  }
  refuseUnnamedQueryVariables(template, parts)
  return parameters
}

/** Does the part after a value begin a new parameter, so that the value ends where its "&" is? */
function startsParameter(part: TemplatePart | undefined): boolean {
  if (part === undefined) return true
  return part.kind === 'literal' ? part.text.startsWith('&') : part.operator === '&'
}

function refuseUnnamedQueryVariables(template: PathTemplate, parts: readonly TemplatePart[]): void {
  for (const [i, part] of parts.entries()) {
    const before = parts[i - 1]
    const isNamed = before?.kind === 'literal' && before.text.endsWith('=')
    if (part.kind === 'expression' && part.operator === '' && !isNamed) {
      throw new TemplateError(template.pathText, 'a proxy cannot serve it: expected name={variable} in the query')
    }
  }
}

/**
 * §4.6: the colons of an IPv6 address MUST arrive as %3A and the slash before a prefix length as %2F. What may stand for
 * itself is what the reg-name of RFC 3986 §3.2.2 allows.
 */
function decodeValue(name: string, raw: string): string {
  if (raw === '') throw new MalformedMessage(`${name} is empty; expected a value, or "*" for any`)
  if (!/^(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+$/.test(raw)) {
    throw new MalformedMessage(`${name} is not correctly encoded; expected %3A for ":" and %2F for "/"`)
  }
  try {
    return decodeURIComponent(raw)
  } catch {
    // Percent-encoded bytes that are not UTF-8.
    throw new MalformedMessage(`${name} is not percent-encoded UTF-8`)
  }
}
