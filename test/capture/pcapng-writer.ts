/** Writes blocks of pcapng as other programs may: in either byte order, and of kinds that ours does not write. For tests. */

export type ByteOrder = 'little' | 'big'

export class BlockWriter {
  readonly #isLittle: boolean

  constructor(order: ByteOrder) {
    this.#isLittle = order === 'little'
  }

  u16(value: number): Buffer {
    const bytes = Buffer.alloc(2)
    if (this.#isLittle) bytes.writeUInt16LE(value)
    else bytes.writeUInt16BE(value)
    return bytes
  }

  u32(value: number): Buffer {
    const bytes = Buffer.alloc(4)
    if (this.#isLittle) bytes.writeUInt32LE(value)
    else bytes.writeUInt32BE(value)
    return bytes
  }

  block(type: number, ...parts: Uint8Array[]): Buffer {
    const body = aligned(Buffer.concat(parts))
    const length = this.u32(12 + body.length)
    return Buffer.concat([this.u32(type), length, body, length])
  }

  section(major = 1): Buffer {
    return this.block(0x0a0d0d0a, this.u32(0x1a2b3c4d), this.u16(major), this.u16(0), Buffer.alloc(8, 0xff))
  }

  interface(linkType: number, options: readonly [code: number, value: Uint8Array][] = [], snapLength = 0): Buffer {
    return this.block(1, this.u16(linkType), this.u16(0), this.u32(snapLength), ...this.#options(options))
  }

  /** `ticks`: of the interface's clock. */
  packet(
    interfaceId: number,
    ticks: bigint,
    bytes: Uint8Array,
    options: readonly [code: number, value: Uint8Array][] = [],
    length = bytes.length,
  ): Buffer {
    const time = [this.u32(Number(ticks >> 32n)), this.u32(Number(ticks & 0xffffffffn))]
    const lengths = [this.u32(bytes.length), this.u32(length)]
    return this.block(6, this.u32(interfaceId), ...time, ...lengths, aligned(bytes), ...this.#options(options))
  }

  simplePacket(bytes: Uint8Array, length = bytes.length): Buffer {
    return this.block(3, this.u32(length), bytes)
  }

  #options(options: readonly [code: number, value: Uint8Array][]): Buffer[] {
    if (options.length === 0) return []
    const all = options.map(([code, value]) => Buffer.concat([this.u16(code), this.u16(value.length), aligned(value)]))
    return [...all, Buffer.alloc(4)]
  }
}

function aligned(bytes: Uint8Array): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)])
}
