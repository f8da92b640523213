/** Files that somebody names: read only where they are files, and only as far as is sensible. */
import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs'

/** What no text or key that people write is larger than. */
const MOST_FILE_BYTES = 1024 ** 2

/** It is there, but it cannot be what is expected. The message continues "FILE: ". */
export class UnsuitableFileError extends Error {
  override name = 'UnsuitableFileError'
}

/**
 * The bytes of a regular file.
 *
 * A FIFO would have no end, and nobody may ever write into it; a device neither. So nothing waits here: the file is opened without
 * blocking, and looked at before it is read. Throws UnsuitableFileError, or what the system says (ENOENT, EACCES …).
 */
export function readRegularFile(file: string, mostBytes = MOST_FILE_BYTES): Buffer {
  const descriptor = openSync(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
  try {
    const info = fstatSync(descriptor)
    if (!info.isFile()) throw new UnsuitableFileError(`this is ${kindOf(info)}`)
    if (info.size > mostBytes) throw tooLarge(`${info.size} bytes`, mostBytes)
    // Not `size`: a file may grow, and those of /proc have none.
    const bytes = Buffer.alloc(Math.max(info.size, 4096) + 1)
    const parts: Buffer[] = []
    let length = 0
    for (;;) {
      const read = readSync(descriptor, bytes)
      if (read === 0) return Buffer.concat(parts)
      parts.push(Buffer.from(bytes.subarray(0, read)))
      length += read
      if (length > mostBytes) throw tooLarge(`more than ${mostBytes} bytes`, mostBytes)
    }
  } finally {
    closeSync(descriptor)
  }
}

function tooLarge(found: string, mostBytes: number): UnsuitableFileError {
  return new UnsuitableFileError(`this has ${found}, at most ${mostBytes} are read`)
}

function kindOf(info: Stats): string {
  if (info.isDirectory()) return 'a directory'
  if (info.isFIFO()) return 'a pipe (FIFO)'
  return info.isSocket() ? 'a socket' : 'a device'
}
