"""Frames on request streams, header fields, QPACK (RFC 9114 §4, §7; RFC 9204)."""

import wire
from cases import Mismatch, client_case, expect
from connection import DEFAULT_SETTINGS
from target import Target

GET = [(':method', 'GET'), (':scheme', 'https'), (':authority', ''), (':path', '/')]


def get_fields(target: Target, *extra: tuple[str, str]) -> list[tuple[str, str]]:
    return [(name, target.authority if name == ':authority' else value) for name, value in GET] + list(extra)


for what, data, code in [
    ('DATA before HEADERS', wire.frame(wire.DATA, b'x'), wire.H3_FRAME_UNEXPECTED),
    ('SETTINGS', wire.settings({}), wire.H3_FRAME_UNEXPECTED),
    ('GOAWAY', wire.frame(wire.GOAWAY, b'\x00'), wire.H3_FRAME_UNEXPECTED),
    ('MAX_PUSH_ID', wire.frame(wire.MAX_PUSH_ID, b'\x00'), wire.H3_FRAME_UNEXPECTED),
    ('CANCEL_PUSH', wire.frame(wire.CANCEL_PUSH, b'\x00'), wire.H3_FRAME_UNEXPECTED),
    ('PUSH_PROMISE', wire.frame(wire.PUSH_PROMISE, b'\x00\x00\x00'), wire.H3_FRAME_UNEXPECTED),
    ('a PRIORITY frame of HTTP/2', wire.frame(0x2, bytes(5)), wire.H3_FRAME_UNEXPECTED),
    ('a CONTINUATION frame of HTTP/2', wire.frame(0x9, bytes(5)), wire.H3_FRAME_UNEXPECTED),
]:

    @client_case(
        f'H3-03 closes the connection for {what} on a request stream',
        source='RFC 9114 §4.1, §7.2',
        sends=what,
        expects=f'CONNECTION_CLOSE with {code:#x}',
    )
    def bad_frame(target, data=data, code=code):
        connection = target.connect()
        target.raw_request(connection, data)
        connection.expect_close(code)


@client_case(
    'H3-03 closes the connection when a request stream ends inside a frame',
    source='RFC 9114 §7.1',
    sends='half of a HEADERS frame, and FIN',
    expects='H3_FRAME_ERROR',
)
def ends_inside_frame(target):
    connection = target.connect()
    target.raw_request(connection, wire.headers(get_fields(target))[:-5], end=True)
    connection.expect_close(wire.H3_FRAME_ERROR)


@client_case(
    'H3-03 resets a request stream that ends without HEADERS',
    source='RFC 9114 §4.1',
    sends='FIN',
    expects='H3_REQUEST_INCOMPLETE on the stream; the connection goes on',
)
def no_headers(target):
    connection = target.connect()
    stream_id = target.raw_request(connection, wire.frame(wire.reserved(0)), end=True)
    connection.expect_reset(stream_id, wire.H3_REQUEST_INCOMPLETE)


@client_case(
    'H3-03 reads a request that comes byte by byte',
    source='RFC 9114 §7.1',
    sends='a GET in pieces of one byte',
    expects='200',
)
def byte_by_byte(target):
    connection = target.connect()
    stream_id = connection.new_stream()
    for byte in wire.headers(get_fields(target)):
        connection.send_stream(stream_id, bytes([byte]))
    connection.send_stream(stream_id, b'', end=True)
    expect(':status', connection.response(stream_id)[':status'], '200')


def without(name: str):
    return lambda fields: [field for field in fields if field[0] != name]


def replaced(name: str, value: str):
    return lambda fields: [(key, value if key == name else old) for key, old in fields]


def plus(*extra: tuple[str, str]):
    return lambda fields: fields + list(extra)


for what, change in [
    ('a name in upper case', plus(('X-Upper', 'x'))),
    ('an empty name', plus(('', 'x'))),
    ('a pseudo-header behind a field', lambda fields: [*fields[:-1], ('a', 'b'), fields[-1]]),
    ('an unknown pseudo-header', lambda fields: [(':colour', 'red'), *fields]),
    (':status in a request', lambda fields: [(':status', '200'), *fields]),
    (':path twice', lambda fields: [(':path', '/'), *fields]),
    ('no :method', without(':method')),
    ('no :scheme', without(':scheme')),
    ('no :path', without(':path')),
    ('an empty :path', replaced(':path', '')),
    ('neither :authority nor Host', without(':authority')),
    ('an empty :authority', replaced(':authority', '')),
    ('Connection', plus(('connection', 'close'))),
    ('Transfer-Encoding', plus(('transfer-encoding', 'chunked'))),
    ('TE: gzip', plus(('te', 'gzip'))),
    ('a line feed in a value', plus(('x', 'a\nb'))),
    ('a NUL in a value', plus(('x', 'a\0b'))),
    ('Content-Length: 5 without content', plus(('content-length', '5'))),
]:

    @client_case(
        f'H3-05 resets a request with {what}, and no more than that request',
        source='RFC 9114 §4.1.2, §4.2, §4.3',
        sends=f'GET with {what}',
        expects='H3_MESSAGE_ERROR on the stream (or status 400); the connection goes on',
    )
    def malformed(target, change=change):
        connection = target.connect()
        stream_id = target.raw_request(connection, wire.headers(change(get_fields(target))), end=True)
        connection.wait_for('an answer', lambda: stream_id in connection.resets or stream_id in connection.fields)
        if stream_id in connection.fields:
            expect(':status', connection.response(stream_id)[':status'], '400')
        else:
            connection.expect_reset(stream_id, wire.H3_MESSAGE_ERROR)
        expect('the next request', target.get(connection)[0][':status'], '200')


@client_case(
    'H3-05 takes TE: trailers, and trailers',
    source='RFC 9114 §4.1, §4.2',
    sends='GET with TE: trailers, followed by a trailer section',
    expects='200',
)
def trailers(target):
    connection = target.connect()
    data = wire.headers(get_fields(target, ('te', 'trailers'))) + wire.headers([('checksum', '1')])
    stream_id = target.raw_request(connection, data, end=True)
    expect(':status', connection.response(stream_id)[':status'], '200')


for count, size in [(1, 8000), (100, 60)]:

    @client_case(
        f'H3-04 takes {count} extra fields of {size} bytes',
        source='RFC 9114 §4.2.2',
        sends='a CONNECT-IP request with large header fields, compressed as pylsqpack likes',
        expects='200',
    )
    def large_fields(target, count=count, size=size):
        extra = {f'x-{i}': 'v' * size for i in range(count)}
        target.tunnel(**extra).ping('10.89.0.1')


@client_case(
    'H3-04 refuses a request whose fields are larger than it announces, and no more than that request',
    source='RFC 9114 §4.2.2, §10.5.1',
    sends='GET with a field of twice SETTINGS_MAX_FIELD_SECTION_SIZE',
    expects='status 431, or a reset of the stream; the next request is answered',
)
def too_large_fields(target):
    connection = target.connect()
    limit = connection.peer_settings()[wire.MAX_FIELD_SECTION_SIZE]
    stream_id = target.raw_request(connection, wire.headers(get_fields(target, ('x', 'v' * 2 * limit))), end=True)
    connection.wait_for('an answer', lambda: stream_id in connection.resets or stream_id in connection.fields)
    if stream_id in connection.fields:
        expect(':status', connection.response(stream_id)[':status'], '431')
    expect('the next request', target.get(connection)[0][':status'], '200')


for limit in (0, 40, 100):

    @client_case(
        f'H3-10 answers nobody who takes {limit} bytes of fields, and no more than that request is lost',
        source='RFC 9114 §4.2.2',
        sends=f'SETTINGS_MAX_FIELD_SECTION_SIZE = {limit}, then GET, and CONNECT-IP at a path that does not exist',
        expects='resets of the two streams (or answers that fit); the connection goes on',
    )
    def tiny_limit(target, limit=limit):
        connection = target.connect(settings=DEFAULT_SETTINGS | {wire.MAX_FIELD_SECTION_SIZE: limit})
        streams = [
            target.raw_request(connection, wire.headers(get_fields(target)), end=True),
            target.raw_request(connection, wire.headers(target.request_fields('/nowhere/'))),
        ]
        for stream_id in streams:
            connection.wait_for('an answer', lambda id_=stream_id: id_ in connection.resets or id_ in connection.fields)
            size = sum(len(name) + len(value) + 32 for name, value in connection.fields.get(stream_id, [[]])[0])
            if size > limit:
                raise Mismatch(f'at most {limit} bytes of fields', f'{size} bytes: {connection.fields[stream_id]}')
        connection.expect_open()


for what, instruction, code in [
    ('a dynamic table of 4096 bytes', wire.prefix_int(0x20, 5, 4096), wire.QPACK_ENCODER_STREAM_ERROR),
    ('an insertion', wire.prefix_int(0x40, 5, 1) + b'a' + wire.prefix_int(0, 7, 1) + b'b', wire.QPACK_ENCODER_STREAM_ERROR),
    ('a duplicate of nothing', wire.prefix_int(0x00, 5, 0), wire.QPACK_ENCODER_STREAM_ERROR),
]:

    @client_case(
        f'H3-04 closes the connection for {what}, having announced no dynamic table',
        source='RFC 9204 §3.2.3, §4.3, §6',
        sends='the instruction on the encoder stream',
        expects=f'CONNECTION_CLOSE with {code:#x}',
    )
    def encoder_instruction(target, instruction=instruction, code=code):
        connection = target.connect()
        connection.send_stream(connection.h3._local_encoder_stream_id, instruction)
        connection.expect_close(code)


@client_case(
    'H3-04 takes a dynamic table capacity of 0',
    source='RFC 9204 §4.3.1',
    sends='Set Dynamic Table Capacity = 0 on the encoder stream',
    expects='the next request is answered',
)
def capacity_zero(target):
    connection = target.connect()
    connection.send_stream(connection.h3._local_encoder_stream_id, wire.prefix_int(0x20, 5, 0))
    expect(':status', target.get(connection)[0][':status'], '200')


for what, instruction in [
    ('an acknowledgement of a section that it never sent', wire.prefix_int(0x80, 7, 0)),
    ('an insert count increment of 0', wire.prefix_int(0x00, 6, 0)),
    ('an insert count increment of 3', wire.prefix_int(0x00, 6, 3)),
]:

    @client_case(
        f'H3-04 closes the connection for {what}',
        source='RFC 9204 §4.4',
        sends='the instruction on the decoder stream',
        expects='QPACK_DECODER_STREAM_ERROR',
    )
    def decoder_instruction(target, instruction=instruction):
        connection = target.connect()
        connection.send_stream(connection.h3._local_decoder_stream_id, instruction)
        connection.expect_close(wire.QPACK_DECODER_STREAM_ERROR)


@client_case(
    'H3-04 takes a cancellation of a stream on the decoder stream',
    source='RFC 9204 §4.4.2',
    sends='Stream Cancellation',
    expects='the next request is answered',
)
def cancellation(target):
    connection = target.connect()
    connection.send_stream(connection.h3._local_decoder_stream_id, wire.prefix_int(0x40, 6, 400))
    expect(':status', target.get(connection)[0][':status'], '200')


for what, section in [
    ('a required insert count', b'\x02\x00\x80'),
    ('a reference into the dynamic table', b'\x00\x00\x80'),
    ('a static index of 99', b'\x00\x00' + wire.prefix_int(0xC0, 6, 99)),
    ('a string longer than the section', b'\x00\x00' + wire.prefix_int(0x20, 3, 50) + b'abc'),
    ('Huffman code with wrong padding', b'\x00\x00' + wire.prefix_int(0x20, 3, 1) + b'a' + b'\x81\x00'),
    ('a prefix that ends too early', b'\x00'),
]:

    @client_case(
        f'H3-04 closes the connection for a field section with {what}',
        source='RFC 9204 §2.2, §4.5, RFC 7541 §5.2',
        sends=what,
        expects='QPACK_DECOMPRESSION_FAILED',
    )
    def bad_section(target, section=section):
        connection = target.connect()
        target.raw_request(connection, wire.frame(wire.HEADERS, section), end=True)
        connection.expect_close(wire.QPACK_DECOMPRESSION_FAILED)


@client_case(
    'H3-04 answers many requests of one connection to a decoder that offers a dynamic table',
    source='RFC 9204 §2.1',
    sends='60 GETs at once, with a table of 4096 bytes and 16 blocked streams offered',
    expects='60 times 200',
)
def many_requests(target):
    connection = target.connect()
    fields = get_fields(target)
    streams = [target.request(connection, fields, end=True) for _ in range(60)]
    for stream_id in streams:
        expect(':status', connection.response(stream_id)[':status'], '200')
