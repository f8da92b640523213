/** Opens a captured file that the student names. Whatever it is, it does no harm and takes a bounded time. */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { PcapngError, type PcapngFile, readPcapng } from '../../../src/capture/read-pcapng.ts'
import { printable } from '../../../src/text/printable.ts'

/** Of a file: 400 000 packets of a ping, or 45 000 as long as they can be. */
export const MAX_READ_LENGTH = 64 << 20

/** The file cannot be shown. The message says what was found, and what to do. */
export class CaptureFileError extends Error {
  override name = 'CaptureFileError'
}

export interface CaptureFile extends PcapngFile {
  /** Bytes of the file, and how many of them were read. */
  readonly length: number
  readonly readLength: number
}

/** Throws CaptureFileError. */
export function readCaptureFile(file: string, maxLength: number = MAX_READ_LENGTH): CaptureFile {
  const name = printable(file)
  let descriptor: number | undefined
  try {
    // Without waiting for whoever writes into a pipe; and it is the opened file that is looked at: under its name may soon be another one.
    descriptor = openSync(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
    const found = fstatSync(descriptor)
    if (!found.isFile()) throw new CaptureFileError(`${name} ${NO_FILE}`)
    const bytes = beginningOf(descriptor, Math.min(found.size, maxLength))
    return { ...readPcapng(bytes), length: found.size, readLength: bytes.length }
  } catch (error) {
    if (error instanceof PcapngError) throw new CaptureFileError(`${name} is ${error.message}`)
    const why = REASONS[(error as NodeJS.ErrnoException).code ?? '']
    if (why === undefined) throw error
    throw new CaptureFileError(`${name} ${why}`)
  } finally {
    if (descriptor !== undefined) closeSync(descriptor)
  }
}

const NO_FILE = 'is no ordinary file: name one that --pcap FILE has written'

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'is not there: npm run server and npm run client write a capture with --pcap FILE',
  ENOTDIR: 'is not there: a part of its path is no folder',
  EACCES: 'may not be read by this user: captures are for the user who wrote them',
  ELOOP: 'cannot be opened: its symbolic links go in a circle',
  ENXIO: NO_FILE,
  ENAMETOOLONG: 'is a name that is too long for a file',
}

function beginningOf(descriptor: number, length: number): Uint8Array {
  const bytes = Buffer.alloc(length)
  let at = 0
  // It may have been made shorter meanwhile.
  for (let read = -1; at < length && read !== 0; at += read) read = readSync(descriptor, bytes, at, length - at, at)
  return bytes.subarray(0, at)
}
