/** The file of a capture: private, new, and no other than the one that was meant. */

import {
  close,
  closeSync,
  constants,
  ftruncate,
  lstatSync,
  openSync,
  readSync,
  rmSync,
  type Stats,
  write,
} from 'node:fs'
import type { FileWriter } from './batched-file.ts'

/** A capture that cannot be begun. The message says what to do. */
export class CaptureError extends Error {
  override name = 'CaptureError'
}

/**
 * Makes the file, readable by its owner only; one of the same kind, which begins with `magic`, is replaced. Throws CaptureError where something
 * else is at that place, or nothing can be written.
 */
export function openCaptureFile(file: string, magic: Uint8Array): number {
  const found = lstat(file)
  if (found !== undefined) {
    if (!found.isFile()) throw refused(file, 'something else than an ordinary file is there; name another file')
    if (found.size > 0 && !beginsWith(file, magic)) {
      throw refused(file, 'a file that is no capture is there, and is not overwritten; name another file')
    }
  }
  // Its owner and its mode are ours, and whoever has it open sees nothing of what is written now.
  if (found !== undefined) attempt(file, () => rmSync(file))
  return openNewFile(file)
}

/** Makes a file that is not there yet, readable by its owner only. Throws CaptureError. */
export function openNewFile(file: string): number {
  return attempt(file, () => openSync(file, 'wx', 0o600))
}

function attempt<T>(file: string, step: () => T): T {
  try {
    return step()
  } catch (cause) {
    throw refused(file, reasonOf(cause as NodeJS.ErrnoException), cause)
  }
}

export function fileWriter(descriptor: number): FileWriter {
  return {
    write: (bytes, done) => write(descriptor, bytes, 0, bytes.length, null, done),
    truncate: (length, done) => ftruncate(descriptor, length, () => done()),
    close: done => close(descriptor, () => done()),
  }
}

function lstat(file: string): Stats | undefined {
  return attempt(file, () => lstatSync(file, { throwIfNoEntry: false }))
}

function beginsWith(file: string, magic: Uint8Array): boolean {
  const start = new Uint8Array(magic.length)
  attempt(file, () => {
    const descriptor = openSync(file, constants.O_RDONLY)
    try {
      readSync(descriptor, start, 0, start.length, 0)
    } finally {
      closeSync(descriptor)
    }
  })
  return Buffer.compare(start, magic) === 0
}

function refused(file: string, why: string, cause?: unknown): CaptureError {
  return new CaptureError(`${file}: the capture cannot be written: ${why}`, { cause })
}

export function reasonOf({ code, message }: NodeJS.ErrnoException): string {
  const why: Record<string, string> = {
    ENOENT: 'its folder does not exist; make it, or name another file',
    ENOTDIR: 'a file stands where a folder is expected; name another file',
    EACCES: 'no permission to write there; name a file that this user may write',
    EROFS: 'nothing can be written there; name another file',
    ENOSPC: 'the disk is full; make room, or name a file elsewhere',
  }
  return why[code ?? ''] ?? message
}
