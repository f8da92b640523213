"""Control streams, SETTINGS, and what must be ignored (RFC 9114 §6.2, §7.2, §9)."""

import wire
from cases import client_case, expect
from connection import DEFAULT_SETTINGS
from tunnel import Tunnel


def control(data: bytes) -> bytes:
    """A control stream from its first byte."""
    return wire.varint(wire.CONTROL_STREAM) + data


@client_case(
    'CIP-07 H3-01 announces Extended CONNECT, datagrams and no dynamic table in its first frame',
    source='RFC 9114 §6.2.1, RFC 9220 §3, RFC 9297 §2.1.1, RFC 9204 §3.2.3',
    sends='nothing but the handshake',
    expects='SETTINGS with ENABLE_CONNECT_PROTOCOL = 1 and H3_DATAGRAM = 1, and a QPACK capacity of 0',
)
def announces(target):
    settings = target.connect().peer_settings()
    expect('ENABLE_CONNECT_PROTOCOL', settings.get(wire.ENABLE_CONNECT_PROTOCOL), 1)
    expect('H3_DATAGRAM', settings.get(wire.H3_DATAGRAM), 1)
    expect('QPACK_MAX_TABLE_CAPACITY', settings.get(wire.QPACK_MAX_TABLE_CAPACITY, 0), 0)


@client_case(
    'CIP-07 waits with its answer for SETTINGS that come after the request',
    source='RFC 9297 §2.1.1, RFC 9484 §4.5',
    sends='the request at once, SETTINGS 200 ms later',
    expects='200 and a tunnel with datagrams',
)
def late_settings(target):
    connection = target.handshake()
    stream_id = target.raw_request(connection, wire.headers(target.request_fields()))
    connection.pump(lambda: False, 0.2)
    connection.start_http3()
    tunnel = Tunnel(connection, stream_id)
    expect(':status', connection.response(stream_id)[':status'], '200')
    tunnel.wait_assigned()
    tunnel.ping('10.89.0.1')
    expect('datagrams came', bool(connection.datagrams), True)


@client_case(
    'H3-01 reads SETTINGS that come byte by byte',
    source='RFC 9114 §7.1',
    sends='the control stream in pieces of one byte',
    expects='200',
)
def byte_by_byte(target):
    connection = target.handshake()
    stream_id = connection.new_stream(unidirectional=True)
    for byte in control(wire.settings(DEFAULT_SETTINGS)):
        connection.send_stream(stream_id, bytes([byte]))
    stream_id = target.raw_request(connection, wire.headers(target.request_fields()))
    expect(':status', connection.response(stream_id)[':status'], '200')


@client_case(
    'H3-02 takes a control stream whose type is written in two bytes',
    source='RFC 9000 §16',
    sends='stream type 0 as 40 00',
    expects='the connection goes on',
)
def long_stream_type(target):
    connection = target.handshake()
    connection.send_stream(connection.new_stream(unidirectional=True), b'\x40\x00' + wire.settings(DEFAULT_SETTINGS))
    connection.expect_open()


for what, first, code in [
    ('MAX_PUSH_ID before SETTINGS', wire.frame(wire.MAX_PUSH_ID, wire.varint(1)), wire.H3_MISSING_SETTINGS),
    ('a reserved frame before SETTINGS', wire.frame(wire.reserved(3)), wire.H3_MISSING_SETTINGS),
    ('SETTINGS that end inside a value', wire.frame(wire.SETTINGS, b'\x33\x40'), wire.H3_FRAME_ERROR),
    ('the same setting twice', wire.frame(wire.SETTINGS, b'\x33\x01\x33\x01'), wire.H3_SETTINGS_ERROR),
    ('a setting of HTTP/2', wire.settings({0x2: 0}), wire.H3_SETTINGS_ERROR),
    ('another setting of HTTP/2', wire.settings({0x4: 65535}), wire.H3_SETTINGS_ERROR),
    ('H3_DATAGRAM = 2', wire.settings({wire.H3_DATAGRAM: 2}), wire.H3_SETTINGS_ERROR),
]:

    @client_case(
        f'H3-01 H3-02 closes the connection for {what}',
        source='RFC 9114 §6.2.1, §7.2.4, RFC 9297 §2.1.1',
        sends=what,
        expects=f'CONNECTION_CLOSE with {code:#x}',
    )
    def bad_first(target, first=first, code=code):
        connection = target.handshake()
        connection.send_stream(connection.new_stream(unidirectional=True), control(first))
        connection.expect_close(code)


for what, data, code in [
    ('a second SETTINGS frame', wire.settings({}), wire.H3_FRAME_UNEXPECTED),
    ('DATA', wire.frame(wire.DATA, b'x'), wire.H3_FRAME_UNEXPECTED),
    ('HEADERS', wire.frame(wire.HEADERS, b'\x00\x00'), wire.H3_FRAME_UNEXPECTED),
    ('PUSH_PROMISE', wire.frame(wire.PUSH_PROMISE, b'\x00\x00\x00'), wire.H3_FRAME_UNEXPECTED),
    ('a PING frame of HTTP/2', wire.frame(0x6, bytes(8)), wire.H3_FRAME_UNEXPECTED),
    ('a WINDOW_UPDATE frame of HTTP/2', wire.frame(0x8, bytes(4)), wire.H3_FRAME_UNEXPECTED),
    ('a smaller MAX_PUSH_ID than before', wire.frame(wire.MAX_PUSH_ID, wire.varint(1)), wire.H3_ID_ERROR),
    ('CANCEL_PUSH for a push that was never promised', wire.frame(wire.CANCEL_PUSH, wire.varint(100)), wire.H3_ID_ERROR),
    ('GOAWAY with a byte too many', wire.frame(wire.GOAWAY, b'\x00\x00'), wire.H3_FRAME_ERROR),
    ('two GOAWAYs, the second higher', wire.frame(wire.GOAWAY, b'\x00') + wire.frame(wire.GOAWAY, b'\x04'), wire.H3_ID_ERROR),
]:

    @client_case(
        f'H3-01 H3-03 closes the connection for {what} on the control stream',
        source='RFC 9114 §7.2, §5.2',
        sends=what,
        expects=f'CONNECTION_CLOSE with {code:#x}',
    )
    def bad_control_frame(target, data=data, code=code):
        connection = target.connect()
        connection.send_control(data)
        connection.expect_close(code)


@client_case(
    'H3-06 goes on with a tunnel after GOAWAY from the client',
    source='RFC 9114 §5.2',
    sends='GOAWAY with push id 0',
    expects='the tunnel goes on',
)
def goaway(target):
    tunnel = target.tunnel()
    tunnel.connection.send_control(wire.frame(wire.GOAWAY, wire.varint(0)))
    tunnel.ping('10.89.0.1')


@client_case(
    'H3-02 ignores reserved settings, frames and stream types',
    source='RFC 9114 §6.2.3, §7.2.4.1, §7.2.8, §9',
    sends='reserved settings with the largest value, reserved and unknown frames on the control and the request stream, streams of '
    'reserved and unknown types',
    expects='200, and the tunnel works',
)
def grease(target):
    connection = target.connect(settings=DEFAULT_SETTINGS | {wire.reserved(7): 2**62 - 1, 0x1234567: 5})
    connection.send_control(wire.frame(wire.reserved(5), bytes(3000)) + wire.frame(0xABCDEF, b'x'))
    for type_ in (wire.reserved(2), 0x7777, 2**62 - 1):
        connection.send_stream(connection.new_stream(unidirectional=True), wire.varint(type_) + bytes(50), end=True)
    stream_id = target.raw_request(
        connection,
        wire.frame(wire.reserved(1), bytes(500)) + wire.headers(target.request_fields()) + wire.frame(wire.reserved(9)),
    )
    tunnel = Tunnel(connection, stream_id)
    tunnel.wait_assigned()
    connection.send_stream(stream_id, wire.frame(0x4242, bytes(70)))
    tunnel.ping('10.90.0.1')


@client_case(
    'H3-02 ignores a unidirectional stream of an unknown type that is never ended, or is reset',
    source='RFC 9114 §6.2',
    sends='ten streams of unknown types, every second one reset',
    expects='the connection goes on',
)
def unknown_streams(target):
    tunnel = target.tunnel()
    connection = tunnel.connection
    for i in range(10):
        stream_id = connection.new_stream(unidirectional=True)
        connection.send_stream(stream_id, wire.varint(0x4D00 + i) + bytes(i))
        if i % 2:
            connection.reset(stream_id, wire.H3_NO_ERROR)
    tunnel.ping('10.89.0.1')


@client_case(
    'H3-02 ignores its own private stream type as long as nobody has agreed to it',
    source='RFC 9114 §6.2.3, §9',
    sends='a unidirectional stream of type 0x4d51 with rubbish',
    expects='the tunnel goes on',
)
def private_stream_type(target):
    tunnel = target.tunnel()
    connection = tunnel.connection
    for rubbish in (b'', b'\xc0', b'\xff' * 3000):
        connection.send_stream(connection.new_stream(unidirectional=True), wire.varint(0x4D51) + rubbish, end=True)
    tunnel.ping('10.89.0.1')


@client_case(
    'H3-01 closes the connection for a second control stream',
    source='RFC 9114 §6.2.1',
    sends='two streams of type 0',
    expects='H3_STREAM_CREATION_ERROR',
)
def second_control(target):
    connection = target.connect()
    connection.send_stream(connection.new_stream(unidirectional=True), control(b''))
    connection.expect_close(wire.H3_STREAM_CREATION_ERROR)


@client_case(
    'H3-01 closes the connection for a push stream from the client',
    source='RFC 9114 §6.2.2',
    sends='a stream of type 1',
    expects='H3_STREAM_CREATION_ERROR',
)
def push_stream(target):
    connection = target.connect()
    connection.send_stream(connection.new_stream(unidirectional=True), wire.varint(wire.PUSH_STREAM) + b'\x00')
    connection.expect_close(wire.H3_STREAM_CREATION_ERROR)


for what, of in [('control stream', '_local_control_stream_id'), ('QPACK encoder stream', '_local_encoder_stream_id')]:

    @client_case(
        f'H3-01 closes the connection when the {what} ends',
        source='RFC 9114 §6.2.1, RFC 9204 §4.2',
        sends='FIN on it',
        expects='H3_CLOSED_CRITICAL_STREAM',
    )
    def critical_end(target, of=of):
        connection = target.connect()
        connection.send_stream(getattr(connection.h3, of), b'', end=True)
        connection.expect_close(wire.H3_CLOSED_CRITICAL_STREAM)

    @client_case(
        f'H3-01 closes the connection when the {what} is reset',
        source='RFC 9114 §6.2.1, RFC 9204 §4.2',
        sends='RESET_STREAM of it',
        expects='H3_CLOSED_CRITICAL_STREAM',
    )
    def critical_reset(target, of=of):
        connection = target.connect()
        connection.ping()
        connection.reset(getattr(connection.h3, of), wire.H3_NO_ERROR)
        connection.expect_close(wire.H3_CLOSED_CRITICAL_STREAM)


@client_case(
    'H3-07 closes the connection when datagrams are announced in SETTINGS only',
    source='RFC 9297 §2.1.1; closing is our choice (docs/conformance.md)',
    sends='H3_DATAGRAM = 1 without the transport parameter max_datagram_frame_size',
    expects='H3_SETTINGS_ERROR',
)
def datagrams_half_announced(target):
    connection = target.dial(max_datagram_frame_size=None)
    connection.wait_for('the end of the handshake', lambda: connection.established)
    connection.start_http3()
    connection.expect_close(wire.H3_SETTINGS_ERROR)
