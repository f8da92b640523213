"""Capsules that the client gets: addresses, routes, unknown, malformed (RFC 9484 §4.7, RFC 9297 §3)."""

import malformed
import wire
from cases import expect, proxy_case
from listener import ASSIGNED, CLIENT_V4, CLIENT_V6, GATEWAY_V4, GATEWAY_V6, ROUTES, Listener

LOST = {'steps': [['connect'], ['ping', GATEWAY_V4], ['is lost', '^protocol .*[a-z]{3}']]}
ASKS_NOTHING = {'requestAddresses': []}


@proxy_case(
    'CIP-19 takes addresses that are assigned unprompted',
    source='RFC 9484 §4.7.1',
    sends='ADDRESS_ASSIGN with id 0',
    expects='a tunnel with these addresses; no ADDRESS_REQUEST',
    ours={
        'config': ASKS_NOTHING,
        'steps': [
            ['connect'],
            ['has addresses', f'{CLIENT_V4}/32', f'{CLIENT_V6}/128'],
            ['ping', GATEWAY_V4],
            ['ping', GATEWAY_V6],
        ],
    },
)
def unprompted(listener: Listener):
    tunnel = listener.request()
    listener.answer(tunnel, '200')
    tunnel.send(ASSIGNED, ROUTES)
    listener.wait_until_left()
    expect('ADDRESS_REQUESTs', tunnel.capsules(wire.ADDRESS_REQUEST), [])


@proxy_case(
    'CIP-13 asks for an address of each version, with ids that are not 0, and waits for the answer',
    source='RFC 9484 §4.7.2',
    sends='the answer 300 ms late',
    expects='ADDRESS_REQUEST for 0.0.0.0/32 and ::/128; a tunnel with both',
)
def asks(listener: Listener):
    tunnel = listener.request()
    listener.answer(tunnel, '200')
    tunnel.send(ROUTES)
    wishes = wire.read_addresses(tunnel.wait_capsule(wire.ADDRESS_REQUEST))
    expect('prefixes', {prefix for _, prefix in wishes}, {'0.0.0.0/32', '::/128'})
    expect('no id is 0, none comes twice', len({id_ for id_, _ in wishes} - {0}), 2)
    tunnel.connection.pump(lambda: False, 0.3)
    listener.give_addresses(tunnel)


@proxy_case(
    'CIP-13 is content with IPv4 when IPv6 is refused',
    source='RFC 9484 §4.7.1',
    sends='::/128 as the answer to the request for IPv6',
    expects='a tunnel with the IPv4 address',
    ours={'steps': [['connect'], ['has addresses', f'{CLIENT_V4}/32'], ['ping', GATEWAY_V4]]},
)
def one_refused(listener: Listener):
    tunnel = listener.request()
    listener.answer(tunnel, '200')
    wishes = wire.read_addresses(tunnel.wait_capsule(wire.ADDRESS_REQUEST))
    tunnel.send(wire.address_assign(*[(id_, '::/128' if ':' in each else f'{CLIENT_V4}/32') for id_, each in wishes]))
    tunnel.send(ROUTES)


@proxy_case(
    'CIP-13 gives up when every address is refused',
    source='RFC 9484 §4.7.1',
    sends='the all-zero addresses as answers',
    expects='an error that says so',
    ours={'steps': [['connect fails', 'address']]},
)
def all_refused(listener: Listener):
    tunnel = listener.request()
    listener.answer(tunnel, '200')
    wishes = wire.read_addresses(tunnel.wait_capsule(wire.ADDRESS_REQUEST))
    tunnel.send(wire.address_assign(*wishes), ROUTES)


@proxy_case(
    'CIP-13 refuses each address that the proxy asks for, by its id',
    source='RFC 9484 §4.7.2',
    sends='ADDRESS_REQUEST with ids 5 and 2^62 − 1',
    expects='ADDRESS_ASSIGN with the ids and all-zero addresses; the tunnel works',
)
def asked(listener: Listener):
    tunnel = listener.tunnel()
    tunnel.send(wire.address_request((5, '0.0.0.0/32'), (2**62 - 1, '::/128')))
    expect('the answers', wire.read_addresses(tunnel.wait_capsule(wire.ADDRESS_ASSIGN)), [(5, '0.0.0.0/32'), (2**62 - 1, '::/128')])


@proxy_case(
    'CIP-12 replaces its addresses with each ADDRESS_ASSIGN',
    source='RFC 9484 §4.7.1',
    sends='another list of addresses',
    expects='pings come from the new addresses',
    ours={
        'steps': [['connect'], ['has addresses', '10.77.0.9/32', 'fd77::9/128'], ['ping', GATEWAY_V4], ['ping', GATEWAY_V6]]
    },
)
def replaced(listener: Listener):
    tunnel = listener.tunnel()
    tunnel.send(wire.address_assign((0, '10.77.0.9/32'), (0, 'fd77::9/128')))


@proxy_case(
    'CIP-14 replaces its routes with each ROUTE_ADVERTISEMENT, protocols included',
    source='RFC 9484 §4.7.3',
    sends='three ranges, then none, then two',
    expects='three, none and two routes',
    ours={'steps': [['connect'], ['has routes', 3], ['has routes', 0], ['has routes', 2], ['ping', GATEWAY_V4]]},
)
def routes(listener: Listener):
    tunnel = listener.tunnel()
    pause = lambda: tunnel.connection.pump(lambda: False, 0.3)  # noqa: E731
    tunnel.send(
        wire.route_advertisement(('10.77.0.0', '10.77.0.255', 1), ('192.0.2.0', '192.0.2.9', 17), ('fd77::', 'fd77::ffff', 0))
    )
    pause()
    tunnel.send(wire.route_advertisement())
    pause()
    tunnel.send(ROUTES)


@proxy_case(
    'CIP-14 CIP-19 works with routes that come before the addresses, and both before anything else',
    source='RFC 9484 §4.7',
    sends='ROUTE_ADVERTISEMENT, then ADDRESS_ASSIGN, in the packet of the answer',
    expects='a tunnel that works',
    ours={'config': ASKS_NOTHING},
)
def all_at_once(listener: Listener):
    tunnel = listener.request()
    data = wire.headers([(':status', '200'), ('capsule-protocol', '?1')]) + wire.frame(wire.DATA, ROUTES + ASSIGNED)
    tunnel.connection.send_stream(tunnel.stream_id, data)


@proxy_case(
    'CIP-16 skips unknown capsules, large ones too, and reads those that come byte by byte',
    source='RFC 9297 §3.1, §3.2, §5.4',
    sends='reserved and unknown capsules, one of 200 000 bytes, before, between and behind the others, which come byte by byte',
    expects='a tunnel that works',
    ours={'config': ASKS_NOTHING},
)
def unknown(listener: Listener):
    tunnel = listener.request()
    listener.answer(tunnel, '200')
    tunnel.send(wire.capsule(wire.reserved_capsule(1), b'abc'), wire.capsule(2**62 - 1))
    for byte in ASSIGNED:
        tunnel.send(bytes([byte]))
    large = wire.capsule(0x7F01, bytes(200_000))
    for at in range(0, len(large), 50_000):
        tunnel.send(large[at : at + 50_000])
        tunnel.connection.pump(lambda: False, 0.01)
    tunnel.send(wire.varint(3, 8) + wire.varint(len(ROUTES) - 2, 4) + ROUTES[2:])


for type_, name, values in [
    (wire.ADDRESS_ASSIGN, 'ADDRESS_ASSIGN', malformed.ADDRESSES),
    (wire.ADDRESS_REQUEST, 'ADDRESS_REQUEST', malformed.ADDRESSES),
    (wire.ROUTE_ADVERTISEMENT, 'ROUTE_ADVERTISEMENT', malformed.ROUTES),
]:
    for what, value in values:

        @proxy_case(
            f'CIP-14 CIP-15 aborts the stream for {name} with {what}'
            if type_ == wire.ROUTE_ADVERTISEMENT
            else f'CIP-15 aborts the stream for {name} with {what}',
            source='RFC 9484 §4.7, RFC 9297 §3.3',
            sends=what,
            expects='H3_MESSAGE_ERROR on the request stream, and an error that says why',
            ours=LOST,
        )
        def bad_capsule(listener: Listener, type_=type_, value=value):
            tunnel = listener.tunnel()
            tunnel.pump_pings()
            tunnel.send(wire.capsule(type_, value))
            abort_with(tunnel, wire.H3_MESSAGE_ERROR)


def abort_with(tunnel, *codes: int) -> None:
    """The client resets the stream; it may leave at once then."""
    connection = tunnel.connection
    connection.pump(lambda: tunnel.stream_id in connection.resets or connection.closed, 5)
    expect('the code is right', connection.resets.get(tunnel.stream_id) in codes, True)


for what, capsule in [
    ('ADDRESS_REQUEST without entries', wire.address_request()),
    ('ADDRESS_REQUEST with the id 0', wire.address_request((0, '::/128'))),
]:

    @proxy_case(
        f'CIP-13 aborts the stream for {what}',
        source='RFC 9484 §4.7.2',
        sends=what,
        expects='H3_MESSAGE_ERROR on the request stream, and an error that says why',
        ours=LOST,
    )
    def bad_request(listener: Listener, capsule=capsule):
        tunnel = listener.tunnel()
        tunnel.pump_pings()
        tunnel.send(capsule)
        abort_with(tunnel, wire.H3_MESSAGE_ERROR)


@proxy_case(
    'CIP-17 aborts the stream that ends inside a capsule',
    source='RFC 9297 §3.3',
    sends='half of ROUTE_ADVERTISEMENT, and FIN',
    expects='H3_MESSAGE_ERROR on the request stream, and an error that says why',
    ours=LOST,
)
def truncated(listener: Listener):
    tunnel = listener.tunnel()
    tunnel.pump_pings()
    tunnel.send(ROUTES[:-3], end=True)
    abort_with(tunnel, wire.H3_MESSAGE_ERROR)


@proxy_case(
    'CIP-18 aborts the stream for ADDRESS_ASSIGN that says it has a gigabyte',
    source='RFC 9297 §3.2: an implementation may limit what it buffers',
    sends='type and length only',
    expects='H3_EXCESSIVE_LOAD or H3_MESSAGE_ERROR on the request stream',
    ours={'steps': [['connect'], ['ping', GATEWAY_V4], ['is lost', '[a-z]']]},
)
def over_long(listener: Listener):
    tunnel = listener.tunnel()
    tunnel.pump_pings()
    tunnel.send(wire.varint(wire.ADDRESS_ASSIGN) + wire.varint(2**30 - 1))
    tunnel.send(bytes(2000))
    abort_with(tunnel, wire.H3_EXCESSIVE_LOAD, wire.H3_MESSAGE_ERROR)
