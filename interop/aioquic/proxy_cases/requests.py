"""What the client asks for, and what it makes of the answer (RFC 9484 §4.5, RFC 9114 §4)."""

from urllib.parse import unquote

import wire
from cases import Mismatch, expect, proxy_case
from connection import DEFAULT_SETTINGS
from listener import ROUTES, Listener

NO_EXTENDED_CONNECT = {key: value for key, value in DEFAULT_SETTINGS.items() if key != wire.ENABLE_CONNECT_PROTOCOL}


@proxy_case(
    'CIP-02 CIP-06 sends a well-formed request for everything to the default template',
    source='RFC 9484 §3, §4.5',
    sends='200, addresses, routes; answers to pings',
    expects='CONNECT with :protocol, :scheme, :authority, :path and Capsule-Protocol, and no Content-Length',
)
def request(listener: Listener):
    tunnel = listener.tunnel()
    fields = tunnel.connection.response(tunnel.stream_id, final=False)
    expect(':method', fields[':method'], 'CONNECT')
    expect(':scheme', fields[':scheme'], 'https')
    expect(':authority', fields[':authority'], f'127.0.0.1:{listener.port}')
    expect(':path', unquote(fields[':path']), '/.well-known/masque/ip/*/*/')
    expect('Capsule-Protocol', fields.get('capsule-protocol'), '?1')
    expect('no Content-Length', 'content-length' in fields, False)


@proxy_case(
    'CIP-07 H3-02 announces datagrams and no dynamic table',
    source='RFC 9297 §2.1.1, RFC 9204 §3.2.3',
    sends='200, addresses, routes; answers to pings',
    expects='SETTINGS with H3_DATAGRAM = 1 and a QPACK capacity of 0',
)
def settings(listener: Listener):
    tunnel = listener.tunnel()
    announced = tunnel.connection.peer_settings()
    expect('H3_DATAGRAM', announced.get(wire.H3_DATAGRAM), 1)
    expect('QPACK_MAX_TABLE_CAPACITY', announced.get(wire.QPACK_MAX_TABLE_CAPACITY, 0), 0)


@proxy_case(
    'CIP-07 waits for SETTINGS before it asks',
    source='RFC 9220 §3, RFC 8441 §3',
    sends='SETTINGS 400 ms after the handshake',
    expects='the request after SETTINGS, not before',
)
def waits(listener: Listener):
    connection = listener.accept()
    connection.pump(lambda: False, 0.4)
    expect('requests before SETTINGS', list(connection.fields), [])
    connection.start_http3()
    listener.tunnel(connection)


@proxy_case(
    'CIP-07 does not ask a server without Extended CONNECT',
    source='RFC 8441 §3',
    sends='SETTINGS without ENABLE_CONNECT_PROTOCOL',
    expects='no request, and an error that says why',
    ours={'steps': [['connect fails', 'Extended CONNECT']]},
)
def no_extended_connect(listener: Listener):
    connection = listener.accept(settings=NO_EXTENDED_CONNECT)
    connection.start_http3()
    listener.wait_until_left()
    expect('requests', list(connection.fields), [])


for status in ('400', '401', '403', '404', '421', '429', '500', '502', '503'):

    @proxy_case(
        f'CIP-08 reports status {status}',
        source='RFC 9484 §4.5',
        sends=f'{status} and the end of the stream',
        expects=f'an error with status {status}; the client leaves',
        ours={'steps': [['connect fails', f'^http {status}: .*{status}']]},
    )
    def refused(listener: Listener, status=status):
        listener.answer(listener.request(), status, end=True)


for status in ('301', '307'):

    @proxy_case(
        f'CIP-08 takes status {status} for a failure, and follows nothing',
        source='RFC 9484 §4.5',
        sends=f'{status} with Location',
        expects=f'an error with status {status}; the client leaves',
        ours={'steps': [['connect fails', f'^http {status}']]},
    )
    def redirect(listener: Listener, status=status):
        listener.answer(listener.request(), status, ('location', 'https://192.0.2.1/'), end=True)


@proxy_case(
    'CIP-08 shows the reason in Proxy-Status',
    source='RFC 9209 §2',
    sends='502 with Proxy-Status: a.example; error=dns_error; details="no such name"',
    expects='an error with these words',
    ours={'steps': [['connect fails', 'dns_error.*no such name']]},
)
def proxy_status(listener: Listener):
    fields = ('proxy-status', 'a.example; error=dns_error; details="no such name"')
    listener.answer(listener.request(), '502', fields, end=True)


@proxy_case(
    'CIP-08 takes any 2xx for success',
    source='RFC 9484 §4.5',
    sends='299',
    expects='a tunnel that works',
)
def other_2xx(listener: Listener):
    tunnel = listener.request()
    listener.answer(tunnel, '299')
    listener.give_addresses(tunnel)
    tunnel.send(ROUTES)


@proxy_case(
    'CIP-08 waits through interim answers',
    source='RFC 9114 §4.1, RFC 9110 §15.2',
    sends='100 and 103, then 200',
    expects='a tunnel that works',
)
def interim(listener: Listener):
    tunnel = listener.request()
    for status in ('100', '103'):
        listener.answer(tunnel, status)
    listener.answer(tunnel, '200')
    listener.give_addresses(tunnel)
    tunnel.send(ROUTES)


for what, fields in [
    ('no :status', [('server', 'x')]),
    (':status twice', [(':status', '200'), (':status', '200')]),
    (':status behind a field', [('server', 'x'), (':status', '200')]),
    ('a pseudo-header of requests', [(':status', '200'), (':path', '/')]),
    ('a name in upper case', [(':status', '200'), ('Server', 'x')]),
    ('Connection', [(':status', '200'), ('connection', 'close')]),
    ('a status that is no number', [(':status', 'ok')]),
    ('Content-Length', [(':status', '200'), ('capsule-protocol', '?1'), ('content-length', '3')]),
]:

    @proxy_case(
        f'H3-05 CIP-09 gives up a request whose answer has {what}',
        source='RFC 9114 §4.1.2, §4.2, §4.3.2, RFC 9297 §3.4',
        sends=what,
        expects='an error of the protocol; the stream is reset with H3_MESSAGE_ERROR',
        ours={'steps': [['connect fails', '^(protocol|tunnel)']]},
    )
    def malformed_answer(listener: Listener, fields=fields):
        tunnel = listener.request()
        tunnel.connection.send_stream(tunnel.stream_id, wire.headers(fields))
        tunnel.connection.wait_for(
            'H3_MESSAGE_ERROR', lambda: wire.H3_MESSAGE_ERROR in (*tunnel.connection.resets.values(), *tunnel.connection.stops.values())
        )


@proxy_case(
    'H3-04 takes an answer with 8000 bytes of fields',
    source='RFC 9114 §4.2.2',
    sends='200 with large fields',
    expects='a tunnel that works',
)
def large_answer(listener: Listener):
    tunnel = listener.request()
    listener.answer(tunnel, '200', *[(f'x-{i}', 'v' * 1000) for i in range(8)])
    listener.give_addresses(tunnel)
    tunnel.send(ROUTES)


@proxy_case(
    'H3-10 sends no request to a server that takes 40 bytes of fields, and says so',
    source='RFC 9114 §4.2.2',
    sends='SETTINGS_MAX_FIELD_SECTION_SIZE = 40',
    expects='no request, and an error',
    ours={'steps': [['connect fails', '^protocol']]},
)
def tiny_limit(listener: Listener):
    connection = listener.accept(settings=DEFAULT_SETTINGS | {wire.MAX_FIELD_SECTION_SIZE: 40})
    connection.start_http3()
    listener.wait_until_left()
    expect('requests', list(connection.fields), [])


@proxy_case(
    'CIP-08 gives up when the proxy resets the request',
    source='RFC 9114 §4.1.1',
    sends='RESET_STREAM with H3_REQUEST_REJECTED',
    expects='an error that names the code; the client leaves',
    ours={'steps': [['connect fails', 'H3_REQUEST_REJECTED']]},
)
def reset(listener: Listener):
    tunnel = listener.request()
    tunnel.connection.reset(tunnel.stream_id, wire.H3_REQUEST_REJECTED)


@proxy_case(
    'CIP-08 gives up when the proxy says 200 and ends the stream',
    source='RFC 9484 §4.1',
    sends='200 with the end of the stream',
    expects='an error; the client leaves',
    ours={'steps': [['connect fails', 'tunnel']]},
)
def ended(listener: Listener):
    tunnel = listener.request()
    listener.answer(tunnel, '200', end=True)
    if tunnel.connection.closed:
        raise Mismatch('the client leaves in order', tunnel.connection.summary())
