/** Takes a pcapng file apart, block by block, as the draft says, and complains where it is not as it says. For tests. */

export interface Block {
  readonly type: number
  readonly body: Uint8Array
}

/** All blocks of a little-endian file. Throws when something follows the last whole one. */
export function blocksOf(file: Uint8Array): Block[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  const blocks: Block[] = []
  let at = 0
  while (at < file.length) {
    const length = view.getUint32(at + 4, true)
    must(length % 4 === 0, 'a block is a number of 32-bit words')
    must(length >= 12, 'a block has its type and its length twice')
    must(view.getUint32(at + length - 4, true) === length, 'the length of a block stands at its end again')
    blocks.push({ type: view.getUint32(at, true), body: file.subarray(at + 8, at + length - 4) })
    at += length
  }
  return blocks
}

/** The options behind the first `fixedLength` bytes, by their code. */
export function optionsOf({ body }: Block, fixedLength: number): Map<number, Uint8Array> {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength)
  const options = new Map<number, Uint8Array>()
  for (let at = fixedLength; at < body.length; ) {
    const code = view.getUint16(at, true)
    const length = view.getUint16(at + 2, true)
    at += 4
    if (code === 0) {
      must(length === 0 && at === body.length, 'nothing follows the end of the options')
      break
    }
    options.set(code, body.subarray(at, at + length))
    at += Math.ceil(length / 4) * 4
  }
  return options
}

export interface Packet {
  readonly interfaceId: number
  readonly timeUs: number
  /** epb_flags: 1 in, 2 out. */
  readonly direction: number
  readonly bytes: Uint8Array
  readonly dropped: number
  readonly comment: string | undefined
}

export function packetOf(block: Block): Packet {
  const { body } = block
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength)
  const length = view.getUint32(12, true)
  must(view.getUint32(16, true) === length, 'packets are whole')
  const options = optionsOf(block, 20 + Math.ceil(length / 4) * 4)
  const [flags, dropped, comment] = [2, 4, 1].map(code => options.get(code))
  return {
    interfaceId: view.getUint32(0, true),
    timeUs: view.getUint32(4, true) * 2 ** 32 + view.getUint32(8, true),
    direction: flags === undefined ? 0 : flags[0],
    bytes: body.subarray(20, 20 + length),
    dropped: dropped === undefined ? 0 : Number(Buffer.from(dropped).readBigUInt64LE()),
    comment: comment && Buffer.from(comment).toString(),
  }
}

/** Thousands of blocks are looked at: an assertion library takes its time. */
function must(isSo: boolean, what: string): void {
  if (!isSo) throw new Error(`not so: ${what}`)
}
