/** Asks tshark, Wireshark's command line, about a recorded session. It knows nothing of our code. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { CLIENT } from './recorder.ts'

const run = promisify(execFile)

export interface TsharkFacts {
  datagramsSent: number
  errorCode: number | undefined
}

/** Undefined where tshark is not installed, or is too old to know QUIC. */
export async function askTshark(file: string, signal?: AbortSignal): Promise<TsharkFacts | undefined> {
  try {
    const fields = ['-e', 'quic.frame_type', '-e', 'quic.cc.error_code.app']
    const args = ['-r', file, '-Y', `ip.src == ${CLIENT.host} && quic`, '-T', 'fields', ...fields]
    const { stdout } = await run('tshark', args, { timeout: 20_000, ...(signal ? { signal } : {}) })
    let datagramsSent = 0
    let errorCode: number | undefined
    for (const line of stdout.split('\n')) {
      const [types = '', code = ''] = line.split('\t')
      datagramsSent += types.split(',').filter(type => Number(type) === 0x30 || Number(type) === 0x31).length
      if (code !== '') errorCode = Number(code)
    }
    return { datagramsSent, errorCode }
  } catch {
    return undefined
  }
}
