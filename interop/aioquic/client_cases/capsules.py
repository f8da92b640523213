"""Capsules: addresses, routes, unknown, malformed, cut anywhere (RFC 9484 §4.7, RFC 9297 §3)."""

import malformed
import packets
import wire
from cases import Mismatch, client_case, expect
from tunnel import Tunnel

GATEWAY_V4, GATEWAY_V6 = '10.89.0.1', 'fd00:89::1'
REFUSED = {'0.0.0.0/32', '::/128'}


# -- addresses ------------------------------------------------------------------------------------------------------


def answers(tunnel: Tunnel, *ids: int) -> dict[int, str]:
    """What the proxy says to requests of addresses, by id; waits until all are answered."""

    def by_id() -> dict[int, str]:
        capsules = tunnel.capsules(wire.ADDRESS_ASSIGN)
        entries = [each for capsule in capsules for each in wire.read_addresses(capsule)]
        return {id_: prefix for id_, prefix in entries if id_ in ids}

    tunnel.connection.wait_for(f'answers to the requests {ids}', lambda: set(by_id()) == set(ids))
    return by_id()


@client_case(
    'CIP-13 answers ADDRESS_REQUEST without preference with the addresses that it has assigned',
    source='RFC 9484 §4.7.2',
    sends='ADDRESS_REQUEST with 0.0.0.0/32 as id 1 and ::/128 as id 2',
    expects='ADDRESS_ASSIGN with the ids',
)
def no_preference(target):
    tunnel = target.tunnel()
    tunnel.send(wire.address_request((1, '0.0.0.0/32'), (2, '::/128')))
    expect('the answers', answers(tunnel, 1, 2), {1: '10.89.0.2/32', 2: 'fd00:89::2/128'})


@client_case(
    'CIP-13 answers ADDRESS_REQUEST that is sent together with the request',
    source='RFC 9484 §4.7.2',
    sends='HEADERS and ADDRESS_REQUEST in one packet',
    expects='ADDRESS_ASSIGN with the ids',
)
def request_at_once(target):
    connection = target.connect()
    capsule = wire.address_request((7, '0.0.0.0/32'), (8, '::/128'))
    data = wire.headers(target.request_fields()) + wire.frame(wire.DATA, capsule)
    tunnel = Tunnel(connection, target.raw_request(connection, data))
    expect('none refused', set(answers(tunnel, 7, 8).values()) & REFUSED, set())


@client_case(
    'CIP-13 answers every entry of ADDRESS_REQUEST, what it does not give with the all-zero address',
    source='RFC 9484 §4.7.1, §4.7.2',
    sends='ADDRESS_REQUEST with twelve entries of each family',
    expects='twenty-four answers, of which at least one a family is given and one is refused',
)
def too_many(target):
    tunnel = target.tunnel()
    entries = [(i, '0.0.0.0/32') for i in range(1, 13)] + [(i, '::/128') for i in range(13, 25)]
    tunnel.send(wire.address_request(*entries))
    given = answers(tunnel, *range(1, 25))
    for family, ids in ((4, range(1, 13)), (6, range(13, 25))):
        zero = '0.0.0.0/32' if family == 4 else '::/128'
        found = [given[i] for i in ids]
        expect(f'IPv{family}: some given, some refused', (zero in found, set(found) != {zero}), (True, True))
    tunnel.ping(GATEWAY_V4)


@client_case(
    'CIP-13 gives an address that is wished for and free, and refuses one outside of its pool',
    source='RFC 9484 §4.7.2',
    sends='ADDRESS_REQUEST for 10.89.0.77/32 and 203.0.113.5/32',
    expects='an address of the pool for the first; for the second a refusal or an address of the pool',
)
def wishes(target):
    tunnel = target.tunnel()
    tunnel.send(wire.address_request((1, '10.89.0.77/32'), (2, '203.0.113.5/32')))
    given = answers(tunnel, 1, 2)
    expect('the first is of the pool', given[1].startswith('10.89.0.'), True)
    expect('the second is not given', given[2] == '203.0.113.5/32', False)


@client_case(
    'CIP-13 echoes the largest request id, also when it is written in more bytes than it needs',
    source='RFC 9484 §4.7.2, RFC 9000 §16',
    sends='ADDRESS_REQUEST with ids 2^62 − 1 and 5, the latter in eight bytes',
    expects='ADDRESS_ASSIGN with both ids',
)
def large_ids(target):
    tunnel = target.tunnel()
    zero = wire.raw_address(4, bytes(4), 32)
    tunnel.send(wire.capsule(wire.ADDRESS_REQUEST, wire.varint(2**62 - 1) + zero + wire.varint(5, 8) + zero))
    answers(tunnel, 2**62 - 1, 5)


@client_case(
    'CIP-12 sends the whole list of addresses each time',
    source='RFC 9484 §4.7.1',
    sends='two ADDRESS_REQUESTs, one after the other is answered',
    expects='the last ADDRESS_ASSIGN holds all that was given before',
)
def whole_list(target):
    tunnel = target.tunnel()
    tunnel.send(wire.address_request((1, '0.0.0.0/32')))
    first = answers(tunnel, 1)[1]
    tunnel.send(wire.address_request((2, '0.0.0.0/32')))
    second = answers(tunnel, 2)[2]
    last = {prefix for _, prefix in wire.read_addresses(tunnel.capsules(wire.ADDRESS_ASSIGN)[-1])}
    expect('all in the last list', {first, second, 'fd00:89::2/128'} - REFUSED - last, set())


for what, capsules in [
    ('no entries', [wire.address_request()]),
    ('the request id 0', [wire.address_request((0, '0.0.0.0/32'))]),
    ('an id used before', [wire.address_request((3, '0.0.0.0/32')), wire.address_request((3, '::/128'))]),
    ('the same id twice', [wire.address_request((3, '0.0.0.0/32'), (3, '::/128'))]),
]:

    @client_case(
        f'CIP-13 aborts the stream for ADDRESS_REQUEST with {what}',
        source='RFC 9484 §4.7.2',
        sends=what,
        expects='a reset of the request stream; the connection goes on',
    )
    def bad_request(target, capsules=capsules):
        tunnel = target.tunnel()
        tunnel.send(*capsules)
        tunnel.expect_abort(wire.H3_MESSAGE_ERROR)
        target.tunnel(tunnel.connection).ping(GATEWAY_V4)


@client_case(
    'CIP-20 takes addresses that the client assigns to the proxy, and their withdrawal',
    source='RFC 9484 §4.7.1, §8.2',
    sends='ADDRESS_ASSIGN with two prefixes, then an empty one',
    expects='the tunnel goes on',
)
def assigns(target):
    tunnel = target.tunnel()
    tunnel.send(wire.address_assign((0, '192.0.2.1/32'), (0, '2001:db8::1/128')))
    tunnel.send(wire.address_assign())
    tunnel.ping(GATEWAY_V4)
    tunnel.expect_open()


# -- malformed entries ------------------------------------------------------------------------------------------------

for type_, name in ((wire.ADDRESS_ASSIGN, 'ADDRESS_ASSIGN'), (wire.ADDRESS_REQUEST, 'ADDRESS_REQUEST')):
    for what, value in malformed.ADDRESSES:

        @client_case(
            f'CIP-15 aborts the stream for {name} with {what}',
            source='RFC 9484 §4.7.1, §4.7.2, RFC 9297 §3.3',
            sends=what,
            expects='H3_MESSAGE_ERROR on the request stream; the connection goes on',
        )
        def bad_address(target, type_=type_, value=value):
            tunnel = target.tunnel()
            tunnel.send(wire.capsule(type_, value))
            tunnel.expect_abort(wire.H3_MESSAGE_ERROR)


# -- routes -----------------------------------------------------------------------------------------------------------

for what, value in malformed.ROUTES:

    @client_case(
        f'CIP-14 CIP-15 aborts the stream for ROUTE_ADVERTISEMENT with {what}',
        source='RFC 9484 §4.7.3, RFC 9297 §3.3',
        sends=what,
        expects='H3_MESSAGE_ERROR on the request stream; the connection goes on',
    )
    def bad_routes(target, value=value):
        tunnel = target.tunnel()
        tunnel.send(wire.capsule(wire.ROUTE_ADVERTISEMENT, value))
        tunnel.expect_abort(wire.H3_MESSAGE_ERROR)


@client_case(
    'CIP-14 takes routes that the client advertises, and their withdrawal',
    source='RFC 9484 §4.7.3, §8.2',
    sends='ROUTE_ADVERTISEMENT with ranges of both versions and several protocols, then an empty one',
    expects='the tunnel goes on',
)
def routes(target):
    tunnel = target.tunnel()
    tunnel.send(
        wire.route_advertisement(
            ('10.1.0.0', '10.1.0.255', 6),
            ('10.1.0.0', '10.1.0.255', 17),
            ('10.2.0.0', '10.2.0.0', 17),
            ('2001:db8::', '2001:db8::ffff', 0),
        )
    )
    tunnel.send(wire.route_advertisement())
    tunnel.ping(GATEWAY_V4)
    tunnel.expect_open()


# -- unknown capsules, cuts, ends ---------------------------------------------------------------------------------------


@client_case(
    'CIP-16 skips capsules of unknown types, empty, large and written in many bytes',
    source='RFC 9297 §3.2, §5.4',
    sends='reserved and unknown types, one of 200 000 bytes, one whose type and length take eight bytes',
    expects='the tunnel goes on',
)
def unknown(target):
    tunnel = target.tunnel()
    tunnel.send(wire.capsule(wire.reserved_capsule(0)), wire.capsule(wire.reserved_capsule(40), b'x' * 70))
    tunnel.send(wire.capsule(0x1ACE79EC, b''), wire.capsule(2**62 - 1, b'abc'))
    tunnel.send(wire.varint(0x2575, 8) + wire.varint(3, 8) + b'abc')
    tunnel.ping(GATEWAY_V4)
    large = wire.capsule(0x7F00, bytes(200_000))
    for at in range(0, len(large), 30_000):
        tunnel.send(large[at : at + 30_000])
    tunnel.send(wire.address_request((9, '0.0.0.0/32')))
    answers(tunnel, 9)
    tunnel.ping(GATEWAY_V6)


@client_case(
    'CIP-16 reads capsules that come byte by byte, in many DATA frames',
    source='RFC 9297 §3.1',
    sends='an unknown capsule and ADDRESS_REQUEST, one byte a DATA frame',
    expects='ADDRESS_ASSIGN with the id',
)
def byte_by_byte(target):
    tunnel = target.tunnel()
    for byte in wire.capsule(wire.reserved_capsule(2), b'abcdef') + wire.address_request((300, '::/128')):
        tunnel.send(bytes([byte]))
    answers(tunnel, 300)


@client_case(
    'CIP-16 reads a capsule around empty DATA frames and reserved frames',
    source='RFC 9114 §7.2.1, §7.2.8',
    sends='the halves of ADDRESS_REQUEST with an empty DATA and a reserved frame between them',
    expects='ADDRESS_ASSIGN with the id',
)
def empty_frames(target):
    tunnel = target.tunnel()
    capsule = wire.address_request((11, '0.0.0.0/32'))
    between = wire.frame(wire.DATA) + wire.frame(wire.reserved(4), b'zzz')
    data = wire.frame(wire.DATA, capsule[:4]) + between + wire.frame(wire.DATA, capsule[4:])
    tunnel.connection.send_stream(tunnel.stream_id, data)
    answers(tunnel, 11)


@client_case(
    'CIP-17 aborts the stream that ends inside a capsule',
    source='RFC 9297 §3.3',
    sends='half of ADDRESS_REQUEST, and FIN',
    expects='H3_MESSAGE_ERROR on the request stream; the connection goes on',
)
def truncated(target):
    tunnel = target.tunnel()
    tunnel.send(wire.address_request((1, '0.0.0.0/32'))[:-2], end=True)
    tunnel.expect_abort(wire.H3_MESSAGE_ERROR)


for type_, name in ((1, 'ADDRESS_ASSIGN'), (2, 'ADDRESS_REQUEST'), (3, 'ROUTE_ADVERTISEMENT')):

    @client_case(
        f'CIP-18 aborts the stream for {name} that says it has a gigabyte',
        source='RFC 9297 §3.2: an implementation may limit what it buffers',
        sends='type and length only',
        expects='H3_EXCESSIVE_LOAD or H3_MESSAGE_ERROR on the request stream; the connection goes on',
    )
    def over_long(target, type_=type_):
        tunnel = target.tunnel()
        tunnel.send(wire.varint(type_) + wire.varint(2**30 - 1))
        tunnel.send(bytes(2000))
        tunnel.expect_abort(wire.H3_EXCESSIVE_LOAD, wire.H3_MESSAGE_ERROR)


@client_case(
    'CIP-36 lets capsules and DATAGRAM capsules of one write take effect in their order',
    source='RFC 9297 §3.1, §3.5',
    sends='a packet from a network, ROUTE_ADVERTISEMENT for it, another packet from it, all in one DATA frame',
    expects='the first packet is refused for its source, the second is answered',
    ours={'proxy': 'client routes'},
)
def in_order(target):
    tunnel = target.tunnel()
    behind = '192.0.2.7'
    tunnel.send(
        wire.datagram_capsule(b'\x00' + packets.echo(behind, GATEWAY_V4, sequence=1)),
        wire.route_advertisement(('192.0.2.0', '192.0.2.255')),
        wire.datagram_capsule(b'\x00' + packets.echo(behind, GATEWAY_V4, sequence=2)),
    )
    first = tunnel.wait_packet('an answer to the first packet', lambda seen: seen.get('type') is not None)
    if first['type'] != 3:
        raise Mismatch('destination unreachable for the first packet', f'ICMP {first["type"]}, sequence {first["sequence"]}')
    reply = tunnel.wait_packet('an answer to the second packet', lambda seen: seen.get('type') is not None)
    expect('type and sequence number', (reply['type'], reply['sequence']), (0, 2))


@client_case(
    'CIP-09 closes the connection for HEADERS in the middle of the capsules, or takes them as trailers',
    source='RFC 9114 §4.4, RFC 9297 §3.1',
    sends='DATA behind a trailer section',
    expects='H3_FRAME_UNEXPECTED',
)
def trailers(target):
    tunnel = target.tunnel()
    after = wire.headers([('checksum', '1')]) + wire.frame(wire.DATA, wire.address_request((1, '::/128')))
    tunnel.connection.send_stream(tunnel.stream_id, after)
    tunnel.connection.expect_close(wire.H3_FRAME_UNEXPECTED)
