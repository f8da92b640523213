"""IP forwarding at the proxy: sources, routes, scopes, TTL, ICMP (RFC 9484 §4.8, §7)."""

import packets
import wire
from cases import Mismatch, client_case, expect

GATEWAY_V4, GATEWAY_V6 = '10.89.0.1', 'fd00:89::1'
HOST_V4, HOST_V6 = '10.90.0.1', 'fd00:90::1'
ALL_NODES = 'ff02::1'
ECHO_PORT = 7


def scoped(target, variables, connection=None):
    return target.tunnel(connection, path=f'/.well-known/masque/ip/{variables}/')


for what, source, destination, type_, codes in [
    ('IPv4', '10.89.0.200', GATEWAY_V4, 3, (13, 5)),
    ('IPv6', 'fd00:89::200', GATEWAY_V6, 1, (5,)),
]:

    @client_case(
        f'CIP-26 refuses an {what} packet from a source that it has not assigned, and says so',
        source='RFC 9484 §7.2, RFC 4443 §3.1',
        sends=f'an echo request from {source}',
        expects='destination unreachable: source policy (IPv6 code 5), or communication prohibited (IPv4 code 13)',
    )
    def wrong_source(target, source=source, destination=destination, type_=type_, codes=codes):
        tunnel = target.tunnel()
        tunnel.send_packet(packets.echo(source, destination))
        error = tunnel.wait_packet(f'ICMP type {type_}', lambda seen: seen.get('type') == type_)
        expect(f'code {error["code"]} is one of {codes}', error['code'] in codes, True)
        tunnel.ping(destination)


for destination, type_ in [('203.0.113.9', 3), ('2001:db8::9', 1)]:

    @client_case(
        f'CIP-26 refuses a packet to {destination}, which it does not route, and says so',
        source='RFC 9484 §7.2',
        sends='an echo request',
        expects='destination unreachable',
    )
    def no_route(target, destination=destination, type_=type_):
        tunnel = target.tunnel()
        tunnel.send_packet(packets.echo(tunnel.address(destination), destination))
        tunnel.wait_packet(f'ICMP type {type_}', lambda seen: seen.get('type') == type_)
        tunnel.ping(GATEWAY_V4)


for family, index, type_ in [('IPv4', 0, 11), ('IPv6', 1, 3)]:

    @client_case(
        f'CIP-29 answers an {family} packet to another client whose TTL runs out with time exceeded',
        source='RFC 9484 §7.2, RFC 792, RFC 4443 §3.3',
        sends='an echo request with a TTL of 1, which is 0 when it enters the other tunnel',
        expects=f'ICMP type {type_} code 0',
    )
    def ttl_exceeded(target, index=index, type_=type_):
        tunnel, other = target.tunnel(), target.tunnel()
        destination = other.addresses[index]
        tunnel.send_packet(packets.echo(tunnel.address(destination), destination, ttl=1))
        tunnel.wait_icmp(type_, 0)


@client_case(
    'CIP-29 answers an echo request to itself with a TTL of 1: it forwards nothing',
    source='RFC 9484 §7.2',
    sends='an echo request to the proxy with a TTL of 1',
    expects='the echo reply',
)
def ttl_one_to_proxy(target):
    tunnel = target.tunnel()
    for address in (GATEWAY_V4, GATEWAY_V6):
        tunnel.ping(address, ttl=1)


@client_case(
    'CIP-30 drops an IPv4 packet with a wrong header checksum',
    source='RFC 1812 §5.2.2',
    sends='an echo request with a flipped bit in its header',
    expects='no answer, and the tunnel goes on',
)
def bad_checksum(target):
    tunnel = target.tunnel()
    packet = bytearray(packets.echo(tunnel.address(GATEWAY_V4), GATEWAY_V4))
    packet[10] ^= 1
    tunnel.expect_no_answer(bytes(packet))
    tunnel.ping(GATEWAY_V4)


@client_case(
    'CIP-31 answers a ping to all nodes on the link, of 1280 bytes',
    source='RFC 9484 §7.2, RFC 4291 §2.7.1',
    sends=f'an echo request to {ALL_NODES} with 1232 bytes',
    expects='an echo reply of 1280 bytes',
    ours={'proxy': 'link probe'},
)
def all_nodes(target):
    tunnel = target.tunnel()
    # The proxy's own ping of 1280 bytes: from then on it knows that as much passes. Before, its reply might find no room.
    tunnel.pump_pings()
    tunnel.send_packet(packets.echo(tunnel.address(GATEWAY_V6), ALL_NODES, 1232, sequence=5, ttl=1))
    reply = tunnel.wait_packet('an echo reply', lambda seen: seen.get('type') == 129 and seen['sequence'] == 5)
    expect('the size of its data', len(reply['data']), 1232)


@client_case(
    'CIP-33 tests by a ping of 1280 bytes whether IPv6 passes',
    source='RFC 9484 §7.2',
    sends='the echo reply to it',
    expects='an echo request with 1232 bytes to the client’s address or to all nodes; the tunnel goes on',
    ours={'proxy': 'link probe'},
)
def link_probe(target):
    tunnel = target.tunnel()
    tunnel.answers_pings = False
    ours = (ALL_NODES, tunnel.address(GATEWAY_V6))
    probe = tunnel.wait_packet('the probe', lambda seen: seen.get('type') == 128 and seen['to'] in ours)
    expect('the size of its data', len(probe['data']), 1232)
    tunnel.send_packet(packets.answer_multicast(probe, tunnel.address(GATEWAY_V6)))
    tunnel.expect_open()


@client_case(
    'CIP-34 goes on after packets that are none',
    source='RFC 9484 §7.2.1',
    sends='an empty packet, rubbish, IP version 9, headers that promise more than there is',
    expects='the tunnel goes on',
)
def rubbish(target):
    tunnel = target.tunnel()
    good = packets.echo(tunnel.address(GATEWAY_V4), GATEWAY_V4)
    six = packets.echo(tunnel.address(GATEWAY_V6), GATEWAY_V6)
    for packet in (b'', b'\x00', b'\x99' * 40, b'\x45', good[:19], good[:30], six[:39], six[:50], b'\x4f' + good[1:]):
        tunnel.connection.send_datagram(wire.varint(tunnel.stream_id // 4) + b'\x00' + packet)
    tunnel.ping(GATEWAY_V4)
    tunnel.ping(GATEWAY_V6)
    tunnel.expect_open()


@client_case(
    'CIP-35 sends no ICMP error about an ICMP error',
    source='RFC 1122 §3.2.2, RFC 4443 §2.4',
    sends='destination unreachable to an address that nobody has',
    expects='no answer',
)
def no_error_about_errors(target):
    tunnel = target.tunnel()
    for destination, protocol, type_ in (('203.0.113.9', packets.ICMP, 3), ('2001:db8::9', packets.ICMPV6, 1)):
        source = tunnel.address(destination)
        inner = packets.echo(destination, source)[:48]
        message = bytes([type_, 0, 0, 0, 0, 0, 0, 0]) + inner
        pseudo = packets.pseudo_header(source, destination, protocol, len(message)) if type_ == 1 else b''
        sum_ = packets.checksum(pseudo + message).to_bytes(2, 'big')
        tunnel.expect_no_answer(packets.ip(source, destination, protocol, message[:2] + sum_ + message[4:]))


@client_case(
    'CIP-35 limits the ICMP errors that it sends',
    source='RFC 4443 §2.4 (f), RFC 1812 §4.3.2.8',
    sends='500 echo requests to an address that it does not route',
    expects='some errors, and by far not 500',
)
def error_rate(target):
    tunnel = target.tunnel()
    for i in range(500):
        tunnel.send_packet(packets.echo(tunnel.address(HOST_V4), '203.0.113.9', sequence=i))
    tunnel.ping(GATEWAY_V4)
    errors = [packet for packet in tunnel.packets if packets.read(packet).get('type') == 3]
    expect(f'{len(errors)} errors are between 1 and 300', 1 <= len(errors) <= 300, True)


# -- scopes ---------------------------------------------------------------------------------------------------------------


@client_case(
    'CIP-27 advertises and forwards inside the scope of a target, and nothing else',
    source='RFC 9484 §4.6, §4.7.3',
    sends='the target 10.90.0.0/24, echo requests inside and outside of it',
    expects='a route inside 10.90.0.0/24; a reply inside, destination unreachable outside',
)
def target_scope(target):
    tunnel = scoped(target, '10.90.0.0%2F24/*')
    for start, end, _ in tunnel.wait_routes():
        expect(f'{start} to {end} is inside', start.startswith('10.90.0.') and end.startswith('10.90.0.'), True)
    tunnel.ping(HOST_V4)
    tunnel.send_packet(packets.echo(tunnel.address('203.0.113.9'), '203.0.113.9'))
    tunnel.wait_packet('destination unreachable', lambda seen: seen.get('type') == 3)


@client_case(
    'CIP-27 forwards the protocol of the scope and ICMP, and no other protocol',
    source='RFC 9484 §4.6',
    sends='the scope of UDP; then UDP, an echo request, and TCP to a host behind the proxy',
    expects='UDP is echoed, the echo request answered, TCP refused with an ICMP error or dropped',
)
def protocol_scope(target):
    tunnel = scoped(target, '*/17')
    for start, end, protocol in tunnel.wait_routes():
        expect(f'the protocol of {start} to {end}', protocol, 17)
    source = tunnel.address(HOST_V4)
    tunnel.send_packet(packets.udp(source, HOST_V4, ECHO_PORT, b'hello'))
    echoed = tunnel.wait_packet('the UDP echo', lambda seen: seen['protocol'] == packets.UDP)
    expect('its data', echoed['payload'][8:], b'hello')
    tunnel.ping(HOST_V4)
    tunnel.send_packet(packets.ip(source, HOST_V4, 6, bytes(20)))
    tunnel.ping(HOST_V4)
    expect('TCP answers', [each for each in tunnel.packets if packets.read(each)['protocol'] == 6], [])


for name, variables, family, other in [
    ('IPv4', '10.90.0.0%2F24/*', '0.0.0.0/32', '::/128'),
    ('IPv6', 'fd00%3A90%3A%3A%2F64/*', '::/128', '0.0.0.0/32'),
]:

    @client_case(
        f'CIP-38 gives a tunnel whose scope is {name} addresses of that version only',
        source='RFC 9484 §4.6',
        sends='ADDRESS_REQUEST for both versions',
        expects=f'an address for {name}, the all-zero address for the other',
    )
    def version_scope(target, variables=variables, family=family, other=other):
        tunnel = scoped(target, variables)
        unprompted = [prefix for _, prefix in tunnel.wait_assigned()]
        expect('versions assigned unprompted', {(':' in prefix) for prefix in unprompted}, {':' in family})
        tunnel.send(wire.address_request((1, '0.0.0.0/32'), (2, '::/128')))
        wanted, unwanted = (1, 2) if ':' not in family else (2, 1)

        def given():
            capsules = tunnel.capsules(wire.ADDRESS_ASSIGN)
            return {id_: prefix for each in capsules for id_, prefix in wire.read_addresses(each) if id_}

        tunnel.connection.wait_for('both answers', lambda: set(given()) == {1, 2})
        expect('the other version', given()[unwanted], other)
        expect('this version is given', given()[wanted] == family, False)


@client_case(
    'CIP-28 walks IPv6 extension headers to the protocol that counts',
    source='RFC 9484 §4.7.3, RFC 8200 §4',
    sends='an echo request behind a Destination Options header',
    expects='the echo reply',
)
def extension_headers(target):
    tunnel = target.tunnel()
    plain = packets.echo(tunnel.address(HOST_V6), HOST_V6, sequence=6)
    options = bytes([packets.ICMPV6, 0, 1, 4, 0, 0, 0, 0])  # PadN
    packet = plain[:4] + (len(plain) - 40 + 8).to_bytes(2, 'big') + bytes([60]) + plain[7:40] + options + plain[40:]
    tunnel.send_packet(packet)
    tunnel.wait_packet('the echo reply', lambda seen: seen.get('type') == 129 and seen['sequence'] == 6)


@client_case(
    'CIP-26 CIP-34 keeps a tunnel whose packets it refuses',
    source='RFC 9484 §7.2.1',
    sends='packets from wrong sources, to wrong destinations, with a TTL of 0 and 1',
    expects='the tunnel goes on',
)
def refused_and_open(target):
    tunnel = target.tunnel()
    for source, destination in (('203.0.113.1', HOST_V4), (tunnel.address(HOST_V4), '203.0.113.1'), ('::1', HOST_V6)):
        for ttl in (0, 1, 64):
            tunnel.send_packet(packets.echo(source, destination, ttl=ttl))
    tunnel.ping(HOST_V4)
    tunnel.expect_open()
    if tunnel.capsules(0x0):
        raise Mismatch('packets in datagrams', 'DATAGRAM capsules')
