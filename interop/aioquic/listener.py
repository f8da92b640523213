"""This program's proxy, as a proxy case sees it: it waits for masque-lab's client."""

from cases import Mismatch
from connection import Connection, accept, new_socket
from tunnel import Tunnel

GATEWAY = {4: '10.77.0.1', 6: 'fd77::1'}
CLIENT = {4: '10.77.0.2', 6: 'fd77::2'}


class Listener:
    def __init__(self, certificate: str, key: str) -> None:
        self.socket = new_socket()
        self.port = self.socket.getsockname()[1]
        self.certificate = certificate
        self.key = key
        self.connections: list[Connection] = []

    def accept(self, settings: dict[int, int] | None = None, **options) -> Connection:
        """A client's connection, the handshake done, our SETTINGS not sent yet."""
        connection = accept(self.socket, self.certificate, self.key, settings, **options)
        self.connections.append(connection)
        connection.wait_for('the end of the handshake', lambda: connection.established)
        return connection

    def request(self, connection: Connection | None = None) -> Tunnel:
        """The client's CONNECT-IP request, not yet answered."""
        if connection is None:
            connection = self.accept()
            connection.start_http3()
        connection.wait_for('a request', lambda: connection.fields)
        stream_id, [fields, *_] = next(iter(connection.fields.items()))
        if dict(fields).get(':protocol') != 'connect-ip':
            raise Mismatch('a CONNECT-IP request', str(fields))
        return Tunnel(connection, stream_id)

    def close(self) -> None:
        for connection in self.connections:
            connection.close()
        self.socket.close()
