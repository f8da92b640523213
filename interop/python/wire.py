"""What travels on the wire above QUIC, written byte by byte: it shares nothing with src/, nor with aioquic's own HTTP/3."""

import ipaddress

# HTTP/3 (RFC 9114 §7.2, §6.2, §8.1), QPACK (RFC 9204 §6), HTTP Datagrams (RFC 9297 §5.2).
DATA, HEADERS, CANCEL_PUSH, SETTINGS, PUSH_PROMISE, GOAWAY, MAX_PUSH_ID = 0x0, 0x1, 0x3, 0x4, 0x5, 0x7, 0xD
CONTROL_STREAM, PUSH_STREAM, ENCODER_STREAM, DECODER_STREAM = 0x0, 0x1, 0x2, 0x3

QPACK_MAX_TABLE_CAPACITY, MAX_FIELD_SECTION_SIZE, QPACK_BLOCKED_STREAMS = 0x1, 0x6, 0x7
ENABLE_CONNECT_PROTOCOL, H3_DATAGRAM = 0x8, 0x33

H3_DATAGRAM_ERROR = 0x33
H3_NO_ERROR = 0x100
H3_STREAM_CREATION_ERROR = 0x103
H3_CLOSED_CRITICAL_STREAM = 0x104
H3_FRAME_UNEXPECTED = 0x105
H3_FRAME_ERROR = 0x106
H3_EXCESSIVE_LOAD = 0x107
H3_ID_ERROR = 0x108
H3_SETTINGS_ERROR = 0x109
H3_MISSING_SETTINGS = 0x10A
H3_REQUEST_REJECTED = 0x10B
H3_REQUEST_CANCELLED = 0x10C
H3_REQUEST_INCOMPLETE = 0x10D
H3_MESSAGE_ERROR = 0x10E
QPACK_DECOMPRESSION_FAILED = 0x200
QPACK_ENCODER_STREAM_ERROR = 0x201
QPACK_DECODER_STREAM_ERROR = 0x202

# Capsules: RFC 9297 §3.5, RFC 9484 §4.7.
DATAGRAM, ADDRESS_ASSIGN, ADDRESS_REQUEST, ROUTE_ADVERTISEMENT = 0x00, 0x01, 0x02, 0x03


def reserved(n: int) -> int:
    """The n-th reserved frame, stream or setting type, which everybody must ignore (RFC 9114 §7.2.8)."""
    return 0x1F * n + 0x21


def reserved_capsule(n: int) -> int:
    """The n-th reserved capsule type (RFC 9297 §5.4)."""
    return 0x29 * n + 0x17


def varint(value: int, length: int | None = None) -> bytes:
    """RFC 9000 §16. `length` forces an encoding that is longer than necessary, which is allowed."""
    for bits, size in ((6, 1), (14, 2), (30, 4), (62, 8)):
        if value < 1 << bits and (length is None or length == size):
            return (value | (size.bit_length() - 1) << (size * 8 - 2)).to_bytes(size, 'big')
    raise ValueError(f'{value} does not fit a varint of {length} bytes')


def read_varint(data: bytes, at: int = 0) -> tuple[int, int]:
    """The value and where the next byte is. Raises IndexError when the bytes end too early."""
    size = 1 << (data[at] >> 6)
    if at + size > len(data):
        raise IndexError('the bytes end inside a varint')
    value = int.from_bytes(data[at : at + size], 'big') & ((1 << (size * 8 - 2)) - 1)
    return value, at + size


def frame(type_: int, payload: bytes = b'') -> bytes:
    """A frame of HTTP/3; capsules have the same form (RFC 9297 §3.2)."""
    return varint(type_) + varint(len(payload)) + payload


capsule = frame


def split(data: bytes) -> list[tuple[int, bytes]]:
    """All whole capsules (or frames) at the front of `data`: type and value."""
    found, at = [], 0
    while True:
        try:
            type_, next_ = read_varint(data, at)
            length, next_ = read_varint(data, next_)
        except IndexError:
            return found
        if next_ + length > len(data):
            return found
        found.append((type_, data[next_ : next_ + length]))
        at = next_ + length


def settings(values: dict[int, int]) -> bytes:
    """The SETTINGS frame."""
    return frame(SETTINGS, b''.join(varint(key) + varint(value) for key, value in values.items()))


def prefix_int(first: int, bits: int, value: int) -> bytes:
    """QPACK's integers (RFC 7541 §5.1): `first` holds the bits above the prefix of `bits` bits."""
    limit = (1 << bits) - 1
    if value < limit:
        return bytes([first | value])
    out, value = [first | limit], value - limit
    while value >= 128:
        out.append(value % 128 | 128)
        value //= 128
    return bytes([*out, value])


def field_section(fields: list[tuple[str, str]]) -> bytes:
    """Literal field lines with literal names, without Huffman (RFC 9204 §4.5.6): no table is needed to read them."""
    lines = b''
    for name, value in fields:
        name_bytes, value_bytes = name.encode(), value.encode()
        lines += prefix_int(0x20, 3, len(name_bytes)) + name_bytes + prefix_int(0, 7, len(value_bytes)) + value_bytes
    return b'\x00\x00' + lines


def headers(fields: list[tuple[str, str]]) -> bytes:
    """A HEADERS frame."""
    return frame(HEADERS, field_section(fields))


# -- the capsules of RFC 9484 -------------------------------------------------------------------------------------


def entry(request_id: int, prefix: str) -> bytes:
    """One assigned or requested address: request id, IP version, address, prefix length (§4.7.1)."""
    network = ipaddress.ip_interface(prefix)
    return varint(request_id) + raw_address(network.version, network.ip.packed, network.network.prefixlen)


def raw_address(version: int, packed: bytes, length: int) -> bytes:
    return bytes([version]) + packed + bytes([length])


def address_assign(*entries: tuple[int, str]) -> bytes:
    return capsule(ADDRESS_ASSIGN, b''.join(entry(*each) for each in entries))


def address_request(*entries: tuple[int, str]) -> bytes:
    return capsule(ADDRESS_REQUEST, b''.join(entry(*each) for each in entries))


def address_range(start: str, end: str, protocol: int = 0) -> bytes:
    """One range of ROUTE_ADVERTISEMENT: IP version, first and last address, IP protocol (§4.7.3)."""
    first, last = ipaddress.ip_address(start), ipaddress.ip_address(end)
    return bytes([first.version]) + first.packed + last.packed + bytes([protocol])


def route_advertisement(*ranges: tuple) -> bytes:
    return capsule(ROUTE_ADVERTISEMENT, b''.join(address_range(*each) for each in ranges))


def datagram_capsule(payload: bytes) -> bytes:
    return capsule(DATAGRAM, payload)


def read_addresses(value: bytes) -> list[tuple[int, str]]:
    """The entries of ADDRESS_ASSIGN or ADDRESS_REQUEST: request id and prefix."""
    found, at = [], 0
    while at < len(value):
        request_id, at = read_varint(value, at)
        size = {4: 4, 6: 16}[value[at]]
        address = ipaddress.ip_address(value[at + 1 : at + 1 + size])
        found.append((request_id, f'{address}/{value[at + 1 + size]}'))
        at += size + 2
    return found


def read_routes(value: bytes) -> list[tuple[str, str, int]]:
    """The ranges of ROUTE_ADVERTISEMENT: first and last address, protocol."""
    found, at = [], 0
    while at < len(value):
        size = {4: 4, 6: 16}[value[at]]
        start, end = value[at + 1 : at + 1 + size], value[at + 1 + size : at + 1 + 2 * size]
        found.append((str(ipaddress.ip_address(start)), str(ipaddress.ip_address(end)), value[at + 1 + 2 * size]))
        at += 2 * size + 2
    return found
