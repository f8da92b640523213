"""One QUIC connection of aioquic on a UDP socket of its own. Nothing happens while nobody waits: no threads, no event loop."""

import os
import select
import socket
import time
from collections.abc import Callable

import wire
from aioquic.buffer import Buffer
from aioquic.h3.connection import H3Connection
from aioquic.h3.events import DatagramReceived, DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import (
    ConnectionTerminated,
    DatagramFrameReceived,
    HandshakeCompleted,
    PingAcknowledged,
    StopSendingReceived,
    StreamDataReceived,
    StreamReset,
)
from aioquic.quic.packet import QuicPacketType, encode_quic_retry, pull_quic_header
from aioquic.quic.retry import QuicRetryTokenHandler
from cases import Mismatch

LOOPBACK = '127.0.0.1'
WAIT_SECONDS = 5.0
LOG_LINES = 60

# aioquic never sends a datagram that does not fit, and then sends none of those behind it either.
MAX_UDP_PAYLOAD = 1452
MAX_DATAGRAM_FRAME = 65536

# In bytes: RFC 9000 §7.2.
MIN_FIRST_DESTINATION_ID = 8

DEFAULT_SETTINGS = {
    wire.QPACK_MAX_TABLE_CAPACITY: 4096,
    wire.QPACK_BLOCKED_STREAMS: 16,
    wire.ENABLE_CONNECT_PROTOCOL: 1,
    wire.H3_DATAGRAM: 1,
    wire.reserved(0): 1,
}


class Http3(H3Connection):
    """aioquic's HTTP/3, with SETTINGS of our choice and at a time of our choice. QPACK's dynamic table is offered."""

    def __init__(self, quic: QuicConnection, settings: dict[int, int]) -> None:
        self._chosen = settings
        super().__init__(quic)

    def _init_connection(self) -> None:
        """Called by the constructor: too early."""

    def start_qpack(self) -> None:
        """QPACK's streams, which aioquic needs as soon as something arrives."""
        self._local_encoder_stream_id = self._create_uni_stream(wire.ENCODER_STREAM)
        self._local_decoder_stream_id = self._create_uni_stream(wire.DECODER_STREAM)

    def start_control(self) -> None:
        """The control stream: SETTINGS, and from a client how many pushes it takes."""
        self._local_control_stream_id = self._create_uni_stream(wire.CONTROL_STREAM)
        frames = wire.settings(self._chosen)
        if self._is_client:
            frames += wire.frame(wire.MAX_PUSH_ID, wire.varint(self._max_push_id))
        self._quic.send_stream_data(self._local_control_stream_id, frames)


class Connection:
    """What has arrived is kept by stream, for the cases to look at; every wait is bounded and says what it waited for."""

    def __init__(self, quic: QuicConnection, sock: socket.socket, settings: dict[int, int] | None = None) -> None:
        self.quic = quic
        self.socket = sock
        self.h3 = Http3(quic, DEFAULT_SETTINGS if settings is None else settings)
        self.log: list[str] = []
        self.established = False
        self.resumed = False
        self.alpn: str | None = None
        self.closed: ConnectionTerminated | None = None
        self.closing = False
        self.complaint: str | None = None
        """What aioquic itself found wrong with the other side, for which it closes the connection."""
        self.pings: set[int] = set()
        self.fields: dict[int, list[list[tuple[str, str]]]] = {}
        """HEADERS by stream, in order."""
        self.content: dict[int, bytearray] = {}
        """What DATA frames held."""
        self.raw: dict[int, bytearray] = {}
        """Unidirectional streams of the peer, byte by byte."""
        self.ended: set[int] = set()
        self.resets: dict[int, int] = {}
        self.stops: dict[int, int] = {}
        self.datagrams: list[tuple[int, bytes]] = []
        """Stream and HTTP Datagram payload of each QUIC DATAGRAM."""
        self.on_datagram: Callable[[int, bytes], None] | None = None

    # -- what a case does -----------------------------------------------------------------------------------------

    def note(self, line: str) -> None:
        self.log.append(f'{time.monotonic() % 1000:7.3f} {line}')
        del self.log[:-LOG_LINES]

    def start_http3(self) -> None:
        """The control stream with SETTINGS; QPACK's streams are there since the handshake."""
        self.h3.start_control()
        self.flush()

    def send_stream(self, stream_id: int, data: bytes, end: bool = False) -> None:
        """Bytes as they are, past aioquic's HTTP/3."""
        self.note(f'sent on stream {stream_id}: {len(data)} bytes {data[:24].hex()}{" FIN" if end else ""}')
        self.quic.send_stream_data(stream_id, data, end)
        self.flush()

    def new_stream(self, unidirectional: bool = False) -> int:
        return self.quic.get_next_available_stream_id(is_unidirectional=unidirectional)

    def send_control(self, data: bytes) -> None:
        self.send_stream(self.h3._local_control_stream_id, data)

    def send_datagram(self, data: bytes) -> None:
        """A QUIC DATAGRAM frame as it is."""
        self.note(f'sent datagram of {len(data)} bytes {data[:12].hex()}')
        self.quic.send_datagram_frame(data)
        self.flush()

    def reset(self, stream_id: int, code: int) -> None:
        self.note(f'sent RESET_STREAM {stream_id} code {code:#x}')
        self.quic.reset_stream(stream_id, code)
        self.flush()

    def stop(self, stream_id: int, code: int) -> None:
        self.note(f'sent STOP_SENDING {stream_id} code {code:#x}')
        self.quic.stop_stream(stream_id, code)
        self.flush()

    def change_id(self) -> None:
        """Goes on with another of the peer's connection ids, and retires the one before."""
        self.wait_for('a spare connection id', lambda: self.quic._peer_cid_available)
        self.quic.change_connection_id()
        self.note('changed the connection id')

    def rebind(self) -> None:
        """Goes on from another UDP port, as after a change of a NAT's mind."""
        self.socket.close()
        self.socket = new_socket()
        self.note(f'now on port {self.socket.getsockname()[1]}')

    def ping(self) -> None:
        """A QUIC PING and its acknowledgement: whatever was sent before has arrived by then."""
        uid = len(self.pings) + 1
        self.quic.send_ping(uid)
        self.wait_for('the acknowledgement of a QUIC PING', lambda: uid in self.pings)

    def leave(self, code: int = wire.H3_NO_ERROR, words: str = '') -> None:
        """CONNECTION_CLOSE."""
        if self.closed is None and not self.closing:
            self.closing = True
            self.note(f'sent CONNECTION_CLOSE {code:#x} "{words}"')
            self.quic.close(error_code=code, reason_phrase=words)
            self.flush()

    def expect_no_complaint(self) -> None:
        """aioquic itself must have found nothing wrong with the other side."""
        if self.complaint is not None:
            raise Mismatch('nothing that aioquic complains of', self.complaint)

    def close(self) -> None:
        self.leave()
        self.socket.close()

    # -- what a case waits for ------------------------------------------------------------------------------------

    def wait_for(self, what: str, until: Callable[[], object], seconds: float = WAIT_SECONDS) -> None:
        """Fails with a Mismatch when the connection ends, or the time is up, before `until` holds."""
        if not self.pump(lambda: until() or self.closed, seconds) or not until():
            raise Mismatch(what, self.summary())

    def expect_open(self, seconds: float = 0.1) -> None:
        """Whatever was sent before must not have ended the connection."""
        self.pump(lambda: self.closed, seconds)
        if self.closed is None:
            self.ping()
        if self.closed is not None:
            raise Mismatch('the connection goes on', self.summary())

    def expect_close(self, *codes: int, seconds: float = WAIT_SECONDS) -> None:
        """The peer closes the connection with one of these codes."""
        names = ' or '.join(f'{code:#x}' for code in codes)
        self.pump(lambda: self.closed, seconds)
        if self.closed is None or self.closed.error_code not in codes:
            raise Mismatch(f'the connection is closed with {names}', self.summary())

    def expect_reset(self, stream_id: int, *codes: int) -> None:
        """The peer resets the stream with one of these codes, and the connection goes on."""
        names = ' or '.join(f'{code:#x}' for code in codes)
        self.wait_for(f'RESET_STREAM of stream {stream_id} with {names}', lambda: stream_id in self.resets)
        if self.resets[stream_id] not in codes:
            raise Mismatch(f'RESET_STREAM of stream {stream_id} with {names}', self.summary())
        self.expect_open(0)

    def response(self, stream_id: int, final: bool = True) -> dict[str, str]:
        """The header fields of the (final) response or of the request on a stream."""

        def arrived() -> dict[str, str] | None:
            for fields in self.fields.get(stream_id, []):
                if not (final and dict(fields).get(':status', '')[:1] == '1'):
                    return dict(fields)
            return None

        self.wait_for(f'header fields on stream {stream_id}', arrived)
        return arrived() or {}

    def control_frames(self) -> list[tuple[int, bytes]]:
        """Whole frames that have come on the peer's control stream."""
        for data in self.raw.values():
            if data[:1] == b'\x00':
                return wire.split(bytes(data[1:]))
        return []

    def peer_settings(self) -> dict[int, int]:
        self.wait_for('SETTINGS', self.control_frames)
        type_, value = self.control_frames()[0]
        if type_ != wire.SETTINGS:
            raise Mismatch('SETTINGS as the first frame of the control stream', f'a frame of type {type_:#x}')
        found, at = {}, 0
        while at < len(value):
            key, at = wire.read_varint(value, at)
            found[key], at = wire.read_varint(value, at)
        return found

    def summary(self) -> str:
        """The state in a few words, for a failure."""
        parts = []
        if self.complaint is not None:
            parts.append(f'aioquic complains: {self.complaint}')
        if self.closed is not None:
            parts.append(f'the connection closed with {self.closed.error_code:#x} "{self.closed.reason_phrase}"')
        else:
            parts.append('the connection open' if self.established else 'no connection yet')
        parts += [f'stream {id_} reset with {code:#x}' for id_, code in self.resets.items()]
        parts += [f'stream {id_} stopped with {code:#x}' for id_, code in self.stops.items()]
        parts += [f'stream {id_} ended' for id_ in sorted(self.ended)]
        for stream_id, sections in self.fields.items():
            parts += [f'stream {stream_id} {dict(section)}' for section in sections]
        parts += [f'{len(data)} bytes of content on stream {id_}' for id_, data in self.content.items() if data]
        parts.append(f'{len(self.datagrams)} datagrams')
        return '; '.join(parts)

    # -- input and output -----------------------------------------------------------------------------------------

    def flush(self) -> None:
        if self.quic._close_pending and not self.closing and self.complaint is None:
            event = self.quic._close_event
            self.complaint = f'{event.error_code:#x} "{event.reason_phrase}"'
            self.note(f'aioquic closes the connection: {self.complaint}')
        for data, address in self.quic.datagrams_to_send(now=time.monotonic()):
            try:
                self.socket.sendto(data, address)
            except OSError as error:
                self.note(f'not sent: {error}')

    def pump(self, until: Callable[[], object], seconds: float) -> bool:
        """Moves packets, timers and events until `until` holds or the time is up."""
        deadline = time.monotonic() + seconds
        while True:
            self._read_events()
            self.flush()
            if until():
                return True
            now = time.monotonic()
            if now >= deadline or self.socket.fileno() < 0:
                return False
            timer = self.quic.get_timer()
            wake = deadline if timer is None else min(deadline, timer)
            if select.select([self.socket], [], [], max(0.0, wake - now))[0]:
                self._receive()
            now = time.monotonic()
            if timer is not None and now >= timer:
                self.quic.handle_timer(now=now)

    def _receive(self) -> None:
        # A few at a time, so that acknowledgements leave in between.
        for _ in range(16):
            try:
                data, address = self.socket.recvfrom(65536)
            except BlockingIOError:
                return
            except ConnectionRefusedError:
                continue  # nobody listens there any more
            self.quic.receive_datagram(data, address, now=time.monotonic())

    def _read_events(self) -> None:
        while (event := self.quic.next_event()) is not None:
            self._read_event(event)

    def _read_event(self, event: object) -> None:
        match event:
            case HandshakeCompleted():
                self.established = True
                self.alpn = event.alpn_protocol
                self.resumed = event.session_resumed
                self.h3.start_qpack()
                self.note(f'handshake done, {event.alpn_protocol}')
            case ConnectionTerminated():
                self.closed = event
                self.note(f'closed with {event.error_code:#x} "{event.reason_phrase}"')
            case StreamReset():
                self.resets[event.stream_id] = event.error_code
                self.note(f'got RESET_STREAM {event.stream_id} code {event.error_code:#x}')
            case StopSendingReceived():
                self.stops[event.stream_id] = event.error_code
                self.note(f'got STOP_SENDING {event.stream_id} code {event.error_code:#x}')
            case StreamDataReceived():
                fin = ' FIN' if event.end_stream else ''
                self.note(f'got on stream {event.stream_id}: {len(event.data)} bytes {event.data[:24].hex()}{fin}')
                if event.stream_id & 2:
                    self.raw.setdefault(event.stream_id, bytearray()).extend(event.data)
                if event.end_stream:
                    self.ended.add(event.stream_id)
            case DatagramFrameReceived():
                self.note(f'got datagram of {len(event.data)} bytes')
            case PingAcknowledged():
                self.pings.add(event.uid)
        for found in self.h3.handle_event(event):
            match found:
                case HeadersReceived():
                    fields = [(name.decode(), value.decode()) for name, value in found.headers]
                    self.fields.setdefault(found.stream_id, []).append(fields)
                    self.note(f'got HEADERS on stream {found.stream_id}: {fields}')
                case DataReceived():
                    self.content.setdefault(found.stream_id, bytearray()).extend(found.data)
                case DatagramReceived():
                    self.datagrams.append((found.stream_id, found.data))
                    if self.on_datagram is not None:
                        self.on_datagram(found.stream_id, found.data)


def new_socket() -> socket.socket:
    """On loopback, with a port that the system chooses."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((LOOPBACK, 0))
    sock.setblocking(False)
    return sock


def configuration(**options) -> QuicConfiguration:
    defaults = {
        'alpn_protocols': ['h3'],
        'max_datagram_frame_size': MAX_DATAGRAM_FRAME,
        'max_datagram_size': MAX_UDP_PAYLOAD,
        'idle_timeout': 20.0,
    }
    return QuicConfiguration(**(defaults | options))


def dial(port: int, ca: str, settings: dict[int, int] | None = None, session_handler=None, **options) -> Connection:
    """A client's connection to a proxy on loopback, before its first packet is answered."""
    config = configuration(is_client=True, server_name=LOOPBACK, cafile=ca, **options)
    quic = QuicConnection(configuration=config, session_ticket_handler=session_handler)
    if config.connection_id_length < MIN_FIRST_DESTINATION_ID:
        # aioquic makes what it calls the server at first as long as its own ids.
        quic._peer_cid.cid = quic._original_destination_connection_id = os.urandom(MIN_FIRST_DESTINATION_ID)
    connection = Connection(quic, new_socket(), settings)
    quic.connect((LOOPBACK, port), now=time.monotonic())
    connection.flush()
    return connection


def accept(
    sock: socket.socket, certificate: str, key: str, settings: dict[int, int] | None = None, retry: bool = False, **options
) -> Connection:
    """A server's connection: waits for the first packet of a client, which with `retry` has to prove its address."""
    config = configuration(is_client=False, **options)
    config.load_cert_chain(certificate, key)
    tokens = QuicRetryTokenHandler()
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        if not select.select([sock], [], [], 0.5)[0]:
            continue
        data, address = sock.recvfrom(65536)
        header = pull_quic_header(Buffer(data=data), host_cid_length=config.connection_id_length)
        if header.packet_type != QuicPacketType.INITIAL:
            continue  # left over from a connection before
        ids = {'original_destination_connection_id': header.destination_cid}
        if retry and not header.token:
            source = os.urandom(8)
            token = tokens.create_token(
                address=address,
                original_destination_connection_id=header.destination_cid,
                retry_source_connection_id=source,
                now=time.monotonic(),
            )
            packet = encode_quic_retry(
                version=header.version,
                source_cid=source,
                destination_cid=header.source_cid,
                original_destination_cid=header.destination_cid,
                retry_token=token,
            )
            sock.sendto(packet, address)
            continue
        if retry:
            original = tokens.validate_token(
                address=address, destination_cid=header.destination_cid, token=header.token, now=time.monotonic()
            )
            ids = {
                'original_destination_connection_id': original,
                'retry_source_connection_id': header.destination_cid,
            }
        connection = Connection(QuicConnection(configuration=config, **ids), sock, settings)
        connection.quic.receive_datagram(data, address, now=time.monotonic())
        connection.flush()
        return connection
    raise Mismatch('a client that connects', f'no packet within {WAIT_SECONDS:.0f} s')
