"""QUIC under the tunnel: handshake, versions, keys, paths, connection ids, flow control (RFC 9000, RFC 9001)."""

import os

import wire
from aioquic.quic.packet import QuicProtocolVersion
from aioquic.tls import CipherSuite
from cases import client_case, expect

GATEWAY_V4, GATEWAY_V6 = '10.89.0.1', 'fd00:89::1'

# CRYPTO_ERROR with the TLS alert no_application_protocol (RFC 9001 §4.8, §8.1).
NO_APPLICATION_PROTOCOL = 0x178


for what, protocols in [('other protocols only', ['h2', 'hq-interop']), ('no protocol', None)]:

    @client_case(
        f'Q-02 refuses a client that offers {what}',
        source='RFC 9001 §8.1',
        sends=f'ALPN {protocols}',
        expects='CONNECTION_CLOSE with 0x178, no_application_protocol',
    )
    def alpn(target, protocols=protocols):
        connection = target.dial(alpn_protocols=protocols)
        connection.expect_close(NO_APPLICATION_PROTOCOL)


@client_case(
    'Q-02 takes h3 among other protocols',
    source='RFC 9001 §8.1',
    sends='ALPN foo, h3, bar',
    expects='h3',
)
def alpn_among_others(target):
    expect('ALPN', target.connect(alpn_protocols=['foo', 'h3', 'bar']).alpn, 'h3')


@client_case(
    'Q-03 goes on after five changes of the client’s port',
    source='RFC 9000 §9, §9.3',
    sends='pings, each from another UDP port than the one before',
    expects='replies to all of them',
)
def rebinding(target):
    tunnel = target.tunnel()
    tunnel.ping(GATEWAY_V4)
    for _ in range(5):
        tunnel.connection.rebind()
        tunnel.ping(GATEWAY_V4)
        tunnel.connection.ping()


@client_case(
    'Q-03 goes on when port and connection id change together, three times',
    source='RFC 9000 §5.1.1, §9.5',
    sends='pings from other UDP ports with other connection ids',
    expects='replies to all of them',
)
def migration(target):
    tunnel = target.tunnel()
    for _ in range(3):
        tunnel.ping(GATEWAY_V6)
        tunnel.connection.ping()
        tunnel.connection.change_id()
        tunnel.connection.rebind()
        tunnel.ping(GATEWAY_V4)


@client_case(
    'Q-03 goes on when the client retires a connection id',
    source='RFC 9000 §5.1.2',
    sends='RETIRE_CONNECTION_ID three times, with a ping behind each',
    expects='replies to all of them',
)
def retire(target):
    tunnel = target.tunnel()
    for _ in range(3):
        tunnel.connection.change_id()
        tunnel.ping(GATEWAY_V4)
        tunnel.connection.ping()


@client_case(
    'Q-03 gives a client more than one connection id',
    source='RFC 9000 §5.1.1',
    sends='active_connection_id_limit 8',
    expects='at least one spare connection id',
)
def spare_ids(target):
    connection = target.connect()
    connection.wait_for('NEW_CONNECTION_ID', lambda: connection.quic._peer_cid_available)


@client_case(
    'goes on after key updates from the client',
    source='RFC 9001 §6',
    sends='four key updates, with a ping behind each',
    expects='replies to all of them',
)
def key_update(target):
    tunnel = target.tunnel()
    for _ in range(4):
        tunnel.connection.quic.request_key_update()
        tunnel.ping(GATEWAY_V4)
        tunnel.connection.ping()


@client_case(
    'accepts a client that it makes prove its address first',
    source='RFC 9000 §8.1.2',
    sends='the token of the Retry packet',
    expects='the handshake ends, the tunnel works',
    ours={'proxy': 'retry'},
)
def retry(target):
    target.tunnel().ping(GATEWAY_V4)


def begins_with(target, version):
    """A tunnel of a client that begins with this version, and has version 1 as second choice; and the version that came of it."""
    tunnel = target.tunnel(
        target.connect(original_version=version, supported_versions=[version, QuicProtocolVersion.VERSION_1])
    )
    tunnel.ping(GATEWAY_V4)
    return tunnel.connection.quic._version


@client_case(
    'negotiates version 1 with a client that begins with a reserved version',
    source='RFC 9000 §6, §15',
    sends='an Initial of a reserved version, version 1 as second choice',
    expects='Version Negotiation, then the tunnel over version 1',
)
def reserved_version(target):
    expect('version', begins_with(target, 0x1A2A3A4A), QuicProtocolVersion.VERSION_1)


@client_case(
    'speaks with a client that begins with version 2',
    source='RFC 9369 §4; RFC 9000 §6',
    sends='an Initial of version 2, version 1 as second choice',
    expects='the tunnel over version 2; with quiche, which has no such version, over version 1 after Version Negotiation',
)
def version_2(target):
    is_quiche = os.environ.get('MASQUE_QUIC') == 'quiche'
    expected = QuicProtocolVersion.VERSION_1 if is_quiche else QuicProtocolVersion.VERSION_2
    expect('version', begins_with(target, QuicProtocolVersion.VERSION_2), expected)


for suite in CipherSuite.AES_128_GCM_SHA256, CipherSuite.AES_256_GCM_SHA384, CipherSuite.CHACHA20_POLY1305_SHA256:

    @client_case(
        f'speaks {suite.name}',
        source='RFC 9001 §5.3',
        sends='that cipher suite only',
        expects='the tunnel works',
    )
    def cipher_suite(target, suite=suite):
        target.tunnel(target.connect(cipher_suites=[suite])).ping(GATEWAY_V4)


@client_case(
    'takes a ClientHello of two packets',
    source='RFC 9000 §7',
    sends='a ClientHello that is larger than a packet',
    expects='the tunnel works',
)
def large_hello(target):
    target.tunnel(target.connect(quantum_readiness_test=True)).ping(GATEWAY_V4)


@client_case(
    'resumes a TLS session',
    source='RFC 8446 §2.2',
    sends='the ticket of an earlier connection',
    expects='a resumed session, in which a tunnel works',
)
def resumption(target):
    tickets = []
    first = target.connect(session_handler=tickets.append)
    first.wait_for('a session ticket', lambda: tickets)
    first.close()
    second = target.connect(session_ticket=tickets[0])
    expect('resumed', second.resumed, True)
    target.tunnel(second).ping(GATEWAY_V4)


for length in (4, 20):

    @client_case(
        f'speaks with a client whose connection ids have {length} bytes',
        source='RFC 9000 §17.2',
        sends=f'a source connection id of {length} bytes',
        expects='the tunnel works',
    )
    def id_length(target, length=length):
        target.tunnel(target.connect(connection_id_length=length)).ping(GATEWAY_V4)


@client_case(
    'waits for the credit of a client with small windows',
    source='RFC 9000 §4',
    sends='windows of 700 bytes a connection and 100 bytes a stream; fields, capsules and a page larger than that',
    expects='everything arrives',
)
def small_windows(target):
    connection = target.connect(max_data=700, max_stream_data=100)
    for _ in range(4):
        expect(':status', target.get(connection)[0][':status'], '200')
    tunnel = target.tunnel(connection)
    for request_id in range(1, 9):
        tunnel.send(wire.address_request((request_id, '0.0.0.0/32')))
    tunnel.connection.wait_for('all answers', lambda: len(tunnel.capsules(wire.ADDRESS_ASSIGN)) >= 9)
    tunnel.ping(GATEWAY_V4)


@client_case(
    'lets a client have a hundred requests under way',
    source='RFC 9114 §6.1: SHOULD be no fewer than 100',
    sends='a hundred GETs whose end is still to come, then their ends',
    expects='a hundred times 200',
)
def hundred_streams(target):
    connection = target.connect()
    fields = [(':method', 'GET'), (':scheme', 'https'), (':authority', target.authority), (':path', '/')]
    request = wire.headers(fields)
    streams = [target.raw_request(connection, request[:10]) for _ in range(100)]
    connection.ping()
    for stream_id in streams:
        connection.send_stream(stream_id, request[10:], end=True)
    for stream_id in streams:
        expect(':status', connection.response(stream_id)[':status'], '200')


@client_case(
    'gives a client at least three unidirectional streams',
    source='RFC 9114 §6.2',
    sends='nothing but the handshake',
    expects='initial_max_streams_uni of at least 3, initial_max_streams_bidi of at least 100',
)
def stream_limits(target):
    quic = target.connect().quic
    expect('at least 3 unidirectional streams', quic._remote_max_streams_uni >= 3, True)
    expect('at least 100 request streams', quic._remote_max_streams_bidi >= 100, True)


@client_case(
    'closes with an error of the client’s, and serves the next connection',
    source='RFC 9000 §10.2',
    sends='CONNECTION_CLOSE with H3_INTERNAL_ERROR in the middle of a tunnel',
    expects='a new connection gets a tunnel at once',
)
def closes_with_error(target):
    tunnel = target.tunnel()
    tunnel.ping(GATEWAY_V4)
    tunnel.connection.leave(0x102)
    target.tunnel().ping(GATEWAY_V4)
