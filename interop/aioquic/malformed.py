"""Capsules that no correct sender sends; both roles try them."""

import wire

FOUR = bytes([10, 1, 2, 3])
SIXTEEN = bytes.fromhex('fd000001000000000000000000000001')

ADDRESSES = [
    ('IP version 5', wire.varint(1) + wire.raw_address(5, FOUR, 32)),
    ('IP version 0', wire.varint(1) + wire.raw_address(0, FOUR, 32)),
    ('an IPv4 prefix of 33 bits', wire.varint(1) + wire.raw_address(4, FOUR, 33)),
    ('an IPv6 prefix of 129 bits', wire.varint(1) + wire.raw_address(6, SIXTEEN, 129)),
    ('IPv4 bits beyond the prefix', wire.varint(1) + wire.raw_address(4, FOUR, 24)),
    ('IPv6 bits beyond the prefix', wire.varint(1) + wire.raw_address(6, SIXTEEN, 64)),
    ('an entry that ends inside the address', wire.varint(1) + bytes([4, 10, 1])),
    ('an entry without prefix length', wire.varint(1) + bytes([4]) + FOUR),
    ('a byte behind the last entry', wire.varint(1) + wire.raw_address(4, FOUR, 32) + b'\x02'),
]
"""Values of ADDRESS_ASSIGN and ADDRESS_REQUEST (RFC 9484 §4.7.1, §4.7.2)."""

ROUTES = [
    ('a start above the end', wire.address_range('10.0.0.2', '10.0.0.1')),
    ('IPv6 before IPv4', wire.address_range('2001:db8::', '2001:db8::1') + wire.address_range('10.0.0.1', '10.0.0.2')),
    ('protocols out of order', wire.address_range('10.0.0.1', '10.0.0.2', 17) + wire.address_range('10.0.1.1', '10.0.1.2', 6)),
    ('ranges out of order', wire.address_range('10.0.1.1', '10.0.1.2') + wire.address_range('10.0.0.1', '10.0.0.2')),
    ('overlapping ranges', wire.address_range('10.0.0.1', '10.0.0.9') + wire.address_range('10.0.0.9', '10.0.0.12')),
    ('the same range twice', wire.address_range('10.0.0.1', '10.0.0.9') * 2),
    ('IP version 7', bytes([7]) + FOUR + FOUR + b'\x00'),
    ('an entry that ends too early', wire.address_range('10.0.0.1', '10.0.0.9')[:-1]),
    ('a byte behind the last entry', wire.address_range('10.0.0.1', '10.0.0.9') + b'\x04'),
]
"""Values of ROUTE_ADVERTISEMENT (RFC 9484 §4.7.3)."""
