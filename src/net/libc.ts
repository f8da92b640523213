/**
 * Functions of the C library, called through koffi, for what Node has no function for. Where koffi has no binary, as on some
 * rare platforms, nothing here works, and whoever asks hears why.
 */

import { createRequire } from 'node:module'
import { constants } from 'node:os'
import { getSystemErrorName } from 'node:util'

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

/** A function of ours that a library may call for as long as the process lives. */
export type NativeCallback = bigint

interface Koffi {
  load(library: string | null): NativeLibrary
  proto(declaration: string): unknown
  pointer(type: unknown): unknown
  // biome-ignore lint/suspicious/noExplicitAny: what it takes is in its declaration
  register(callback: (...values: any[]) => unknown, type: unknown): bigint
  errno(): number
  alloc(type: string, length: number): bigint
  view(address: bigint, length: number): ArrayBuffer
}

/** Memory outside of Node's, which never moves. */
export interface NativeMemory {
  readonly address: bigint
  readonly bytes: Uint8Array<ArrayBuffer>
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

/** Zeros, which are never given back: for what a process needs once. Throws where koffi does not work. */
export function allocateForever(length: number): NativeMemory {
  koffi ??= loadKoffi()
  if (typeof koffi === 'string') throw new Error(koffi)
  const address = koffi.alloc('uint8_t', length)
  return { address, bytes: new Uint8Array(koffi.view(address, length)).fill(0) }
}

/**
 * Makes `callback` something that a library can call, on the main thread, declared as C does. Never given back. It must not throw. Throws where
 * koffi does not work.
 */
// biome-ignore lint/suspicious/noExplicitAny: what it takes is in its declaration
export function registerCallback(declaration: string, callback: (...values: any[]) => void): NativeCallback {
  koffi ??= loadKoffi()
  if (typeof koffi === 'string') throw new Error(koffi)
  return koffi.register(callback, koffi.pointer(koffi.proto(declaration)))
}

/** EAGAIN and the like. */
export function errorName(errno: number): string {
  // Of a number that the system never gives there is no name.
  return Object.values(constants.errno).includes(errno) ? getSystemErrorName(-errno) : `errno ${errno}`
}

/** `errno` as an error like those of Node: `code` is EAGAIN and the like. */
export function systemError(errno: number, call: string): NodeJS.ErrnoException {
  const code = errorName(errno)
  return Object.assign(new Error(`${call} ${code}`), { errno: -errno, code, syscall: call })
}
