"""This program's proxy, as a proxy case sees it: it waits for masque-lab's client."""

import wire
from cases import Mismatch
from connection import Connection, accept, new_socket
from tunnel import Tunnel

GATEWAY_V4, GATEWAY_V6 = '10.77.0.1', 'fd77::1'
CLIENT_V4, CLIENT_V6 = '10.77.0.2', 'fd77::2'

ASSIGNED = wire.address_assign((0, f'{CLIENT_V4}/32'), (0, f'{CLIENT_V6}/128'))
ROUTES = wire.route_advertisement(('10.77.0.0', '10.77.0.255'), ('fd77::', 'fd77::ffff'))

LEAVE_SECONDS = 8.0


class Listener:
    def __init__(self, certificate: str, key: str) -> None:
        self.socket = new_socket()
        self.port = self.socket.getsockname()[1]
        self.certificate = certificate
        self.key = key
        self.connections: list[Connection] = []

    def accept(self, settings: dict[int, int] | None = None, retry: bool = False, **options) -> Connection:
        """A client's connection, the handshake done, nothing of HTTP/3 sent yet."""
        connection = accept(self.socket, self.certificate, self.key, settings, retry, **options)
        self.connections.append(connection)
        connection.wait_for('the end of the handshake', lambda: connection.established)
        return connection

    def request(self, connection: Connection | None = None, **options) -> Tunnel:
        """The client's CONNECT-IP request, not yet answered."""
        if connection is None:
            connection = self.accept(**options)
            connection.start_http3()
        connection.wait_for('a request', lambda: connection.fields)
        stream_id, [fields, *_] = next(iter(connection.fields.items()))
        if dict(fields).get(':protocol') != 'connect-ip':
            raise Mismatch('a CONNECT-IP request', str(fields))
        tunnel = Tunnel(connection, stream_id)
        tunnel.addresses = [GATEWAY_V4, GATEWAY_V6]
        return tunnel

    def tunnel(self, connection: Connection | None = None, **options) -> Tunnel:
        """A tunnel: 200, the client's requests for addresses answered, routes."""
        tunnel = self.request(connection, **options)
        self.answer(tunnel, '200')
        self.give_addresses(tunnel)
        tunnel.send(ROUTES)
        return tunnel

    def answer(self, tunnel: Tunnel, status: str, *extra: tuple[str, str], end: bool = False) -> None:
        """The header fields of a response."""
        fields = [(':status', status)]
        if status[0] == '2':
            fields.append(('capsule-protocol', '?1'))
        fields += extra
        tunnel.connection.note(f'sent response {fields}{" FIN" if end else ""}')
        headers = [(name.encode(), value.encode()) for name, value in fields]
        tunnel.connection.h3.send_headers(tunnel.stream_id, headers, end)
        tunnel.connection.flush()

    def give_addresses(self, tunnel: Tunnel) -> None:
        """Answers the client's ADDRESS_REQUEST, which is sent together with the request; unprompted when there is none."""
        if not tunnel.capsules(wire.ADDRESS_REQUEST):
            tunnel.connection.pump(lambda: tunnel.capsules(wire.ADDRESS_REQUEST), 0.05)
        wishes = [each for value in tunnel.capsules(wire.ADDRESS_REQUEST) for each in wire.read_addresses(value)]
        given = [(id_, f'{CLIENT_V6}/128' if ':' in prefix else f'{CLIENT_V4}/32') for id_, prefix in wishes]
        tunnel.send(wire.address_assign(*given) if given else ASSIGNED)

    def wait_until_left(self) -> None:
        """Until the client has closed its connection; pings are answered meanwhile."""
        for connection in self.connections:
            if not connection.pump(lambda each=connection: each.closed or each.closing, LEAVE_SECONDS):
                raise Mismatch('the client closes its connection', connection.summary())

    def finish(self) -> None:
        self.wait_until_left()
        for connection in self.connections:
            connection.expect_no_complaint()

    def log(self) -> list[str]:
        return [line for connection in self.connections for line in connection.log]

    def close(self) -> None:
        for connection in self.connections:
            connection.close()
        self.socket.close()
