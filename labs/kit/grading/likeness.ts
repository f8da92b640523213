/**
 * Code that is the same but for what is easily changed: blanks, comments, types, and the names of what is declared in a file. A hint for
 * people, who ask; nothing is judged by it.
 */
import { createHash } from 'node:crypto'
import * as esbuild from 'esbuild'

/**
 * With less code of their own than this (characters, minified), beyond what everybody starts from, two honest students may well have the
 * same: there are few ways to write one line.
 */
export const MIN_OWN = 200

/** A file without what is easily changed; undefined when it cannot be parsed. */
export async function bareCode(source: string): Promise<string | undefined> {
  try {
    const { code } = await esbuild.transform(source, {
      loader: 'ts',
      format: 'esm',
      target: 'es2022',
      minifyIdentifiers: true,
      minifySyntax: true,
      minifyWhitespace: true,
      legalComments: 'none',
      logLevel: 'silent',
      tsconfigRaw: '{}',
    })
    return renumbered(code)
  } catch (error) {
    // What is wrong with the code has been found by esbuild; or it has died over it, and the next file needs another.
    if (!(error as Partial<esbuild.BuildFailure>).errors) await esbuild.stop()
    return undefined
  }
}

/** Words of two letters at most that are no names. */
const WORDS = new Set(['as', 'do', 'if', 'in', 'of'])
/** The first of the characters that stand for names: those are of private use, and in no program. */
const FIRST_NAME = 0xe000

/**
 * Names in the order in which they first appear. Which letter the minifier gives to a variable depends on how often letters are in the file, names
 * and comments among them; that it is short does not.
 */
function renumbered(code: string): string {
  const numbers = new Map<string, string>()
  const named = (name: string, before: string, behind: string) => {
    // After three dots stands a variable.
    const isProperty = /(^|[^.])\.$/.test(before) || (/[{,]$/.test(before) && behind === ':')
    if (name.length > 2 || isProperty || WORDS.has(name)) return name
    if (!numbers.has(name)) numbers.set(name, String.fromCodePoint(FIRST_NAME + numbers.size))
    return numbers.get(name) as string
  }
  let result = ''
  /** Of each `${` that is open, how many braces are open in it. */
  const open: number[] = []
  const template = /(?:\\[\s\S]|\$(?!\{)|[^`$\\])*(?:`|\$\{|$)/y
  const token = /"(?:\\[\s\S]|[^"\\])*"|'(?:\\[\s\S]|[^'\\])*'|[\p{ID_Start}$_][\p{ID_Continue}$]*|\d[\w.]*|[\s\S]/uy
  let inTemplate = false
  for (let at = 0; at < code.length; ) {
    const pattern = inTemplate ? template : token
    pattern.lastIndex = at
    const [text] = pattern.exec(code) as RegExpExecArray
    const end = at + text.length
    if (inTemplate) {
      inTemplate = false
      if (text.endsWith('${')) open.push(0)
      result += text
    } else {
      result += /^[\p{ID_Start}$_]/u.test(text) ? named(text, code.slice(Math.max(0, at - 2), at), code[end]) : text
      if (text === '`') inTemplate = true
      else if (text === '{' && open.length > 0) open[open.length - 1]++
      else if (text === '}' && open.length > 0 && open[open.length - 1]-- === 0) {
        open.pop()
        inTemplate = true
      }
    }
    if (end === at) break
    at = end
  }
  return result
}

/** A hash of a file's code without names; undefined where there is too little of it. `start`: what everybody starts from, as `bareCode`. */
export async function likeness(source: string, start: string | undefined): Promise<string | undefined> {
  const code = await bareCode(source)
  if (code === undefined || code === start || code.length - (start?.length ?? 0) < MIN_OWN) return undefined
  return createHash('sha256').update(code).digest('hex').slice(0, 16)
}
