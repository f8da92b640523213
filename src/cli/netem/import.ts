/** `netem import` and `netem convert`: from what other programs write to profiles and traces. */

import { readSync } from 'node:fs'
import { ConfigError } from '../../config/config-error.ts'
import { readRegularFile, UnsuitableFileError } from '../../config/read-file.ts'
import { writeNamedFile } from '../../config/write-file.ts'
import { EmulatorError } from '../../link/emulator/udp-socket.ts'
import { importTc } from '../../link/kernel/tc-import.ts'
import type { Direction } from '../../link/profile/profile.ts'
import { readThroughput, ThroughputError, toOpportunities, type Units } from '../../link/profile/throughput.ts'
import { bitrate, seconds, wrap } from './show.ts'

export interface Output {
  /** A file; without one, standard output. */
  out?: string
  /** Whether a file that is there may be replaced. */
  force: boolean
  print(text: string): void
  /** What is not part of the result. */
  tell(text: string): void
  width: number
}

const MOST_INPUT_BYTES = 32 * 1024 ** 2

/** `words`: the command, as it came from the shell; none: what comes on standard input. Throws TcImportError. */
export function importProfile(
  words: readonly string[],
  options: Output & { direction?: Direction | 'both'; title?: string },
): void {
  const text =
    words.length > 0
      ? words.join(' ')
      : standardInput('the command, such as tc qdisc add dev eth0 root netem delay 100ms')
  const { toml, notes } = importTc(text, options)
  for (const note of notes) options.tell(wrap(`note: ${note}`, options.width))
  write(toml, options)
  if (options.out !== undefined) options.tell(`npm run netem -- show ${options.out}`)
}

/** `file` undefined or `-`: standard input. Throws ConfigError that names it. */
export function convertThroughput(file: string | undefined, units: Units, options: Output): void {
  const isFile = file !== undefined && file !== '-'
  const name = isFile ? file : 'standard input'
  try {
    const text = isFile
      ? readRegularFile(file, MOST_INPUT_BYTES).toString('utf8')
      : standardInput('the list of times and throughputs')
    const samples = readThroughput(text, units)
    const times = toOpportunities(samples)
    write(`${times.join('\n')}\n`, options)
    const lengthMs = times[times.length - 1]
    const mean = bitrate(Number(((times.length * 12_000_000) / lengthMs).toPrecision(3)))
    options.tell(
      wrap(
        `${samples.length} samples, ${seconds(lengthMs)}, ${times.length} ${times.length === 1 ? 'opportunity' : 'opportunities'}: ${mean} in the mean`,
        options.width,
      ),
    )
    if (options.out !== undefined) options.tell(wrap(`in a profile: trace = "${options.out}"`, options.width))
  } catch (cause) {
    if (cause instanceof ThroughputError) throw new ConfigError(name, [`${name}: ${cause.message}`], { cause })
    if (cause instanceof UnsuitableFileError) {
      throw new ConfigError(name, [`${name}: ${cause.message}; a file with times and throughputs is expected`], {
        cause,
      })
    }
    const { code } = cause as NodeJS.ErrnoException
    if (code === 'ENOENT' && isFile) throw new ConfigError(name, [`${name}: there is no such file`], { cause })
    if (code === 'EACCES' && isFile) throw new ConfigError(name, [`${name}: no permission to read it`], { cause })
    throw cause
  }
}

function write(text: string, { out, force, print }: Output): void {
  if (out === undefined) return print(text.trimEnd())
  try {
    writeNamedFile(out, text, { replace: force })
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    const why =
      code === 'EEXIST'
        ? 'there is such a file already; --force replaces it'
        : code === 'ENXIO'
          ? 'this is a pipe (FIFO) that nobody reads, or a socket'
          : `it cannot be written: ${message}`
    throw new EmulatorError(`${out}: ${why}`, { cause })
  }
}

/** All of it, which a terminal ends with Ctrl-D. */
function standardInput(what: string): string {
  if (process.stdin.isTTY) process.stderr.write(`Paste ${what}, then Enter and Ctrl-D:\n`)
  const parts: Buffer[] = []
  let length = 0
  const buffer = Buffer.alloc(65_536)
  for (;;) {
    let read: number
    try {
      read = readSync(0, buffer)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'EAGAIN') continue
      if (code === 'EOF') break // a console on Windows
      throw new EmulatorError(`standard input cannot be read: ${(error as Error).message}`)
    }
    if (read === 0) break
    parts.push(Buffer.from(buffer.subarray(0, read)))
    length += read
    if (length > MOST_INPUT_BYTES) throw new EmulatorError(`more than ${MOST_INPUT_BYTES} bytes on standard input`)
  }
  return Buffer.concat(parts).toString('utf8')
}
