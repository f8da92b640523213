import { spawnSync } from 'node:child_process'

/** The first line of what tshark says of itself; undefined: there is none. */
export function tsharkVersion(): string | undefined {
  const { error, stdout } = spawnSync('tshark', ['--version'], { encoding: 'utf8' })
  return error === undefined ? stdout.split('\n')[0] : undefined
}

export interface TsharkResult {
  readonly status: number | null
  readonly lines: string[]
  readonly stderr: string
}

/** What tshark prints of this file. Name resolution is off, and so is what this user has set up. */
export function tshark(file: string, ...args: string[]): TsharkResult {
  const { status, stdout, stderr } = spawnSync('tshark', ['-n', '-r', file, ...args], {
    encoding: 'utf8',
    env: { ...process.env, TZ: 'UTC', LC_ALL: 'C', XDG_CONFIG_HOME: '/nonexistent' },
    maxBuffer: 64 << 20,
  })
  return { status, lines: stdout.split('\n').filter(line => line !== ''), stderr }
}

/** The values of these fields of each packet that the filter lets through. */
export function fields(file: string, filter: string, ...names: string[]): string[][] {
  const { status, lines, stderr } = tshark(file, '-Y', filter, '-T', 'fields', ...names.flatMap(name => ['-e', name]))
  if (status !== 0) throw new Error(`tshark: ${stderr}`)
  return lines.map(line => line.split('\t'))
}
