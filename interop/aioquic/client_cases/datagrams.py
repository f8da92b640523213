"""QUIC DATAGRAM frames, contexts, DATAGRAM capsules (RFC 9297 §2, §3.5; RFC 9484 §5, §6)."""

import packets
import wire
from cases import Mismatch, client_case, expect
from connection import DEFAULT_SETTINGS
from tunnel import Tunnel

GATEWAY_V4, GATEWAY_V6 = '10.89.0.1', 'fd00:89::1'
HOST_V4 = '10.90.0.1'
NO_DATAGRAMS = {key: value for key, value in DEFAULT_SETTINGS.items() if key != wire.H3_DATAGRAM}


@client_case(
    'CIP-21 reads quarter stream id and context id in more bytes than they need',
    source='RFC 9000 §16, RFC 9297 §2.1, RFC 9484 §5',
    sends='an echo request behind 40 00 and c0 00 00 00 00 00 00 00',
    expects='the echo reply',
)
def long_varints(target):
    tunnel = target.tunnel()
    packet = packets.echo(tunnel.address(GATEWAY_V4), GATEWAY_V4, sequence=77)
    prefix = wire.varint(tunnel.stream_id // 4, 2) + wire.varint(0, 8)
    tunnel.connection.send_datagram(prefix + packet)
    tunnel.wait_packet('the echo reply', lambda seen: seen['sequence'] == 77)


@client_case(
    'CIP-22 drops datagrams of contexts that it does not know',
    source='RFC 9484 §5',
    sends='echo requests in contexts 2, 3 and 2^62 − 1',
    expects='no answer, and the tunnel goes on',
)
def unknown_contexts(target):
    tunnel = target.tunnel()
    for context in (2, 3, 2**62 - 1):
        tunnel.send_packet(packets.echo(tunnel.address(GATEWAY_V4), GATEWAY_V4, sequence=50), wire.varint(context))
    tunnel.ping(GATEWAY_V4)
    expect('answers to unknown contexts', [packets.describe(each) for each in tunnel.packets], [])


@client_case(
    'CIP-22 drops DATAGRAM capsules of contexts that it does not know',
    source='RFC 9484 §5, RFC 9297 §3.5',
    sends='an echo request in context 4, as a capsule',
    expects='no answer, and the tunnel goes on',
)
def unknown_context_capsule(target):
    tunnel = target.tunnel()
    tunnel.send_packet_capsule(packets.echo(tunnel.address(GATEWAY_V4), GATEWAY_V4), wire.varint(4))
    tunnel.ping(GATEWAY_V4)
    expect('answers to unknown contexts', [packets.describe(each) for each in tunnel.packets], [])


for what, data, code in [
    ('an empty datagram', b'', wire.H3_DATAGRAM_ERROR),
    ('a datagram that ends inside the quarter stream id', b'\x40', wire.H3_DATAGRAM_ERROR),
    ('a quarter stream id of 2^60', wire.varint(2**60) + b'\x00', wire.H3_DATAGRAM_ERROR),
    ('a datagram for a stream beyond the stream limit', wire.varint(2**59) + b'\x00x', wire.H3_ID_ERROR),
    ('a datagram for stream 400 000, beyond the stream limit too', wire.varint(100_000) + b'\x00x', wire.H3_ID_ERROR),
]:

    @client_case(
        f'CIP-24 closes the connection for {what}',
        source='RFC 9297 §2.1',
        sends=what,
        expects=f'CONNECTION_CLOSE with {code:#x}',
    )
    def bad_datagram(target, data=data, code=code):
        connection = target.connect()
        connection.send_datagram(data)
        connection.expect_close(code)


@client_case(
    'CIP-24 CIP-25 keeps or drops packets that come before their request',
    source='RFC 9297 §2.1, RFC 9484 §4.4',
    sends='thirty echo requests for a stream, then the request on it',
    expects='200, and the tunnel works',
)
def before_request(target):
    connection = target.connect()
    for i in range(30):
        connection.send_datagram(b'\x00\x00' + packets.echo('10.89.0.2', GATEWAY_V4, sequence=1000 + i))
    target.tunnel(connection).ping(GATEWAY_V4)


@client_case(
    'CIP-25 keeps or drops packets that come together with their request',
    source='RFC 9484 §4.4',
    sends='the request and an echo request in one flight',
    expects='200, and the tunnel works',
)
def with_request(target):
    connection = target.connect()
    stream_id = connection.new_stream()
    connection.quic.send_stream_data(stream_id, wire.headers(target.request_fields()))
    connection.quic.send_datagram_frame(b'\x00\x00' + packets.echo('10.89.0.2', GATEWAY_V4, sequence=1000))
    connection.flush()
    tunnel = Tunnel(connection, stream_id)
    tunnel.wait_assigned()
    tunnel.ping(GATEWAY_V6)


@client_case(
    'CIP-24 drops datagrams of a stream that has ended',
    source='RFC 9297 §2.1',
    sends='an echo request for the stream of a closed tunnel',
    expects='no answer, and the connection goes on',
)
def after_end(target):
    tunnel = target.tunnel()
    packet = packets.echo(tunnel.address(GATEWAY_V4), GATEWAY_V4)
    tunnel.end()
    for _ in range(5):
        tunnel.connection.send_datagram(wire.varint(tunnel.stream_id // 4) + b'\x00' + packet)
    tunnel.connection.expect_open()
    target.tunnel(tunnel.connection).ping(GATEWAY_V4)


@client_case(
    'CIP-37 sends no datagram after its FIN',
    source='RFC 9297 §2.1: MUST NOT be sent unless the send side is open',
    sends='400 echo requests of 1000 bytes, and FIN right behind them',
    expects='whatever comes before FIN, and nothing after it',
)
def nothing_after_fin(target):
    tunnel = target.tunnel()
    connection = tunnel.connection
    for i in range(400):
        connection.h3.send_datagram(
            tunnel.stream_id, b'\x00' + packets.echo(tunnel.address(GATEWAY_V4), GATEWAY_V4, 1000, sequence=i)
        )
    tunnel.send(b'', end=True)
    late = []
    connection.on_datagram = lambda stream_id, _: late.append(stream_id) if stream_id in connection.ended else None
    connection.wait_for('FIN', lambda: tunnel.stream_id in connection.ended)
    connection.pump(lambda: False, 0.3)
    expect('datagrams after FIN', len(late), 0)


for address in (GATEWAY_V4, GATEWAY_V6, HOST_V4):

    @client_case(
        f'CIP-23 takes packets to {address} in DATAGRAM capsules from a client that could send QUIC datagrams',
        source='RFC 9297 §3.5',
        sends='echo requests in DATAGRAM capsules',
        expects='the echo replies, in either form',
    )
    def capsule_ping(target, address=address):
        tunnel = target.tunnel()
        for size in (0, 56, 1232):
            tunnel.ping(address, size, capsules=True)


for what, settings, options in [
    ('H3_DATAGRAM', NO_DATAGRAMS, {}),
    ('QUIC datagrams', NO_DATAGRAMS, {'max_datagram_frame_size': None}),
    ('H3_DATAGRAM, which it sets to 0,', NO_DATAGRAMS | {wire.H3_DATAGRAM: 0}, {}),
]:

    @client_case(
        f'CIP-23 speaks in DATAGRAM capsules with a client without {what}',
        source='RFC 9297 §2.1.1, §3.5',
        sends='SETTINGS without it, then echo requests in DATAGRAM capsules',
        expects='the echo replies in DATAGRAM capsules, no QUIC datagram',
    )
    def without_datagrams(target, settings=settings, options=options):
        tunnel = target.tunnel(target.connect(settings=settings, **options))
        for size in (0, 56, 1232):
            tunnel.ping(GATEWAY_V4, size, capsules=True)
        tunnel.ping(GATEWAY_V6, capsules=True)
        expect('QUIC datagrams', len(tunnel.connection.datagrams), 0)


@client_case(
    'CIP-23 reads DATAGRAM capsules that come byte by byte',
    source='RFC 9297 §3.1',
    sends='an echo request as a capsule, one byte a DATA frame',
    expects='the echo reply',
)
def capsule_byte_by_byte(target):
    tunnel = target.tunnel()
    packet = packets.echo(tunnel.address(GATEWAY_V4), GATEWAY_V4, sequence=9)
    for byte in wire.datagram_capsule(b'\x00' + packet):
        tunnel.send(bytes([byte]))
    tunnel.wait_packet('the echo reply', lambda seen: seen['sequence'] == 9)


@client_case(
    'CIP-21 loses none of 300 pings with 16 under way',
    source='RFC 9484 §6',
    sends='300 echo requests of 1000 bytes',
    expects='300 echo replies',
)
def many(target):
    tunnel = target.tunnel()
    connection = tunnel.connection
    source = tunnel.address(HOST_V4)
    for first in range(0, 300, 16):
        count = min(16, 300 - first)
        for i in range(count):
            connection.h3.send_datagram(tunnel.stream_id, b'\x00' + packets.echo(source, HOST_V4, 1000, first + i))
        connection.flush()
        connection.wait_for(f'{first + count} replies', lambda n=first + count: len(tunnel.packets) == n)
    if not all(packets.is_echo_reply(packet) for packet in tunnel.packets):
        raise Mismatch('echo replies only', str({packets.describe(packet) for packet in tunnel.packets})[:300])
