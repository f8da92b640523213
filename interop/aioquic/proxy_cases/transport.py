"""QUIC under the tunnel, with the client at the other end (RFC 9000, RFC 9001)."""

from cases import expect, proxy_case
from connection import accept
from listener import GATEWAY_V4, Listener

PINGS = {'steps': [['connect'], *[['ping', GATEWAY_V4]] * 6]}


@proxy_case(
    'proves its address after a Retry',
    source='RFC 9000 §8.1.2',
    sends='Retry',
    expects='the token in the next Initial, and a tunnel that works',
)
def retry(listener: Listener):
    listener.tunnel(retry=True)


@proxy_case(
    'Q-02 says that a server without h3 speaks something else',
    source='RFC 9001 §8.1',
    sends='a handshake for ALPN foo only: no_application_protocol',
    expects='an error about the protocol, not about trust',
    ours={'steps': [['connect fails', '(?=.*(ALPN|HTTP/3|h3))(?!.*trust)']]},
)
def alpn(listener: Listener):
    connection = accept(listener.socket, listener.certificate, listener.key, alpn_protocols=['foo'])
    listener.connections.append(connection)
    connection.pump(lambda: connection.closed, 5)
    expect('a tunnel', connection.established, False)


@proxy_case(
    'goes on after key updates from the proxy',
    source='RFC 9001 §6',
    sends='a key update behind each ping',
    expects='pings that go on',
    ours=PINGS,
)
def key_update(listener: Listener):
    tunnel = listener.tunnel()
    deliver = tunnel._on_packet

    def update(packet: bytes) -> None:
        deliver(packet)
        tunnel.connection.quic.request_key_update()

    tunnel._on_packet = update


@proxy_case(
    'Q-03 goes on when the proxy changes its connection ids',
    source='RFC 9000 §5.1.2',
    sends='another connection id of the client’s behind each of three pings',
    expects='pings that go on',
    ours=PINGS,
)
def connection_ids(listener: Listener):
    tunnel = listener.tunnel()
    for _ in range(3):
        tunnel.connection.change_id()
        tunnel.connection.ping()


@proxy_case(
    'waits for the credit of a proxy with small windows',
    source='RFC 9000 §4',
    sends='windows of 700 bytes a connection and 100 bytes a stream',
    expects='a tunnel that works',
)
def small_windows(listener: Listener):
    listener.tunnel(max_data=700, max_stream_data=100)


for length in (4, 20):

    @proxy_case(
        f'speaks with a proxy whose connection ids have {length} bytes',
        source='RFC 9000 §17.2',
        sends=f'connection ids of {length} bytes',
        expects='a tunnel that works',
    )
    def id_length(listener: Listener, length=length):
        listener.tunnel(connection_id_length=length)
