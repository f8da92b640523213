"""HTTP/3 that the client gets: grease, frames out of place, streams that must not be (RFC 9114)."""

import wire
from cases import proxy_case
from connection import DEFAULT_SETTINGS
from listener import GATEWAY_V4, Listener


@proxy_case(
    'H3-02 ignores reserved settings, frames and stream types',
    source='RFC 9114 §6.2.3, §7.2.4.1, §7.2.8, §9',
    sends='reserved settings, reserved and unknown frames on the control and the request stream, streams of unknown types',
    expects='a tunnel that works',
)
def grease(listener: Listener):
    connection = listener.accept(settings=DEFAULT_SETTINGS | {wire.reserved(7): 2**62 - 1, 0x1234567: 5})
    connection.start_http3()
    connection.send_control(wire.frame(wire.reserved(5), bytes(3000)) + wire.frame(0xABCDEF, b'x'))
    for type_ in (wire.reserved(2), 0x7777, 2**62 - 1):
        connection.send_stream(connection.new_stream(unidirectional=True), wire.varint(type_) + bytes(50), end=True)
    tunnel = listener.request(connection)
    connection.send_stream(tunnel.stream_id, wire.frame(wire.reserved(1), bytes(500)))
    listener.tunnel(connection)
    connection.send_stream(tunnel.stream_id, wire.frame(0x4242, bytes(70)))


for what, first, code in [
    ('GOAWAY before SETTINGS', wire.frame(wire.GOAWAY, b'\x00'), wire.H3_MISSING_SETTINGS),
    ('SETTINGS that end inside a value', wire.frame(wire.SETTINGS, b'\x33\x40'), wire.H3_FRAME_ERROR),
    ('the same setting twice', wire.frame(wire.SETTINGS, b'\x33\x01\x33\x01'), wire.H3_SETTINGS_ERROR),
    ('a setting of HTTP/2', wire.settings({0x3: 100}), wire.H3_SETTINGS_ERROR),
    ('ENABLE_CONNECT_PROTOCOL = 2', wire.settings({wire.ENABLE_CONNECT_PROTOCOL: 2}), wire.H3_SETTINGS_ERROR),
]:

    @proxy_case(
        f'H3-01 H3-02 closes the connection for {what}',
        source='RFC 9114 §6.2.1, §7.2.4, RFC 8441 §3',
        sends=what,
        expects=f'CONNECTION_CLOSE with {code:#x}, and an error that says why',
        ours={'steps': [['connect fails', 'H3_[A-Z]+_']]},
    )
    def bad_first(listener: Listener, first=first, code=code):
        connection = listener.accept()
        connection.send_stream(connection.new_stream(unidirectional=True), wire.varint(wire.CONTROL_STREAM) + first)
        connection.expect_close(code)


for what, data, code in [
    ('a second SETTINGS frame', wire.settings({}), wire.H3_FRAME_UNEXPECTED),
    ('DATA', wire.frame(wire.DATA, b'x'), wire.H3_FRAME_UNEXPECTED),
    ('MAX_PUSH_ID, which is for clients', wire.frame(wire.MAX_PUSH_ID, b'\x05'), wire.H3_FRAME_UNEXPECTED),
    ('CANCEL_PUSH of a push that it never allowed', wire.frame(wire.CANCEL_PUSH, b'\x00'), wire.H3_ID_ERROR),
    ('GOAWAY with the id of a stream that is no request', wire.frame(wire.GOAWAY, b'\x02'), wire.H3_ID_ERROR),
    ('two GOAWAYs, the second higher', wire.frame(wire.GOAWAY, b'\x04') + wire.frame(wire.GOAWAY, b'\x08'), wire.H3_ID_ERROR),
    ('a PING frame of HTTP/2', wire.frame(0x6, bytes(8)), wire.H3_FRAME_UNEXPECTED),
]:

    @proxy_case(
        f'H3-01 H3-03 closes the connection for {what} on the control stream',
        source='RFC 9114 §5.2, §7.2',
        sends=what,
        expects=f'CONNECTION_CLOSE with {code:#x}, and an error that names it',
        ours={'steps': [['connect'], ['ping', GATEWAY_V4], ['is lost', 'H3_[A-Z]+_']]},
    )
    def bad_control_frame(listener: Listener, data=data, code=code):
        tunnel = listener.tunnel()
        tunnel.pump_pings()
        tunnel.connection.send_control(data)
        tunnel.connection.expect_close(code)


for what, unidirectional, data, code in [
    ('a second control stream', True, wire.varint(wire.CONTROL_STREAM), wire.H3_STREAM_CREATION_ERROR),
    ('a push stream, though it allows none', True, wire.varint(wire.PUSH_STREAM) + b'\x00', wire.H3_ID_ERROR),
    ('a request stream from the server', False, wire.frame(wire.reserved(0)), wire.H3_STREAM_CREATION_ERROR),
]:

    @proxy_case(
        f'H3-01 closes the connection for {what}',
        source='RFC 9114 §6.1, §6.2.1, §6.2.2',
        sends=what,
        expects=f'CONNECTION_CLOSE with {code:#x}, and an error that names it',
        ours={'steps': [['connect'], ['ping', GATEWAY_V4], ['is lost', 'H3_[A-Z]+_']]},
    )
    def bad_stream(listener: Listener, unidirectional=unidirectional, data=data, code=code):
        tunnel = listener.tunnel()
        connection = tunnel.connection
        tunnel.pump_pings()
        if not unidirectional and connection.quic._remote_max_streams_bidi == 0:
            return  # the transport does not even allow one
        connection.send_stream(connection.new_stream(unidirectional), data)
        connection.expect_close(code)


for what, data, code in [
    ('PUSH_PROMISE, though it allows none', wire.frame(wire.PUSH_PROMISE, b'\x00\x00\x00'), wire.H3_ID_ERROR),
    ('SETTINGS', wire.settings({}), wire.H3_FRAME_UNEXPECTED),
    ('DATA before HEADERS', wire.frame(wire.DATA, b'x'), wire.H3_FRAME_UNEXPECTED),
    ('a field section with a static index of 99', wire.frame(wire.HEADERS, b'\x00\x00\xff\x24'), wire.QPACK_DECOMPRESSION_FAILED),
    ('a field section that needs the dynamic table', wire.frame(wire.HEADERS, b'\x02\x00\x80'), wire.QPACK_DECOMPRESSION_FAILED),
]:

    @proxy_case(
        f'H3-03 H3-04 closes the connection for {what} as the answer',
        source='RFC 9114 §4.1, §7.2.5, RFC 9204 §2.2',
        sends=what,
        expects=f'CONNECTION_CLOSE with {code:#x}, and an error that names it',
        ours={'steps': [['connect fails', '(H3|QPACK)_[A-Z]+']]},
    )
    def bad_answer(listener: Listener, data=data, code=code):
        tunnel = listener.request()
        tunnel.connection.send_stream(tunnel.stream_id, data)
        tunnel.connection.expect_close(code)


@proxy_case(
    'H3-01 closes the connection when the control stream ends',
    source='RFC 9114 §6.2.1',
    sends='FIN on it',
    expects='H3_CLOSED_CRITICAL_STREAM, and an error that names it',
    ours={'steps': [['connect'], ['ping', GATEWAY_V4], ['is lost', 'H3_CLOSED_CRITICAL_STREAM']]},
)
def critical_end(listener: Listener):
    tunnel = listener.tunnel()
    connection = tunnel.connection
    tunnel.pump_pings()
    connection.send_stream(connection.h3._local_control_stream_id, b'', end=True)
    connection.expect_close(wire.H3_CLOSED_CRITICAL_STREAM)
