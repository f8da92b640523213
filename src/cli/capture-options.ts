/** `--pcap` and what goes with it, and `--qlog`: the same for the server and the client. */

import type { Command } from 'commander'
import { Capture } from '../capture/capture.ts'
import { QlogFolder } from '../qlog/qlog-folder.ts'
import { VERSION } from '../version.ts'

export interface CaptureFlags {
  pcap?: string
  pcapOuter?: boolean
  pcapSecrets?: boolean
  qlog?: string
}

export function captureOptions(program: Command): Command {
  return program
    .option('--pcap <file>', 'capture the IP packets of all tunnels in this file (pcapng), for Wireshark')
    .option('--pcap-outer', 'with --pcap: the UDP packets of QUIC, too')
    .option('--pcap-secrets', 'with --pcap: the TLS secrets, too, so that Wireshark decrypts those UDP packets')
    .option('--qlog <folder>', 'a qlog of each connection over QUIC in this folder, for qvis')
}

/** Begins the capture that is asked for. Throws CaptureError when that cannot be. */
export function openCapture(flags: CaptureFlags, program: Command): Capture | undefined {
  const { pcap: file, pcapOuter: outer, pcapSecrets: secrets } = flags
  if (file === undefined) {
    for (const option of [outer && '--pcap-outer', secrets && '--pcap-secrets']) {
      if (option) program.error(`error: option '${option}' is for '--pcap': without it, there is no capture`)
    }
    return undefined
  }
  const capture = new Capture({ file, outer, secrets, application: `masque-lab ${VERSION}` })
  if (secrets) {
    console.error(
      `${file} gets the TLS secrets: whoever has the file can read all that passes here. Pass it on to nobody who may not.`,
    )
  }
  return capture
}

/** Makes the folder that is asked for. Throws CaptureError when that cannot be. */
export function openQlog({ qlog: folder }: CaptureFlags): QlogFolder | undefined {
  return folder === undefined ? undefined : new QlogFolder({ folder, application: `masque-lab ${VERSION}` })
}

/** Ends the file; what is in it, in a sentence. */
export async function closeCapture(capture: Capture): Promise<{ packets: number; leftOut: number; text: string }> {
  await capture.close()
  const { packets, leftOut } = capture.counters
  const why = capture.endedWhy ?? 'the disk was not fast enough'
  const lost = leftOut === 0 ? '' : `; ${leftOut} were left out: ${why}`
  return { packets, leftOut, text: `${packets} packets in ${capture.file}${lost}` }
}
