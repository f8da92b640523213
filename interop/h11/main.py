"""HTTP/1.1 as h11 reads and writes it, from both ends: `Upgrade: connect-ip` (RFC 9484 §4.2), with capsules written by hand."""

import socket
import ssl
import time

import h11
import packets
import wire
from cases import Mismatch, client_case, expect, proxy_case
from conversation import converse

TIMEOUT_SECONDS = 5
PATH = '/.well-known/masque/ip/%2A/%2A/'
HOST = '10.90.0.1'
CLIENT_V4, GATEWAY_V4 = '10.77.0.9', '10.77.0.1'


class Connection:
    """TLS with one side of an h11 connection on it, and what comes behind the heads, in capsules."""

    def __init__(self, stream: ssl.SSLSocket, role) -> None:
        self.stream = stream
        self.http = h11.Connection(role)
        self.lines: list[str] = []
        self.rest = b''

    def send(self, *events) -> None:
        for event in events:
            self.lines.append(f'> {event}'[:300])
            self.stream.sendall(self.http.send(event) or b'')

    def next(self):
        """The next event of h11; raises Mismatch where it finds something wrong."""
        while True:
            try:
                event = self.http.next_event()
            except h11.RemoteProtocolError as error:
                raise Mismatch('a message that h11 can read', str(error)) from error
            if event is not h11.NEED_DATA:
                self.lines.append(f'< {event}'[:300])
                return event
            self.http.receive_data(self.receive())

    def receive(self) -> bytes:
        """Some bytes; none at the end of the connection."""
        try:
            return self.stream.recv(65536)
        except TimeoutError as error:
            raise Mismatch('an answer', f'nothing in {TIMEOUT_SECONDS} s') from error
        except ConnectionError:
            return b''

    def switched(self) -> None:
        """Both ends have left HTTP/1.1."""
        expect('the state of h11', str(self.http.their_state), 'SWITCHED_PROTOCOL')
        self.rest, _ = self.http.trailing_data

    def write(self, data: bytes) -> None:
        self.lines.append(f'> {data.hex()[:120]}')
        self.stream.sendall(data)

    def capsule(self, type_: int, matches=lambda value: True) -> bytes:
        """Waits for the first capsule of a type whose value is such a one."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            for found, value in wire.split(self.rest):
                if found == type_ and matches(value):
                    return value
            more = self.receive()
            if not more:
                break
            self.rest += more
        raise Mismatch(f'a capsule of type {type_}', f'{[kind for kind, _ in wire.split(self.rest)]}')

    def ended(self) -> None:
        """Waits for the end of the connection."""
        while more := self.receive():
            self.rest += more

    def finish(self) -> None: ...

    def log(self) -> list[str]:
        return self.lines

    def close(self) -> None:
        self.stream.close()


class Target(Connection):
    """masque-lab's proxy."""

    def __init__(self, port: int, ca: str, token: str | None = None) -> None:
        context = ssl.create_default_context(cafile=ca)
        context.set_alpn_protocols(['http/1.1'])
        plain = socket.create_connection(('127.0.0.1', port), TIMEOUT_SECONDS)
        super().__init__(context.wrap_socket(plain, server_hostname='127.0.0.1'), h11.CLIENT)
        self.host = f'127.0.0.1:{port}'
        self.token = token

    def ask(self, changes: dict | None = None, method: str = 'GET', path: str = PATH):
        """The answer to a request for a tunnel with some fields changed, or, by None, left out."""
        fields = {'Host': self.host, 'Connection': 'Upgrade', 'Upgrade': 'connect-ip', 'Capsule-Protocol': '?1'}
        fields |= changes or {}
        headers = [(name, value) for name, value in fields.items() if value is not None]
        self.send(h11.Request(method=method, target=path, headers=headers), h11.EndOfMessage())
        return self.next()

    def tunnel(self) -> None:
        expect('the status', self.ask().status_code, 101)
        self.switched()

    def address(self) -> str:
        self.write(wire.address_request((7, '0.0.0.0/32')))
        assigned = self.capsule(wire.ADDRESS_ASSIGN, lambda value: any(id_ == 7 for id_, _ in wire.read_addresses(value)))
        return next(prefix for id_, prefix in wire.read_addresses(assigned) if id_ == 7).split('/')[0]


class Listener:
    """A proxy of masque-lab's client: one connection."""

    def __init__(self, certificate: str, key: str) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.context.set_alpn_protocols(['http/1.1'])
        self.plain = socket.create_server(('127.0.0.1', 0))
        self.plain.settimeout(TIMEOUT_SECONDS)
        self.port = self.plain.getsockname()[1]
        self.connection: Connection | None = None

    def request(self) -> h11.Request:
        """The request of the client that comes."""
        plain, _ = self.plain.accept()
        plain.settimeout(TIMEOUT_SECONDS)
        self.connection = Connection(self.context.wrap_socket(plain, server_side=True), h11.SERVER)
        request = self.connection.next()
        expect('the method and target', (request.method, request.target), (b'GET', PATH.encode()))
        return request

    def accept(self) -> Connection:
        self.request()
        connection = self.connection
        expect('the end of the request', type(connection.next()), h11.EndOfMessage)
        answer = [('Connection', 'Upgrade'), ('Upgrade', 'connect-ip'), ('Capsule-Protocol', '?1')]
        connection.send(h11.InformationalResponse(status_code=101, headers=answer))
        connection.switched()
        return connection

    def refuse(self, status: int, headers=(), body: bytes = b'') -> None:
        self.request()
        self.connection.next()
        length = [('Content-Length', str(len(body))), ('Connection', 'close')]
        self.connection.send(h11.Response(status_code=status, headers=[*headers, *length]), h11.Data(data=body), h11.EndOfMessage())
        self.connection.ended()

    def finish(self) -> None: ...

    def log(self) -> list[str]:
        return self.connection.lines if self.connection is not None else []

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
        self.plain.close()


OURS = {'config': {'carrier': 'h1', 'requestAddresses': ['ipv4']}}


@client_case(
    'CIP-08 CIP-10 switches protocols',
    source='RFC 9484 §4.2, §4.3',
    sends='GET with Connection: Upgrade, Upgrade: connect-ip',
    expects='101 with the same two fields and Capsule-Protocol; h11 finds that the protocol has been switched',
)
def switches(target: Target):
    answer = target.ask()
    found = {name: value.lower() for name, value in answer.headers}
    expect('the status', answer.status_code, 101)
    expect('Connection', found.get(b'connection'), b'upgrade')
    expect('Upgrade', found.get(b'upgrade'), b'connect-ip')
    expect('Capsule-Protocol', found.get(b'capsule-protocol'), b'?1')
    target.switched()


@client_case(
    'CIP-13 assigns an address on a connection of HTTP/1.1',
    source='RFC 9484 §4.7.2',
    sends='ADDRESS_REQUEST behind the 101',
    expects='ADDRESS_ASSIGN with its id',
)
def assigns(target: Target):
    target.tunnel()
    expect('an address of the pool', target.address().startswith('10.89.'), True)


@client_case(
    'CIP-23 answers a ping in DATAGRAM capsules on HTTP/1.1',
    source='RFC 9297 §3.5',
    sends='an echo request in a DATAGRAM capsule, in single bytes',
    expects='the echo reply in one',
)
def pings(target: Target):
    target.tunnel()
    echo = packets.echo(target.address(), HOST)
    for byte in wire.datagram_capsule(b'\0' + echo):
        target.write(bytes([byte]))
    reply = target.capsule(wire.DATAGRAM, lambda value: value[:1] == b'\0' and packets.is_echo_reply(value[1:]))
    expect('from', packets.read(reply[1:])['from'], HOST)


@client_case(
    'CIP-16 skips capsules that it does not know on HTTP/1.1',
    source='RFC 9297 §3.2, §5.4',
    sends='reserved capsules, one of them of 100 KiB',
    expects='an address, as if nothing had been',
)
def unknown(target: Target):
    target.tunnel()
    target.write(wire.capsule(wire.reserved_capsule(3), b'') + wire.capsule(wire.reserved_capsule(5), bytes(100 * 1024)))
    target.address()


for title, changes, method in [
    ('without Connection', {'Connection': None}, 'GET'),
    ('without Upgrade', {'Upgrade': None, 'Connection': None}, 'GET'),
    ('with another token', {'Upgrade': 'websocket'}, 'GET'),
    ('with POST', {}, 'POST'),
    ('with content', {'Content-Length': '0'}, 'GET'),
]:

    @client_case(
        f'CIP-10 says 400 to a request {title}',
        source='RFC 9484 §4.2',
        sends=f'a request for a tunnel, {title}',
        expects='400, and the end of the connection',
    )
    def malformed(target: Target, changes=changes, method=method):
        expect('the status', target.ask(changes, method).status_code, 400)
        expect('the end of the message', type(target.next()), h11.EndOfMessage)
        expect('the end of the connection', type(target.next()), h11.ConnectionClosed)


@client_case(
    'CIP-10 says 401 on HTTP/1.1 where a token is missing',
    source='RFC 9110 §15.5.2',
    sends='the request without Authorization',
    expects='401 with WWW-Authenticate',
    ours={'proxy': 'token'},
)
def unauthorised(target: Target):
    answer = target.ask()
    expect('the status', answer.status_code, 401)
    expect('WWW-Authenticate is there', b'www-authenticate' in dict(answer.headers), True)


@client_case(
    'CIP-10 takes a token on HTTP/1.1',
    source='RFC 6750 §2.1',
    sends='the request with Authorization',
    expects='101',
    ours={'proxy': 'token'},
)
def authorised(target: Target):
    expect('the status', target.ask({'Authorization': f'Bearer {target.token}'}).status_code, 101)


@client_case(
    'CIP-11 ends its half when the client ends the connection',
    source='RFC 9484 §4.1',
    sends='a tunnel, and the end of the connection',
    expects='the end of the connection',
)
def ends(target: Target):
    target.tunnel()
    # With all that it has sent before its answer: TLS of Python ends no connection on which something is unread.
    target.address()
    target.stream.unwrap()


@client_case(
    'H3-08 gets a small page for GET over HTTP/1.1',
    source='RFC 9112 §6, §9.6',
    sends='GET /',
    expects='200 with the content that Content-Length announces, and the end of the connection',
)
def page(target: Target):
    answer = target.ask({'Connection': None, 'Upgrade': None, 'Capsule-Protocol': None}, path='/')
    expect('the status', answer.status_code, 200)
    length = 0
    while isinstance(event := target.next(), h11.Data):
        length += len(event.data)
    expect('the length', str(length).encode(), dict(answer.headers)[b'content-length'])
    expect('the end of the connection', type(target.next()), h11.ConnectionClosed)


@proxy_case(
    'CIP-10 asks for an upgrade, and uses the tunnel',
    source='RFC 9484 §4.2',
    sends='101, ADDRESS_ASSIGN, ROUTE_ADVERTISEMENT; echo replies in DATAGRAM capsules',
    expects='one Host, Connection: Upgrade, Upgrade: connect-ip; no byte before the 101; ADDRESS_REQUEST; a ping',
    ours=OURS | {'steps': [['connect'], ['ping', GATEWAY_V4], ['close']]},
)
def whole(listener: Listener):
    connection = listener.accept()
    expect('what came before the answer', connection.rest, b'')
    connection.capsule(wire.ADDRESS_REQUEST)
    connection.write(wire.address_assign((1, f'{CLIENT_V4}/32')) + wire.route_advertisement(('0.0.0.0', '255.255.255.255')))
    echo = connection.capsule(wire.DATAGRAM, lambda value: packets.is_echo_request(value[1:]))
    connection.write(wire.datagram_capsule(b'\0' + packets.answer(echo[1:])))
    connection.ended()


for status, pattern in [(200, r'"yes" is 101'), (302, 'status 302'), (401, 'http 401'), (503, 'http 503')]:

    @proxy_case(
        f'CIP-08 CIP-10 has no tunnel when the answer is {status}',
        source='RFC 9484 §4.3',
        sends=f'{status} with content',
        expects='the end of the connection',
        ours=OURS | {'steps': [['connect fails', pattern]]},
    )
    def refused(listener: Listener, status=status):
        listener.refuse(status, body=b'nothing')


converse(Target, Listener)
