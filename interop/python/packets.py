"""IP packets by hand: ICMP echo and UDP over IPv4 and IPv6 (RFC 791, 792, 768, 4443, 8200)."""

import ipaddress
import struct

ICMP, UDP, ICMPV6 = 1, 17, 58


def checksum(data: bytes) -> int:
    """RFC 1071."""
    if len(data) % 2:
        data += b'\x00'
    total = sum(struct.unpack(f'!{len(data) // 2}H', data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ip(source: str, destination: str, protocol: int, payload: bytes, ttl: int = 64, dont_fragment: bool = True) -> bytes:
    """A whole packet; the version is that of the addresses."""
    first, second = ipaddress.ip_address(source), ipaddress.ip_address(destination)
    if first.version == 6:
        return struct.pack('!IHBB', 6 << 28, len(payload), protocol, ttl) + first.packed + second.packed + payload
    fragment = 0x4000 if dont_fragment else 0
    header = struct.pack('!BBHHHBBH', 0x45, 0, 20 + len(payload), 0, fragment, ttl, protocol, 0)
    header += first.packed + second.packed
    return header[:10] + struct.pack('!H', checksum(header)) + header[12:] + payload


def pseudo_header(source: str, destination: str, protocol: int, length: int) -> bytes:
    """What the checksums of UDP and ICMPv6 also cover."""
    first, second = ipaddress.ip_address(source), ipaddress.ip_address(destination)
    if first.version == 6:
        return first.packed + second.packed + struct.pack('!IHBB', length, 0, 0, protocol)
    return first.packed + second.packed + struct.pack('!BBH', 0, protocol, length)


def echo(source: str, destination: str, size: int = 56, sequence: int = 1, ttl: int = 64, reply: bool = False) -> bytes:
    """An ICMP echo request or reply with `size` bytes of payload, as in `ping -s`."""
    data = bytes(i % 256 for i in range(size))
    six = ipaddress.ip_address(source).version == 6
    type_ = (129 if reply else 128) if six else (0 if reply else 8)
    message = struct.pack('!BBHHH', type_, 0, 0, 0x6D71, sequence) + data
    covered = (pseudo_header(source, destination, ICMPV6, len(message)) if six else b'') + message
    message = message[:2] + struct.pack('!H', checksum(covered)) + message[4:]
    return ip(source, destination, ICMPV6 if six else ICMP, message, ttl)


def answer(request: bytes) -> bytes:
    """The echo reply to an echo request, made from its own bytes."""
    seen = read(request)
    message = bytes([129 if seen['version'] == 6 else 0, 0, 0, 0]) + seen['payload'][4:]
    pseudo = pseudo_header(seen['to'], seen['from'], seen['protocol'], len(message)) if seen['version'] == 6 else b''
    message = message[:2] + struct.pack('!H', checksum(pseudo + message)) + message[4:]
    return ip(seen['to'], seen['from'], seen['protocol'], message)


def answer_multicast(request: dict, source: str) -> bytes:
    """The echo reply to a request to a group, as `read` gives it: it comes from an address of one's own (RFC 4443 §4.2)."""
    message = bytes([129, 0, 0, 0]) + request['payload'][4:]
    sum_ = checksum(pseudo_header(source, request['from'], ICMPV6, len(message)) + message)
    return ip(source, request['from'], ICMPV6, message[:2] + struct.pack('!H', sum_) + message[4:])


def udp(source: str, destination: str, port: int, data: bytes, source_port: int = 40000) -> bytes:
    header = struct.pack('!HHHH', source_port, port, 8 + len(data), 0)
    sum_ = checksum(pseudo_header(source, destination, UDP, len(header) + len(data)) + header + data) or 0xFFFF
    return ip(source, destination, UDP, header[:6] + struct.pack('!H', sum_) + data)


def read(packet: bytes) -> dict:
    """Version, addresses, protocol, ttl, payload; for ICMP also type, code, and for echoes sequence and data."""
    version = packet[0] >> 4
    if version == 4:
        ttl, protocol, payload = packet[8], packet[9], packet[(packet[0] & 15) * 4 :]
        source, destination = packet[12:16], packet[16:20]
    else:
        ttl, protocol, payload = packet[7], packet[6], packet[40:]
        source, destination = packet[8:24], packet[24:40]
    seen = {
        'version': version,
        'from': str(ipaddress.ip_address(source)),
        'to': str(ipaddress.ip_address(destination)),
        'protocol': protocol,
        'ttl': ttl,
        'payload': payload,
    }
    if protocol in (ICMP, ICMPV6):
        seen |= {'type': payload[0], 'code': payload[1], 'sequence': int.from_bytes(payload[6:8], 'big'), 'data': payload[8:]}
    return seen


def describe(packet: bytes) -> str:
    """One line for a log."""
    try:
        seen = read(packet)
    except (IndexError, ValueError):
        return f'{len(packet)} bytes that are no IP packet: {packet[:16].hex()}'
    icmp = f' ICMP {seen["type"]}/{seen["code"]} seq {seen["sequence"]}' if 'type' in seen else f' protocol {seen["protocol"]}'
    return f'{seen["from"]} > {seen["to"]}{icmp}, {len(packet)} bytes'


def is_echo_request(packet: bytes) -> bool:
    seen = read(packet)
    return (seen['protocol'], seen.get('type')) in ((ICMP, 8), (ICMPV6, 128))


def is_echo_reply(packet: bytes) -> bool:
    seen = read(packet)
    return (seen['protocol'], seen.get('type')) in ((ICMP, 0), (ICMPV6, 129))
