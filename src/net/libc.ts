/**
 * Functions of the C library, called through koffi, for what Node has no function for. Where koffi has no binary, as on some
 * rare platforms, nothing here works, and whoever asks hears why.
 */

import { createRequire } from 'node:module'

/** A function of a library, which takes and gives what its declaration says. The asynchronous form runs on one of the four threads that Node also needs for files and names. */
export interface NativeFunction {
  // biome-ignore lint/suspicious/noExplicitAny: what it takes is in its declaration
  (...values: any[]): any
  async(...valuesAndCallback: unknown[]): void
}

/** A library that was loaded: `func` declares one of its functions as C does. */
export interface NativeLibrary {
  func(declaration: string): NativeFunction
}

interface Koffi {
  load(library: string | null): NativeLibrary
  errno(): number
}

let koffi: Koffi | string | undefined

function loadKoffi(): Koffi | string {
  try {
    return createRequire(import.meta.url)('koffi') as Koffi
  } catch (error) {
    return `koffi does not work here: ${(error as Error).message.split('\n')[0]}`
  }
}

/**
 * A library by its file name; `null` is what this process has loaded already, the C library. Returns a sentence that says why, when it
 * cannot be had. Throws nothing.
 */
export function loadLibrary(name: string | null): NativeLibrary | string {
  koffi ??= loadKoffi()
  if (typeof koffi === 'string') return koffi
  try {
    return koffi.load(name)
  } catch (error) {
    return `${name ?? 'the C library'} cannot be loaded: ${(error as Error).message.split('\n')[0]}`
  }
}

/** errno(3) of the last call, on this thread. Only to be read at once after a call that has failed. */
export function lastErrno(): number {
  return typeof koffi === 'object' ? koffi.errno() : 0
}
