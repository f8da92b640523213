"""masque-lab's proxy, as a client case sees it."""

from cases import Mismatch
from connection import LOOPBACK, Connection, dial
from tunnel import Tunnel

EVERYTHING = '/.well-known/masque/ip/*/*/'


class Target:
    def __init__(self, port: int, ca: str, token: str | None = None) -> None:
        self.port = port
        self.ca = ca
        self.token = token
        self.authority = f'{LOOPBACK}:{port}'
        self.connections: list[Connection] = []

    def dial(self, settings: dict[int, int] | None = None, **options) -> Connection:
        """The first packet has left, and no more."""
        connection = dial(self.port, self.ca, settings, **options)
        self.connections.append(connection)
        return connection

    def handshake(self, **options) -> Connection:
        """The handshake is done; of HTTP/3 there are QPACK's streams only: the control stream is up to the case."""
        connection = self.dial(**options)
        connection.wait_for('the end of the handshake', lambda: connection.established)
        return connection

    def connect(self, settings: dict[int, int] | None = None, **options) -> Connection:
        """The handshake is done, and HTTP/3 has begun on both sides."""
        connection = self.handshake(settings=settings, **options)
        connection.start_http3()
        connection.peer_settings()
        return connection

    def request_fields(self, path: str = EVERYTHING, **changes: str | None) -> list[tuple[str, str]]:
        """The fields of a CONNECT-IP request (RFC 9484 §4.5). `changes` by name, `_method` for `:method`; None leaves out."""
        fields = {
            ':method': 'CONNECT',
            ':protocol': 'connect-ip',
            ':scheme': 'https',
            ':authority': self.authority,
            ':path': path,
            'capsule-protocol': '?1',
        }
        if self.token is not None:
            fields['authorization'] = f'Bearer {self.token}'
        for name, value in changes.items():
            fields[name.replace('_', ':', 1) if name.startswith('_') else name.replace('_', '-')] = value
        return [(name, value) for name, value in fields.items() if value is not None]

    def request(self, connection: Connection, fields: list[tuple[str, str]], end: bool = False) -> int:
        """Sends a request through aioquic's HTTP/3; returns its stream."""
        stream_id = connection.new_stream()
        connection.note(f'sent request on stream {stream_id}: {fields}')
        connection.h3.send_headers(stream_id, [(name.encode(), value.encode()) for name, value in fields], end)
        connection.flush()
        return stream_id

    def get(self, connection: Connection, path: str = '/', method: str = 'GET', **extra: str) -> tuple[dict[str, str], bytes]:
        """A plain request; returns header fields and content."""
        fields = [(':method', method), (':scheme', 'https'), (':authority', self.authority), (':path', path)]
        stream_id = self.request(connection, fields + list(extra.items()), end=True)
        response = connection.response(stream_id)
        connection.wait_for(f'the end of stream {stream_id}', lambda: stream_id in connection.ended)
        return response, bytes(connection.content.get(stream_id, b''))

    def tunnel(self, connection: Connection | None = None, path: str = EVERYTHING, **changes: str | None) -> Tunnel:
        """A tunnel with its addresses; fails unless the proxy says 200."""
        connection = connection or self.connect()
        tunnel = Tunnel(connection, self.request(connection, self.request_fields(path, **changes)))
        status = connection.response(tunnel.stream_id)[':status']
        if status != '200':
            raise Mismatch('status 200', connection.summary())
        tunnel.wait_assigned()
        return tunnel

    def raw_request(self, connection: Connection, data: bytes, end: bool = False) -> int:
        """Bytes on a new request stream."""
        stream_id = connection.new_stream()
        connection.send_stream(stream_id, data, end)
        return stream_id

    def finish(self) -> None:
        for connection in self.connections:
            connection.expect_no_complaint()

    def log(self) -> list[str]:
        return [line for connection in self.connections for line in connection.log]

    def close(self) -> None:
        for connection in self.connections:
            connection.close()

