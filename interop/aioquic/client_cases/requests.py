"""Requests and answers: plain ones, authority, and the forms of CONNECT-IP (RFC 9484 §3, §4; RFC 9110)."""

import wire
from cases import Mismatch, client_case, expect
from target import EVERYTHING
from tunnel import Tunnel


def ask(target, connection=None, path=EVERYTHING, **changes):
    """The status of a CONNECT-IP request, and all fields of the answer."""
    connection = connection or target.connect()
    stream_id = target.request(connection, target.request_fields(path, **changes))
    response = connection.response(stream_id)
    return response[':status'], response


def refused_as_malformed(target, path=EVERYTHING, **changes):
    """Status 400, or a reset of the stream with H3_MESSAGE_ERROR (RFC 9114 §4.1.2); the connection goes on."""
    connection = target.connect()
    stream_id = target.raw_request(connection, wire.headers(target.request_fields(path, **changes)))
    connection.wait_for('an answer', lambda: stream_id in connection.resets or stream_id in connection.fields)
    if stream_id in connection.fields:
        expect(':status', connection.response(stream_id)[':status'], '400')
    else:
        connection.expect_reset(stream_id, wire.H3_MESSAGE_ERROR)
    connection.expect_open()


@client_case(
    'H3-08 says 404 for a page that does not exist',
    source='RFC 9110 §15.5.5',
    sends='GET /nothing',
    expects='404, and the end of the stream',
)
def not_found(target):
    expect(':status', target.get(target.connect(), '/nothing')[0][':status'], '404')


@client_case(
    'H3-08 answers HEAD with the length of what it leaves out',
    source='RFC 9110 §9.3.2',
    sends='HEAD /',
    expects='200, Content-Length as for GET, no content',
    known_fault='aioquic 1.7.2 takes the Content-Length of an answer to HEAD for that of content, and closes the connection',
)
def head(target):
    connection = target.connect()
    length = target.get(connection)[0]['content-length']
    response, content = target.get(connection, method='HEAD')
    expect('the answer', (response[':status'], response['content-length'], content), ('200', length, b''))


@client_case(
    'H3-08 says 405 for POST, whatever comes with it',
    source='RFC 9110 §15.5.6',
    sends='POST with 20 000 bytes',
    expects='405 with Allow; the next request is answered',
)
def post(target):
    connection = target.connect()
    fields = [(':method', 'POST'), (':scheme', 'https'), (':authority', target.authority), (':path', '/')]
    stream_id = target.request(connection, fields)
    connection.h3.send_data(stream_id, bytes(20_000), True)
    response = connection.response(stream_id)
    expect(':status', response[':status'], '405')
    expect('Allow is there', 'allow' in response, True)
    expect('the next request', target.get(connection)[0][':status'], '200')


@client_case(
    'H3-08 says 501 for a method that it does not know',
    source='RFC 9110 §9.1, §15.6.2',
    sends='BREW /',
    expects='501',
)
def unknown_method(target):
    expect(':status', target.get(target.connect(), method='BREW')[0][':status'], '501')


@client_case(
    'H3-08 says 501 for CONNECT without a protocol',
    source='RFC 9114 §4.4, RFC 9110 §15.6.2',
    sends='CONNECT example.net:443',
    expects='501: it is no TCP proxy, and the request is well-formed',
)
def plain_connect(target):
    connection = target.connect()
    stream_id = target.request(connection, [(':method', 'CONNECT'), (':authority', 'example.net:443')])
    expect(':status', connection.response(stream_id)[':status'], '501')


for authority in ('192.0.2.7', 'proxy.example', 'localhost.example:443'):

    @client_case(
        f'H3-09 says 421 to a request for {authority}',
        source='RFC 9110 §7.4',
        sends=f'GET and CONNECT-IP with :authority {authority}, which is not in the certificate',
        expects='421 both times',
    )
    def misdirected(target, authority=authority):
        connection = target.connect()
        fields = [(':method', 'GET'), (':scheme', 'https'), (':authority', authority), (':path', '/')]
        stream_id = target.request(connection, fields, end=True)
        expect('GET', connection.response(stream_id)[':status'], '421')
        expect('CONNECT', ask(target, connection, _authority=authority)[0], '421')


@client_case(
    'H3-09 answers for each name in its certificate',
    source='RFC 9110 §7.4',
    sends='CONNECT-IP for localhost, LOCALHOST and 127.0.0.1',
    expects='200',
)
def authority_names(target):
    connection = target.connect()
    for name in ('localhost', 'LOCALHOST', '127.0.0.1'):
        expect(name, ask(target, connection, _authority=f'{name}:{target.port}')[0], '200')


@client_case(
    'CIP-06 says 501 for a protocol that it does not know',
    source='RFC 9220 §3',
    sends='Extended CONNECT with :protocol connect-udp',
    expects='501',
)
def other_protocol(target):
    expect(':status', ask(target, path='/.well-known/masque/udp/192.0.2.6/443/', _protocol='connect-udp')[0], '501')


@client_case(
    'CIP-06 takes a request without Capsule-Protocol',
    source='RFC 9297 §3.4; our choice (docs/conformance.md)',
    sends='the request without the field',
    expects='200',
)
def no_capsule_protocol(target):
    expect(':status', ask(target, capsule_protocol=None)[0], '200')


for what, changes in [
    ('an empty :path', {'_path': ''}),
    ('no :path', {'_path': None}),
    ('no :scheme', {'_scheme': None}),
    ('no :authority', {'_authority': None}),
    ('a method other than CONNECT', {'_method': 'GET'}),
    ('Content-Length', {'content_length': '10'}),
]:

    @client_case(
        f'CIP-06 CIP-09 refuses a request with {what} as malformed',
        source='RFC 9484 §4.5, RFC 9220 §3, RFC 9114 §4.1.2',
        sends=what,
        expects='400 or H3_MESSAGE_ERROR; the connection goes on',
    )
    def malformed_form(target, changes=changes):
        refused_as_malformed(target, **changes)


for variables in (
    '10.90.0.1%2F24/*',
    '10.90.0.0%2F33/*',
    'fd00%3A90%3A%3A1%2F64/*',
    'fd00%3A90%3A%3A%2F129/*',
    'fe80%3A%3A1%25eth0/*',
    '/*',
    '*/',
    '*/256',
    '*/-1',
    '*/udp',
    '10.90.0.0%2F/*',
    'a%20b/*',
):

    @client_case(
        f'CIP-03 CIP-04 refuses the scope {variables} as malformed',
        source='RFC 9484 §4.6',
        sends=f'the path /.well-known/masque/ip/{variables}/',
        expects='400 or H3_MESSAGE_ERROR; the connection goes on',
    )
    def malformed_scope(target, variables=variables):
        refused_as_malformed(target, path=f'/.well-known/masque/ip/{variables}/')


for variables in ('*/*', '%2A/%2A', '10.90.0.0%2F24/*', '10.90.0.1/1', 'fd00%3A90%3A%3A%2F64/*', '*/17', '*/58', '*/255'):

    @client_case(
        f'CIP-02 CIP-03 takes the scope {variables}',
        source='RFC 9484 §4.6',
        sends=f'the path /.well-known/masque/ip/{variables}/',
        expects='200',
    )
    def good_scope(target, variables=variables):
        expect(':status', ask(target, path=f'/.well-known/masque/ip/{variables}/')[0], '200')


@client_case(
    'CIP-05 refuses a target whose name cannot be resolved, and says so',
    source='RFC 9484 §4.6, RFC 9209 §2.3.2',
    sends='the target no-such-name.invalid',
    expects='a status of 400 or more, and Proxy-Status with error=dns_error or dns_timeout',
)
def unresolvable(target):
    status, response = ask(target, path='/.well-known/masque/ip/no-such-name.invalid/*/')
    expect('an error', status[0] in '45', True)
    if 'error=dns_' not in response.get('proxy-status', ''):
        raise Mismatch('Proxy-Status with error=dns_error', str(response))


@client_case(
    'CIP-08 says 404 for a path that is not its template',
    source='RFC 9484 §4.3',
    sends='CONNECT-IP for /somewhere/else/',
    expects='404, and the end of the stream',
)
def other_path(target):
    expect(':status', ask(target, path='/somewhere/else/')[0], '404')


@client_case(
    'CIP-08 says 401 without the bearer token, and 200 with it',
    source='RFC 9110 §11.6.1, RFC 6750 §3',
    sends='requests with no token, a wrong one, the right one',
    expects='401 with WWW-Authenticate twice, then 200',
    ours={'proxy': 'token'},
)
def token(target):
    connection = target.connect()
    for authorization in (None, 'Bearer wrong'):
        status, response = ask(target, connection, authorization=authorization)
        expect(':status', status, '401')
        expect('WWW-Authenticate is there', 'www-authenticate' in response, True)
    expect(':status', ask(target, connection)[0], '200')


@client_case(
    'CIP-11 ends a tunnel whose request ends at once',
    source='RFC 9484 §4.1',
    sends='the request with FIN',
    expects='200, and FIN',
)
def ends_at_once(target):
    connection = target.connect()
    stream_id = target.request(connection, target.request_fields(), end=True)
    expect(':status', connection.response(stream_id)[':status'], '200')
    connection.wait_for('FIN', lambda: stream_id in connection.ended)


@client_case(
    'CIP-11 ends its half after the client has ended its own, and gives the addresses free',
    source='RFC 9484 §4.1',
    sends='FIN, then another request',
    expects='FIN; the next tunnel works and the old one’s datagrams are not answered',
)
def ends(target):
    tunnel = target.tunnel()
    tunnel.end()
    again = target.tunnel(tunnel.connection)
    again.ping('10.89.0.1')
    expect('addresses', len(again.addresses), 2)


for what in ('reset', 'stop'):

    @client_case(
        f'CIP-11 gives a tunnel up whose request stream is {"reset" if what == "reset" else "no longer read"}',
        source='RFC 9484 §4.1, RFC 9114 §4.1.1',
        sends='RESET_STREAM' if what == 'reset' else 'STOP_SENDING',
        expects='a reset in return; another tunnel on the same connection works',
    )
    def gone(target, what=what):
        tunnel = target.tunnel()
        connection = tunnel.connection
        getattr(connection, what)(tunnel.stream_id, wire.H3_REQUEST_CANCELLED)
        connection.wait_for('the other half ends too', lambda: not tunnel.open)
        target.tunnel(connection).ping('10.89.0.1')


@client_case(
    'CIP-11 carries two tunnels on one connection, each with addresses of its own',
    source='RFC 9484 §4',
    sends='two requests',
    expects='two tunnels that ping each other',
)
def two_tunnels(target):
    connection = target.connect()
    first = target.tunnel(connection)
    second = Tunnel(connection, target.request(connection, target.request_fields()))
    second.wait_assigned()
    expect('different addresses', set(first.addresses) & set(second.addresses), set())
    # One hook a connection: it must know both.
    connection.on_datagram = lambda stream_id, payload: [each._on_datagram(stream_id, payload) for each in (first, second)]
    for address in second.addresses:
        first.ping(address)


@client_case(
    'CIP-08 says 429 for one tunnel too many on a connection, and keeps the others',
    source='RFC 6585 §4',
    sends='nine requests where eight are allowed',
    expects='eight times 200, then 429',
)
def too_many(target):
    connection = target.connect()
    expect('statuses', [ask(target, connection)[0] for _ in range(9)], ['200'] * 8 + ['429'])
