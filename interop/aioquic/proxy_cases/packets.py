"""IP packets that the client gets and sends (RFC 9484 §5 to §7, RFC 9297 §2, §3.5)."""

import packets
import wire
from cases import expect, proxy_case
from connection import DEFAULT_SETTINGS
from listener import CLIENT_V4, CLIENT_V6, GATEWAY_V4, GATEWAY_V6, Listener

NO_DATAGRAMS = {key: value for key, value in DEFAULT_SETTINGS.items() if key != wire.H3_DATAGRAM}
STAYS = {'steps': [['connect'], ['ping', GATEWAY_V4], ['ping', GATEWAY_V6]]}


@proxy_case(
    'CIP-29 sends its own packets with their TTL untouched, in context 0',
    source='RFC 9484 §6, §7.2',
    sends='echo replies',
    expects='echo requests from the assigned addresses with a TTL of 64',
    ours={'steps': [['connect'], ['ping', GATEWAY_V4, 0], ['ping', GATEWAY_V4, 1232], ['ping', GATEWAY_V6, 1232]]},
)
def pings(listener: Listener):
    tunnel = listener.tunnel()
    seen = []
    deliver = tunnel._on_packet

    def watch(packet: bytes) -> None:
        seen.append(packets.read(packet))
        deliver(packet)

    tunnel._on_packet = watch
    listener.wait_until_left()
    requests = [each for each in seen if each.get('type') in (8, 128)]
    expect('sources', [each['from'] for each in requests], [CLIENT_V4, CLIENT_V4, CLIENT_V6])
    expect('TTLs', {each['ttl'] for each in requests}, {64})
    expect('sizes', [len(each['data']) for each in requests], [0, 1232, 1232])
    expect('other contexts', tunnel.other_contexts, [])


@proxy_case(
    'CIP-33 answers pings of both versions and of all sizes up to 1280 bytes',
    source='RFC 9484 §7.2',
    sends='echo requests',
    expects='echo replies',
    ours={'steps': [['connect'], ['ping', GATEWAY_V4], ['is lost', '^tunnel']]},
)
def answers(listener: Listener):
    tunnel = listener.tunnel()
    tunnel.pump_pings()
    for address, source in ((CLIENT_V4, GATEWAY_V4), (CLIENT_V6, GATEWAY_V6)):
        for size in (0, 56, 512, 1232):
            expect('TTL', tunnel.ping(address, size, source=source)['ttl'], 64)
    tunnel.send(b'', end=True)


@proxy_case(
    'CIP-23 answers pings that come in DATAGRAM capsules',
    source='RFC 9297 §3.5',
    sends='echo requests as capsules, one of them byte by byte, though QUIC datagrams are agreed on',
    expects='echo replies, in either form',
    ours={'steps': [['connect'], ['ping', GATEWAY_V4], ['is lost', '^tunnel']]},
)
def capsule_pings(listener: Listener):
    tunnel = listener.tunnel()
    tunnel.pump_pings()
    for size in (0, 56, 1232):
        tunnel.ping(CLIENT_V4, size, source=GATEWAY_V4, capsules=True)
    for byte in wire.datagram_capsule(b'\x00' + packets.echo(GATEWAY_V6, CLIENT_V6, sequence=99)):
        tunnel.send(bytes([byte]))
    tunnel.wait_packet('the echo reply', lambda seen: seen.get('type') == 129 and seen['sequence'] == 99)
    tunnel.send(b'', end=True)


for what, settings, options in [
    ('H3_DATAGRAM', NO_DATAGRAMS, {}),
    ('QUIC datagrams', NO_DATAGRAMS, {'max_datagram_frame_size': None}),
]:

    @proxy_case(
        f'CIP-23 speaks in DATAGRAM capsules with a proxy without {what}',
        source='RFC 9297 §2.1.1, §3.5',
        sends='SETTINGS without it; echo replies in DATAGRAM capsules',
        expects='echo requests in DATAGRAM capsules, no QUIC datagram',
        ours=STAYS,
    )
    def without_datagrams(listener: Listener, settings=settings, options=options):
        tunnel = listener.tunnel(settings=settings, **options)
        for _ in range(2):
            request = tunnel.wait_raw_packet(packets.is_echo_request)
            tunnel.send_packet_capsule(packets.answer(request))
        listener.wait_until_left()
        expect('QUIC datagrams', tunnel.connection.datagrams, [])


@proxy_case(
    'CIP-22 drops datagrams of contexts that it does not know',
    source='RFC 9484 §5',
    sends='echo requests in contexts 1, 2 and 2^62 − 1, as datagrams and as capsules',
    expects='no answer to them; the tunnel works',
    ours=STAYS,
)
def unknown_contexts(listener: Listener):
    tunnel = listener.tunnel()
    for context in (1, 2, 2**62 - 1):
        packet = packets.echo(GATEWAY_V4, CLIENT_V4, sequence=50)
        tunnel.send_packet(packet, wire.varint(context))
        tunnel.send_packet_capsule(packet, wire.varint(context))
    listener.wait_until_left()
    expect('answers', [packets.describe(each) for each in tunnel.packets if packets.is_echo_reply(each)], [])


@proxy_case(
    'CIP-24 drops datagrams of a stream that it has not opened',
    source='RFC 9297 §2.1',
    sends='a datagram for the next request stream',
    expects='the tunnel works',
    ours=STAYS,
)
def other_streams(listener: Listener):
    tunnel = listener.tunnel()
    tunnel.connection.send_datagram(wire.varint(tunnel.stream_id // 4 + 1) + b'\x00' + packets.echo(GATEWAY_V4, CLIENT_V4))


for what, data, code in [
    ('an empty datagram', b'', wire.H3_DATAGRAM_ERROR),
    ('a datagram that ends inside the quarter stream id', b'\x40', wire.H3_DATAGRAM_ERROR),
    ('a quarter stream id of 2^60', wire.varint(2**60) + b'\x00', wire.H3_DATAGRAM_ERROR),
]:

    @proxy_case(
        f'CIP-24 closes the connection for {what}',
        source='RFC 9297 §2.1',
        sends=what,
        expects=f'CONNECTION_CLOSE with {code:#x}',
        ours={'steps': [['connect'], ['ping', GATEWAY_V4], ['is lost', 'H3_DATAGRAM_ERROR']]},
    )
    def bad_datagram(listener: Listener, data=data, code=code):
        tunnel = listener.tunnel()
        tunnel.pump_pings()
        tunnel.connection.send_datagram(data)
        tunnel.connection.expect_close(code)


@proxy_case(
    'CIP-34 goes on after packets that are none',
    source='RFC 9484 §7.2.1',
    sends='an empty packet, rubbish, IP version 9, headers that promise more than there is',
    expects='the tunnel works',
    ours=STAYS,
)
def rubbish(listener: Listener):
    tunnel = listener.tunnel()
    good, six = packets.echo(GATEWAY_V4, CLIENT_V4), packets.echo(GATEWAY_V6, CLIENT_V6)
    for packet in (b'', b'\x00', b'\x99' * 40, b'\x45', good[:19], good[:30], six[:39], six[:50], b'\x4f' + good[1:]):
        tunnel.connection.send_datagram(wire.varint(tunnel.stream_id // 4) + b'\x00' + packet)


@proxy_case(
    'CIP-33 tests by a ping of 1280 bytes to all nodes whether IPv6 passes, and goes on when it is answered',
    source='RFC 9484 §7.2',
    sends='the echo reply',
    expects='an echo request to ff02::1 with 1232 bytes',
    ours={'config': {'linkProbe': 'require'}, 'steps': [['connect'], ['ping', GATEWAY_V6], ['is lost', '^tunnel']]},
)
def link_probe(listener: Listener):
    tunnel = listener.tunnel()
    probe = tunnel.wait_packet('the probe', lambda seen: seen.get('type') == 128 and seen['to'] == 'ff02::1')
    expect('the size of its data', len(probe['data']), 1232)
    tunnel.send_packet(packets.answer_multicast(probe, GATEWAY_V6))
    tunnel.pump_pings()
    tunnel.expect_open()
    tunnel.send(b'', end=True)


@proxy_case(
    'CIP-37 sends no datagram after its FIN',
    source='RFC 9297 §2.1: MUST NOT be sent unless the send side is open',
    sends='echo requests while the client leaves',
    expects='echo replies before FIN, and nothing after it',
    ours={'steps': [['connect'], ['ping', GATEWAY_V4], ['close']]},
)
def nothing_after_fin(listener: Listener):
    tunnel = listener.tunnel()
    connection = tunnel.connection
    late = []
    deliver = connection.on_datagram

    def watch(stream_id: int, payload: bytes) -> None:
        if stream_id in connection.ended:
            late.append(payload)
        deliver(stream_id, payload)

    connection.on_datagram = watch
    for sequence in range(2000):
        if connection.closed or tunnel.stream_id in connection.ended:
            break
        tunnel.send_packet(packets.echo(GATEWAY_V4, CLIENT_V4, 1000, sequence % 60000))
        if sequence % 10 == 9:
            connection.pump(lambda: False, 0.002)
    listener.wait_until_left()
    expect('datagrams after FIN', len(late), 0)
