"""A CONNECT-IP tunnel, seen from either end: capsules and packets that a case sends and waits for."""

import packets
import wire
from cases import Mismatch
from connection import WAIT_SECONDS, Connection


class Tunnel:
    def __init__(self, connection: Connection, stream_id: int) -> None:
        self.connection = connection
        self.stream_id = stream_id
        self.addresses: list[str] = []
        """Our own, without prefix lengths; `wait_assigned` fills it."""
        self.packets: list[bytes] = []
        """IP packets that came as datagrams in context 0, or in DATAGRAM capsules."""
        self.other_contexts: list[bytes] = []
        self.answers_pings = True
        self.answered = 0
        self._capsules_read = 0
        connection.on_datagram = self._on_datagram

    # -- out ------------------------------------------------------------------------------------------------------

    def send(self, *capsules: bytes, end: bool = False) -> None:
        """Capsules, or pieces of them, in one DATA frame."""
        data = b''.join(capsules)
        self.connection.note(f'sent capsules on stream {self.stream_id}: {data[:40].hex()}{" FIN" if end else ""}')
        self.connection.h3.send_data(self.stream_id, data, end)
        self.connection.flush()

    def send_packet(self, packet: bytes, context: bytes = b'\x00') -> None:
        """An IP packet in a QUIC DATAGRAM (RFC 9484 §6)."""
        self.connection.note(f'sent packet {packets.describe(packet)}')
        self.connection.h3.send_datagram(self.stream_id, context + packet)
        self.connection.flush()

    def send_packet_capsule(self, packet: bytes, context: bytes = b'\x00') -> None:
        """An IP packet in a DATAGRAM capsule (RFC 9297 §3.5)."""
        self.send(wire.datagram_capsule(context + packet))

    # -- in -------------------------------------------------------------------------------------------------------

    def capsules(self, type_: int | None = None) -> list[bytes]:
        """The values of the capsules that have arrived, of one type."""
        found = wire.split(bytes(self.connection.content.get(self.stream_id, b'')))
        return [value for each, value in found if type_ is None or each == type_]

    def wait_capsule(self, type_: int, nth: int = 0) -> bytes:
        """The value of the n-th capsule of this type."""
        name = {1: 'ADDRESS_ASSIGN', 2: 'ADDRESS_REQUEST', 3: 'ROUTE_ADVERTISEMENT', 0: 'DATAGRAM'}.get(type_, hex(type_))
        self.connection.wait_for(f'capsule {nth + 1} of type {name}', lambda: len(self.capsules(type_)) > nth)
        return self.capsules(type_)[nth]

    def wait_assigned(self, nth: int = 0) -> list[tuple[int, str]]:
        """The n-th ADDRESS_ASSIGN."""
        assigned = wire.read_addresses(self.wait_capsule(wire.ADDRESS_ASSIGN, nth))
        self.addresses = [prefix.split('/')[0] for _, prefix in assigned if prefix not in ('0.0.0.0/32', '::/128')]
        return assigned

    def wait_routes(self, nth: int = 0) -> list[tuple[str, str, int]]:
        return wire.read_routes(self.wait_capsule(wire.ROUTE_ADVERTISEMENT, nth))

    def address(self, target: str) -> str:
        """Our address of the target's family."""
        for each in self.addresses:
            if (':' in each) == (':' in target):
                return each
        raise Mismatch(f'an assigned address of the family of {target}', f'{self.addresses}')

    def wait_packet(self, what: str, wanted, seconds: float = WAIT_SECONDS) -> dict:
        """The first packet for which `wanted(its fields)` holds, taken off the list."""

        return packets.read(self.wait_raw_packet(lambda packet: wanted(packets.read(packet)), what, seconds))

    def wait_raw_packet(self, wanted, what: str = 'as wanted', seconds: float = WAIT_SECONDS) -> bytes:
        """The same, byte by byte."""

        def found() -> bytes | None:
            self._read_capsule_packets()
            return next((packet for packet in self.packets if wanted(packet)), None)

        self.connection.wait_for(f'a packet: {what}', found, seconds)
        packet = found()
        self.packets.remove(packet)
        return packet

    def pump_pings(self, count: int = 1) -> None:
        """Answers pings until `count` have been answered."""
        self.connection.wait_for(f'{count} echo requests', lambda: self.answered >= count)

    # -- both -----------------------------------------------------------------------------------------------------

    def ping(self, target: str, size: int = 56, source: str | None = None, ttl: int = 64, capsules: bool = False) -> dict:
        """An echo request and its reply, whose fields are returned; fails when none comes."""
        sequence = self._sequence = getattr(self, '_sequence', 0) + 1
        request = packets.echo(source or self.address(target), target, size, sequence, ttl)
        (self.send_packet_capsule if capsules else self.send_packet)(request)
        sent = packets.read(request)['data']
        reply = self.wait_packet(
            f'echo reply from {target} of {size} bytes, sequence number {sequence}',
            lambda seen: seen.get('type') in (0, 129) and seen['from'] == target and seen['sequence'] == sequence,
        )
        if reply['data'] != sent:
            raise Mismatch(f'the {size} bytes that were sent', f'{len(reply["data"])} other bytes')
        return reply

    def wait_icmp(self, type_: int, code: int) -> dict:
        """An ICMP error."""
        return self.wait_packet(
            f'ICMP type {type_} code {code}', lambda seen: (seen.get('type'), seen.get('code')) == (type_, code)
        )

    def expect_no_answer(self, packet: bytes, seconds: float = 0.15) -> None:
        """The packet must be dropped without a word."""
        self.packets.clear()
        self.send_packet(packet)
        self.connection.pump(lambda: self.packets, seconds)
        if self.packets:
            raise Mismatch('no answer', packets.describe(self.packets[0]))

    def expect_open(self) -> None:
        """Neither side has ended the stream, and the connection goes on."""
        self.connection.expect_open()
        if not self.open:
            raise Mismatch('the tunnel goes on', self.connection.summary())

    def expect_abort(self, *codes: int) -> None:
        """The other side resets the request stream; the connection goes on."""
        self.connection.expect_reset(self.stream_id, *codes)

    @property
    def open(self) -> bool:
        c = self.connection
        return self.stream_id not in c.resets and self.stream_id not in c.stops and self.stream_id not in c.ended

    def end(self) -> None:
        """FIN, and waits for the other side's."""
        self.send(b'', end=True)
        self.connection.wait_for(f'the end of stream {self.stream_id}', lambda: self.stream_id in self.connection.ended)

    # -- packets --------------------------------------------------------------------------------------------------

    def _on_datagram(self, stream_id: int, payload: bytes) -> None:
        if stream_id != self.stream_id:
            return
        if payload[:1] != b'\x00':
            self.other_contexts.append(payload)
            return
        self._on_packet(payload[1:])

    def _on_packet(self, packet: bytes) -> None:
        if self.answers_pings and packets.is_echo_request(packet) and packets.read(packet)['to'] in self.addresses:
            self.answered += 1
            self.send_packet(packets.answer(packet))
        else:
            self.packets.append(packet)

    def _read_capsule_packets(self) -> None:
        arrived = self.capsules(wire.DATAGRAM)
        for value in arrived[self._capsules_read :]:
            if value[:1] == b'\x00':
                self.packets.append(value[1:])
        self._capsules_read = len(arrived)
