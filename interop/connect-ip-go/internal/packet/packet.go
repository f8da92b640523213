// Package packet builds and reads the few kinds of IP packets that the interoperability tests need:
// ICMP and ICMPv6 echo, and the ICMP errors that may come back instead of an answer.
// It is written independently of the TypeScript code on purpose: two readings of the RFCs check each other.
package packet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
)

// Protocol numbers and ICMP types, by their names in RFC 792 and RFC 4443.
const (
	ProtocolICMP   = 1
	ProtocolICMPv6 = 58

	icmpEchoReply       = 0
	icmpUnreachable     = 3
	icmpEchoRequest     = 8
	icmpTimeExceeded    = 11
	icmpFragmentNeeded  = 4 // code of icmpUnreachable
	icmpv6Unreachable   = 1
	icmpv6PacketTooBig  = 2
	icmpv6TimeExceeded  = 3
	icmpv6EchoRequest   = 128
	icmpv6EchoReply     = 129
	ipv4HeaderLength    = 20
	ipv6HeaderLength    = 40
	icmpHeaderLength    = 8
	defaultMaximumTotal = 65535
)

// Kind says what a packet means to a host that pings.
type Kind string

const (
	EchoRequest  Kind = "echo-request"
	EchoReply    Kind = "echo-reply"
	Unreachable  Kind = "unreachable"
	TooBig       Kind = "too-big"
	TimeExceeded Kind = "time-exceeded"
	Other        Kind = "other"
)

// Echo is an echo request or reply in either family; the family is that of the addresses.
type Echo struct {
	Source, Destination netip.Addr
	TTL                 uint8 // hop limit in IPv6
	Reply               bool
	ID, Sequence        uint16
	Payload             []byte
}

// Packet is what Parse understood of an IP packet.
type Packet struct {
	Source, Destination netip.Addr
	Protocol            uint8
	TTL                 uint8
	Length              int // of the whole packet, in bytes
	Kind                Kind
	Type, Code          uint8
	ID, Sequence        uint16 // echo only
	Payload             []byte // echo only: the bytes after the ICMP header
	MTU                 uint32 // TooBig only
	Quoted              []byte // ICMP errors only: the beginning of the offending packet
}

// HeaderLength is what an echo adds to its payload in the family of address: IP header and ICMP header.
func HeaderLength(address netip.Addr) int {
	if address.Is4() {
		return ipv4HeaderLength + icmpHeaderLength
	}
	return ipv6HeaderLength + icmpHeaderLength
}

// Marshal builds the whole IP packet. Fragmentation is never used: IPv4 packets carry "don't fragment".
func (e Echo) Marshal() ([]byte, error) {
	if e.Source.Is4() != e.Destination.Is4() {
		return nil, fmt.Errorf("source %s and destination %s are of different families", e.Source, e.Destination)
	}
	total := HeaderLength(e.Source) + len(e.Payload)
	if total > defaultMaximumTotal {
		return nil, fmt.Errorf("a payload of %d bytes does not fit into an IP packet", len(e.Payload))
	}
	packet := make([]byte, total)
	icmp := packet[total-icmpHeaderLength-len(e.Payload):]
	binary.BigEndian.PutUint16(icmp[4:], e.ID)
	binary.BigEndian.PutUint16(icmp[6:], e.Sequence)
	copy(icmp[icmpHeaderLength:], e.Payload)

	if e.Source.Is4() {
		icmp[0] = icmpEchoRequest
		if e.Reply {
			icmp[0] = icmpEchoReply
		}
		binary.BigEndian.PutUint16(icmp[2:], checksum(sum(0, icmp)))
		writeIPv4Header(packet, ProtocolICMP, e.TTL, e.ID, e.Source, e.Destination)
		return packet, nil
	}
	icmp[0] = icmpv6EchoRequest
	if e.Reply {
		icmp[0] = icmpv6EchoReply
	}
	binary.BigEndian.PutUint16(icmp[2:], checksum(sum(pseudoHeader(e.Source, e.Destination, len(icmp)), icmp)))
	packet[0] = 6 << 4
	binary.BigEndian.PutUint16(packet[4:], uint16(len(icmp)))
	packet[6] = ProtocolICMPv6
	packet[7] = e.TTL
	copy(packet[8:], e.Source.AsSlice())
	copy(packet[24:], e.Destination.AsSlice())
	return packet, nil
}

func writeIPv4Header(packet []byte, protocol, ttl uint8, id uint16, source, destination netip.Addr) {
	packet[0] = 4<<4 | ipv4HeaderLength/4
	binary.BigEndian.PutUint16(packet[2:], uint16(len(packet)))
	binary.BigEndian.PutUint16(packet[4:], id)
	binary.BigEndian.PutUint16(packet[6:], 0x4000) // don't fragment
	packet[8] = ttl
	packet[9] = protocol
	copy(packet[12:], source.AsSlice())
	copy(packet[16:], destination.AsSlice())
	binary.BigEndian.PutUint16(packet[10:], checksum(sum(0, packet[:ipv4HeaderLength])))
}

// Parse checks lengths and every checksum. The result refers to b, it copies nothing.
func Parse(b []byte) (Packet, error) {
	if len(b) == 0 {
		return Packet{}, errors.New("empty packet")
	}
	switch b[0] >> 4 {
	case 4:
		return parseIPv4(b)
	case 6:
		return parseIPv6(b)
	default:
		return Packet{}, fmt.Errorf("IP version %d", b[0]>>4)
	}
}

func parseIPv4(b []byte) (Packet, error) {
	if len(b) < ipv4HeaderLength {
		return Packet{}, fmt.Errorf("an IPv4 packet of %d bytes is shorter than its header", len(b))
	}
	header := int(b[0]&0x0f) * 4
	if header < ipv4HeaderLength || header > len(b) {
		return Packet{}, fmt.Errorf("IPv4 header length %d in a packet of %d bytes", header, len(b))
	}
	if total := int(binary.BigEndian.Uint16(b[2:])); total != len(b) {
		return Packet{}, fmt.Errorf("IPv4 total length %d in a packet of %d bytes", total, len(b))
	}
	if checksum(sum(0, b[:header])) != 0 {
		return Packet{}, errors.New("wrong IPv4 header checksum")
	}
	p := Packet{
		Source: netip.AddrFrom4([4]byte(b[12:16])), Destination: netip.AddrFrom4([4]byte(b[16:20])),
		Protocol: b[9], TTL: b[8], Length: len(b), Kind: Other,
	}
	if p.Protocol != ProtocolICMP || binary.BigEndian.Uint16(b[6:])&0x3fff != 0 { // not ICMP, or a fragment
		return p, nil
	}
	icmp := b[header:]
	if len(icmp) < icmpHeaderLength {
		return Packet{}, fmt.Errorf("an ICMP message of %d bytes is shorter than its header", len(icmp))
	}
	if checksum(sum(0, icmp)) != 0 {
		return Packet{}, errors.New("wrong ICMP checksum")
	}
	p.Type, p.Code = icmp[0], icmp[1]
	switch {
	case p.Type == icmpEchoRequest:
		p.echo(EchoRequest, icmp)
	case p.Type == icmpEchoReply:
		p.echo(EchoReply, icmp)
	case p.Type == icmpUnreachable && p.Code == icmpFragmentNeeded:
		p.Kind, p.Quoted = TooBig, icmp[icmpHeaderLength:]
		p.MTU = uint32(binary.BigEndian.Uint16(icmp[6:])) // RFC 1191 §4
	case p.Type == icmpUnreachable:
		p.Kind, p.Quoted = Unreachable, icmp[icmpHeaderLength:]
	case p.Type == icmpTimeExceeded:
		p.Kind, p.Quoted = TimeExceeded, icmp[icmpHeaderLength:]
	}
	return p, nil
}

func parseIPv6(b []byte) (Packet, error) {
	if len(b) < ipv6HeaderLength {
		return Packet{}, fmt.Errorf("an IPv6 packet of %d bytes is shorter than its header", len(b))
	}
	if payload := int(binary.BigEndian.Uint16(b[4:])); ipv6HeaderLength+payload != len(b) {
		return Packet{}, fmt.Errorf("IPv6 payload length %d in a packet of %d bytes", payload, len(b))
	}
	p := Packet{
		Source: netip.AddrFrom16([16]byte(b[8:24])), Destination: netip.AddrFrom16([16]byte(b[24:40])),
		Protocol: b[6], TTL: b[7], Length: len(b), Kind: Other,
	}
	if p.Protocol != ProtocolICMPv6 {
		return p, nil
	}
	icmp := b[ipv6HeaderLength:]
	if len(icmp) < icmpHeaderLength {
		return Packet{}, fmt.Errorf("an ICMPv6 message of %d bytes is shorter than its header", len(icmp))
	}
	if checksum(sum(pseudoHeader(p.Source, p.Destination, len(icmp)), icmp)) != 0 {
		return Packet{}, errors.New("wrong ICMPv6 checksum")
	}
	p.Type, p.Code = icmp[0], icmp[1]
	switch p.Type {
	case icmpv6EchoRequest:
		p.echo(EchoRequest, icmp)
	case icmpv6EchoReply:
		p.echo(EchoReply, icmp)
	case icmpv6PacketTooBig:
		p.Kind, p.Quoted, p.MTU = TooBig, icmp[icmpHeaderLength:], binary.BigEndian.Uint32(icmp[4:])
	case icmpv6Unreachable:
		p.Kind, p.Quoted = Unreachable, icmp[icmpHeaderLength:]
	case icmpv6TimeExceeded:
		p.Kind, p.Quoted = TimeExceeded, icmp[icmpHeaderLength:]
	}
	return p, nil
}

func (p *Packet) echo(kind Kind, icmp []byte) {
	p.Kind = kind
	p.ID = binary.BigEndian.Uint16(icmp[4:])
	p.Sequence = binary.BigEndian.Uint16(icmp[6:])
	p.Payload = icmp[icmpHeaderLength:]
}

// IsError reports whether the packet is an ICMP error about another packet.
func (p *Packet) IsError() bool {
	return p.Kind == Unreachable || p.Kind == TooBig || p.Kind == TimeExceeded
}

// QuotedEcho finds which echo request an ICMP error is about. The quotation may be cut short, so only the
// fields that a router must quote are read: the IP header and the first eight bytes after it.
func (p *Packet) QuotedEcho() (destination netip.Addr, id, sequence uint16, ok bool) {
	q := p.Quoted
	switch {
	case len(q) >= ipv4HeaderLength && q[0]>>4 == 4:
		header := int(q[0]&0x0f) * 4
		if q[9] != ProtocolICMP || len(q) < header+icmpHeaderLength || q[header] != icmpEchoRequest {
			return netip.Addr{}, 0, 0, false
		}
		destination, q = netip.AddrFrom4([4]byte(q[16:20])), q[header:]
	case len(q) >= ipv6HeaderLength+icmpHeaderLength && q[0]>>4 == 6:
		if q[6] != ProtocolICMPv6 || q[ipv6HeaderLength] != icmpv6EchoRequest {
			return netip.Addr{}, 0, 0, false
		}
		destination, q = netip.AddrFrom16([16]byte(q[24:40])), q[ipv6HeaderLength:]
	default:
		return netip.Addr{}, 0, 0, false
	}
	return destination, binary.BigEndian.Uint16(q[4:]), binary.BigEndian.Uint16(q[6:]), true
}

// sum adds b as big-endian 16-bit words, an odd last byte padded with zero (RFC 1071).
func sum(initial uint32, b []byte) uint32 {
	total := initial
	for ; len(b) >= 2; b = b[2:] {
		total += uint32(b[0])<<8 | uint32(b[1])
	}
	if len(b) == 1 {
		total += uint32(b[0]) << 8
	}
	return total
}

// checksum folds the carries and complements. Over data that includes a right checksum the result is 0.
func checksum(total uint32) uint16 {
	for total>>16 != 0 {
		total = total&0xffff + total>>16
	}
	return ^uint16(total)
}

// pseudoHeader is the sum of the IPv6 pseudo-header for ICMPv6 (RFC 8200 §8.1).
func pseudoHeader(source, destination netip.Addr, length int) uint32 {
	total := sum(0, source.AsSlice())
	total = sum(total, destination.AsSlice())
	return total + uint32(length) + ProtocolICMPv6
}
