/**
 * For each row of docs/conformance.md, the line of code that meets it, taken away. A test whose title names the row must notice; run.ts
 * tries it. `find` stands exactly once in the file: when the code changes, so must the entry.
 */

export interface Mutant {
  /** The row's id. */
  row: string
  /** Relative to src/. */
  file: string
  /** What the program does wrong now. */
  why: string
  find: string
  replace: string
}

/** Throws an Error where `find` does not stand exactly once in the text. */
export function mutate(text: string, { row, file, find, replace }: Mutant): string {
  const times = text.split(find).length - 1
  if (times !== 1) throw new Error(`${row}: ${JSON.stringify(find)} stands ${times} times in ${file}, and not once`)
  return text.replace(find, () => replace)
}

export const MUTANTS: readonly Mutant[] = [
  {
    row: 'CIP-01',
    file: 'connect-ip/uri-template.ts',
    why: 'templates for http are taken',
    find: 'if (scheme.toLowerCase() !== \'https\') throw new TemplateError(text, `scheme "${scheme}"; expected https`)',
    replace: '',
  },
  {
    row: 'CIP-01',
    file: 'connect-ip/uri-template.ts',
    why: 'a variable may stand before the path',
    find: 'if (/[{}]/.test(authority)) {',
    replace: 'if (false as boolean) {',
  },
  {
    row: 'CIP-01',
    file: 'connect-ip/uri-template.ts',
    why: 'operators that RFC 9484 forbids are taken',
    find: 'if (operator in REFUSED_OPERATORS) {',
    replace: 'if (false as boolean) {',
  },
  {
    row: 'CIP-01',
    file: 'connect-ip/uri-template.ts',
    why: 'level 4 of RFC 6570 is taken',
    find: 'if (/[*]$|:[0-9]+$/.test(name)) {',
    replace: 'if (false as boolean) {',
  },
  {
    row: 'CIP-01',
    file: 'connect-ip/uri-template.ts',
    why: 'characters outside of 0x21 to 0x7E are taken',
    find: 'if (!/^[\\x21-\\x7e]*$/.test(text)) {',
    replace: 'if (false as boolean) {',
  },
  {
    row: 'CIP-04',
    file: 'connect-ip/uri-template.ts',
    why: 'colons and slashes need not be encoded',
    find: "if (!/^(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+$/.test(raw)) {",
    replace: 'if (false as boolean) {',
  },
  {
    row: 'CIP-03',
    file: 'connect-ip/scope.ts',
    why: 'ipproto 256 passes',
    find: '|| Number(text) > 255) {',
    replace: ') {',
  },
  {
    row: 'CIP-03',
    file: 'ip/prefix.ts',
    why: 'host bits beyond the prefix pass',
    find: 'if (!masked.every((byte, i) => byte === address.bytes[i])) {',
    replace: 'if (false as boolean) {',
  },
  {
    row: 'CIP-15',
    file: 'ip/prefix.ts',
    why: 'host bits beyond the prefix pass',
    find: 'if (!masked.every((byte, i) => byte === address.bytes[i])) {',
    replace: 'if (false as boolean) {',
  },
  {
    row: 'CIP-13',
    file: 'connect-ip/address-request.ts',
    why: 'Request ID 0 passes',
    find: "if (requestId === 0n) throw new ConnectIpError('ADDRESS_REQUEST with Request ID 0; expected any other number')",
    replace: '',
  },
  {
    row: 'CIP-13',
    file: 'connect-ip/address-request.ts',
    why: 'a request for nothing passes',
    find: 'if (requests.length === 0)\n    throw',
    replace: 'if (false as boolean)\n    throw',
  },
  {
    row: 'CIP-13',
    file: 'connect-ip/address-request.ts',
    why: 'one id twice in a capsule passes',
    find: 'if (ids.has(requestId)) throw',
    replace: 'if (false as boolean) throw',
  },
  {
    row: 'CIP-13',
    file: 'connect-ip/address-assign.ts',
    why: 'a refused IPv6 address is told as 0.0.0.0/32',
    find: 'version === 4 ? REFUSED_V4 : REFUSED_V6',
    replace: 'version === 4 ? REFUSED_V4 : REFUSED_V4',
  },
  {
    row: 'CIP-14',
    file: 'connect-ip/route-advertisement.ts',
    why: 'ranges may come in any order',
    find: 'if (compareRoutes(before, after) > 0) {',
    replace: 'if (false as boolean) {',
  },
  {
    row: 'CIP-14',
    file: 'connect-ip/route-advertisement.ts',
    why: 'ranges may touch',
    find: 'before.range.end.compare(after.range.start) >= 0',
    replace: 'before.range.end.compare(after.range.start) > 0',
  },
  {
    row: 'CIP-14',
    file: 'connect-ip/route-advertisement.ts',
    why: 'a list that the peer must abort for is sent',
    find: 'if (problem) throw new RangeError(',
    replace: 'if (false as boolean) throw new RangeError(',
  },
  {
    row: 'CIP-15',
    file: 'connect-ip/address-entry.ts',
    why: 'IP version 5 passes',
    find: 'if (version !== 4 && version !== 6) throw',
    replace: 'if (false as boolean) throw',
  },
  {
    row: 'CIP-18',
    file: 'connect-ip/address-entry.ts',
    why: 'a capsule may hold any number of entries',
    find: 'if (entries.length === maxEntries) {',
    replace: 'if (false as boolean) {',
  },
  {
    row: 'CIP-22',
    file: 'connect-ip/context.ts',
    why: 'either side may allocate even and odd ids',
    find: "if (isClients !== (this.#role === 'proxy')) {",
    replace: 'if (false as boolean) {',
  },
  {
    row: 'CIP-22',
    file: 'connect-ip/context.ts',
    why: 'an id may be allocated a second time',
    find: 'if (this.#peerAllocated.has(id)) throw',
    replace: 'if (false as boolean) throw',
  },
  {
    row: 'CIP-30',
    file: 'ip/checksum.ts',
    why: "RFC 1141's update instead of RFC 1624's",
    find: 'return ~fold((~oldChecksum & 0xffff) + (~oldWord & 0xffff) + newWord) & 0xffff',
    replace: 'return fold(oldChecksum + oldWord + (~newWord & 0xffff)) & 0xffff',
  },
  {
    row: 'CIP-31',
    file: 'connect-ip/link-scope.ts',
    why: 'fe80::/10 and ff00::/8 are forwarded',
    find: 'return first === 0xff || (first === 0xfe && (bytes[offset + 1] & 0xc0) === 0x80)\n  }\n  if',
    replace: 'return false\n  }\n  if',
  },
  {
    row: 'CIP-35',
    file: 'ip/icmp-error.ts',
    why: 'an error is sent about an ICMP error',
    find: 'return typeOffset < packet.length && !isIcmpErrorType(packet[typeOffset])',
    replace: 'return true',
  },
  {
    row: 'CIP-36',
    file: 'connect-ip/session.ts',
    why: 'all capsules of a read take effect before the first is acted upon',
    find: 'for (const capsule of this.#parser.push(bytes)) yield this.#receiveCapsule(capsule)',
    replace: 'yield* [...this.#parser.push(bytes)].map(capsule => this.#receiveCapsule(capsule))',
  },
  {
    row: 'CIP-37',
    file: 'carriers/h3.ts',
    why: 'datagrams that wait leave behind the end of the stream',
    find: 'this.#transport.quic.purgeDatagrams(this.#quarterStreamId)',
    replace: '',
  },
  {
    row: 'H3-09',
    file: 'connect-ip/request.ts',
    why: 'a tunnel is given under any name',
    find: 'if (!isOwn(authority)) throw misdirected(authority)',
    replace: '',
  },
  {
    row: 'H3-09',
    file: 'server/own-names.ts',
    why: 'a wildcard stands for any number of labels',
    find: 'multiLabelWildcards: false',
    replace: 'multiLabelWildcards: true',
  },
  {
    row: 'H3-10',
    file: 'http3/connection.ts',
    why: 'header sections larger than the peer takes are sent',
    find: 'if (size > limit) throw new PeerFieldSectionLimit(size, limit)',
    replace: '',
  },
  {
    row: 'H3-10',
    file: 'carriers/h3.ts',
    why: 'an answer that cannot be sent ends the connection',
    find: "if (!('streamId' in event)) throw error",
    replace: 'throw error',
  },
  {
    row: 'H3-10',
    file: 'server/masque-handler.ts',
    why: 'a refusal that cannot be sent ends the connection',
    find: '      .catch(error => this.#refuse(streamId, error))\n      .catch(error => this.transport.failStream(streamId, error))',
    replace: '      .catch(error => this.#refuse(streamId, error))',
  },
  {
    row: 'CIP-38',
    file: 'server/proxy-tunnel.ts',
    why: 'an address of the other version may be asked for',
    find: 'if (!this.#versions.includes(version)) return undefined',
    replace: '',
  },
  {
    row: 'CIP-38',
    file: 'connect-ip/scope.ts',
    why: 'ICMPv6 has an IPv4 address',
    find: 'if (scope.protocol === icmpProtocol(version === 4 ? 6 : 4)) return false',
    replace: '',
  },
  {
    row: 'CIP-39',
    file: 'server/proxy-tunnel.ts',
    why: 'the probe comes from an address that is out of the scope',
    find: 'const [from, to] = this.#mayAnswerGateway()',
    replace: 'const [from, to] = (true as boolean)',
  },
  {
    row: 'CIP-39',
    file: 'connect-ip/forwarding.ts',
    why: 'the reply to the link-local address is dropped',
    find: 'return isReply ? undefined : this.#drop(DropReason.LINK_SCOPE)',
    replace: 'return this.#drop(DropReason.LINK_SCOPE)',
  },
  {
    row: 'H3-01',
    file: 'http3/control-stream.ts',
    why: 'SETTINGS may come late',
    find: 'if (!this.#settingsReceived && type !== FrameType.SETTINGS) {',
    replace: 'if (false as boolean) {',
  },
  {
    row: 'H3-01',
    file: 'http3/control-stream.ts',
    why: 'SETTINGS may come twice',
    find: "if (this.#settingsReceived) throw unexpected(type, 'SETTINGS may be sent only once')",
    replace: '',
  },
  {
    row: 'H3-01',
    file: 'http3/unidirectional-streams.ts',
    why: 'a second control stream passes',
    find: 'if (this.#critical.has(type)) {',
    replace: 'if (false as boolean) {',
  },
  {
    row: 'H3-02',
    file: 'http3/settings.ts',
    why: 'settings of HTTP/2 pass',
    find: 'throw settingsError(`setting ${hex(id)} belongs to HTTP/2 and is forbidden in HTTP/3`)',
    replace: 'break',
  },
  {
    row: 'H3-02',
    file: 'http3/unidirectional-streams.ts',
    why: 'a private stream type is interpreted without agreement',
    find: 'if (!this.#options.extensionTypes.has(type)) return undefined',
    replace: '',
  },
  {
    row: 'H3-02',
    file: 'http3/unidirectional-streams.ts',
    why: 'an unknown stream type is an error of the connection',
    find: 'return this.#options.refuse(streamId, fin)',
    replace: "throw streamCreationError('an unknown type')",
  },
  {
    row: 'H3-02',
    file: 'http3/control-stream.ts',
    why: 'a frame of HTTP/2 passes',
    find: "if (isHttp2OnlyFrame(type)) throw unexpected(type, 'it exists in HTTP/2 only')",
    replace: '',
  },
  {
    row: 'H3-04',
    file: 'http3/qpack/decoder.ts',
    why: 'references to the dynamic table are not noticed',
    find: 'if (requiredInsertCount !== 0) throw failed(',
    replace: 'if (false as boolean) throw failed(',
  },
  {
    row: 'H3-04',
    file: 'http3/qpack/decoder.ts',
    why: 'a field section may have any size',
    find: 'room -= line[0].length + line[1].length',
    replace: '',
  },
  {
    row: 'H3-04',
    file: 'http3/qpack/huffman.ts',
    why: 'a string is decoded to its end, however long it becomes',
    find: 'if (length === maxLength) throw',
    replace: 'if (false as boolean) throw',
  },
  {
    row: 'H3-04',
    file: 'http3/qpack/decoder.ts',
    why: 'a frame longer than the limit is refused before it is decoded',
    find: 'return Math.ceil(maxSize * HUFFMAN_EXPANSION) + 11',
    replace: 'return maxSize',
  },
  {
    row: 'H3-04',
    file: 'http3/request-stream.ts',
    why: 'a frame that must be too large is collected',
    find: 'if (length > maxEncodedLength(maxFieldSectionSize)) throw',
    replace: 'if (false as boolean) throw',
  },
  {
    row: 'H3-04',
    file: 'http3/qpack/instructions.ts',
    why: 'a dynamic table is filled that was not allowed',
    find: 'if (bytes[i] === 0x20) continue',
    replace: 'continue',
  },
  {
    row: 'H3-04',
    file: 'http3/qpack/huffman.ts',
    why: 'padding may be anything',
    find: 'if (code !== (1 << bits) - 1) throw',
    replace: 'if (false as boolean) throw',
  },
  {
    row: 'H3-06',
    file: 'http3/control-stream.ts',
    why: 'GOAWAY may raise its id',
    find: 'if (this.#goawayId !== undefined && id > this.#goawayId) {',
    replace: 'if (false as boolean) {',
  },
]
