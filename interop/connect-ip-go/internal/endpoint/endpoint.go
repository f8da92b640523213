// Package endpoint is a host at one end of a CONNECT-IP tunnel: it pings, answers pings and reports ICMP
// errors. There is no TUN device: the packets are built here and handed to the library.
package endpoint

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"masque-lab/interop/connect-ip-go/internal/lines"
	"masque-lab/interop/connect-ip-go/internal/packet"
)

// Tunnel is the part of connectip.Conn that a host uses.
type Tunnel interface {
	ReadPacket(b []byte) (int, error)
	// WritePacket may change b, and may return an ICMP error about it instead of sending it.
	WritePacket(b []byte) (icmp []byte, err error)
}

const (
	defaultTTL     = 64
	defaultTimeout = 5 * time.Second
	maxCount       = 1000
)

// Host is one host.
type Host struct {
	tunnel Tunnel
	out    *lines.Out
	// Fields that every event of this host carries (which tunnel it is).
	tags lines.Event
	// isLocal says for which destinations this host answers.
	isLocal func(netip.Addr) bool
	// self is the host's own address for speaking with a peer: the source of answers to multicast.
	self func(peer netip.Addr) (netip.Addr, error)

	id uint16 // of our echo requests

	mu       sync.Mutex
	sequence uint16
	waiting  map[uint16]chan packet.Packet
}

// New returns a host that answers echo requests for the addresses that isLocal accepts, and pings from the address self.
func New(
	tunnel Tunnel, out *lines.Out, tags lines.Event,
	isLocal func(netip.Addr) bool, self func(netip.Addr) (netip.Addr, error),
) *Host {
	return &Host{
		tunnel: tunnel, out: out, tags: tags, isLocal: isLocal, self: self,
		id: uint16(rand.Uint32()), waiting: make(map[uint16]chan packet.Packet),
	}
}

// Emit writes an event with the tags of this host.
func (h *Host) Emit(name string, fields lines.Event) {
	event := lines.Event{}
	for key, value := range h.tags {
		event[key] = value
	}
	for key, value := range fields {
		event[key] = value
	}
	h.out.Emit(name, event)
}

// Run reads packets until the tunnel is closed, and returns why.
func (h *Host) Run() error {
	buffer := make([]byte, 65536)
	for {
		n, err := h.tunnel.ReadPacket(buffer)
		if err != nil {
			return err
		}
		h.receive(buffer[:n], "peer")
	}
}

// receive handles one packet; origin is "peer" for one from the tunnel, "local" for an ICMP error that our own
// end of the tunnel made.
func (h *Host) receive(b []byte, origin string) {
	p, err := packet.Parse(b)
	if err != nil {
		h.Emit("error", lines.Event{"where": "packet", "origin": origin, "message": err.Error()})
		return
	}
	switch {
	case p.Kind == packet.EchoRequest && h.isLocal(p.Destination):
		h.answer(p)
	case p.Kind == packet.EchoReply && p.ID == h.id:
		h.deliver(p.Sequence, p)
	case p.IsError():
		fields := lines.Event{
			"origin": origin, "from": p.Source.String(), "to": p.Destination.String(), "kind": p.Kind,
			"type": p.Type, "code": p.Code, "mtu": p.MTU, "quoted_bytes": len(p.Quoted),
		}
		destination, id, sequence, ok := p.QuotedEcho()
		if ok {
			fields["about"] = destination.String()
		}
		h.Emit("icmp", fields)
		if ok && id == h.id {
			h.deliver(sequence, p)
		}
	default:
		h.Emit("ignored", lines.Event{
			"source": p.Source.String(), "destination": p.Destination.String(), "protocol": p.Protocol,
			"kind": p.Kind, "bytes": p.Length,
		})
	}
}

// answer sends the reply before it reports it: the harness may close everything as soon as it has read the event.
func (h *Host) answer(request packet.Packet) {
	source := request.Destination
	var err error
	if source.IsMulticast() {
		source, err = h.self(request.Source)
	}
	var reply []byte
	if err == nil {
		reply, err = packet.Echo{
			Source: source, Destination: request.Source, TTL: defaultTTL, Reply: true,
			ID: request.ID, Sequence: request.Sequence, Payload: request.Payload,
		}.Marshal()
	}
	if err == nil {
		var icmp []byte
		if icmp, err = h.tunnel.WritePacket(reply); err == nil && icmp != nil {
			h.receive(icmp, "local")
		}
	}
	if err != nil {
		h.Emit("error", lines.Event{"where": "answer", "message": err.Error()})
		return
	}
	h.Emit("answered", lines.Event{
		"source": request.Source.String(), "target": request.Destination.String(),
		"size": len(request.Payload), "bytes": request.Length, "ttl": request.TTL,
	})
}

func (h *Host) deliver(sequence uint16, p packet.Packet) {
	h.mu.Lock()
	waiter := h.waiting[sequence]
	h.mu.Unlock()
	if waiter == nil {
		h.Emit("late", lines.Event{"kind": p.Kind, "source": p.Source.String(), "seq": sequence})
		return
	}
	// The payload lies in the read buffer, which the next packet overwrites.
	p.Payload = append([]byte(nil), p.Payload...)
	select {
	case waiter <- p:
	default: // a duplicate
	}
}

// Ping sends echo requests one after the other, each when the one before was answered or given up, and
// returns how many were answered. The events are "pong", "ping-failed" (an ICMP error came back) and "ping-timeout".
func (h *Host) Ping(ctx context.Context, target netip.Addr, command lines.Echo) (sent, received int, err error) {
	source, err := h.self(target)
	if err != nil {
		return 0, 0, err
	}
	for range min(max(command.Count, 1), maxCount) {
		sent++
		answered, err := h.pingOnce(ctx, source, target, command)
		if err != nil {
			return sent, received, err
		}
		if answered {
			received++
		}
	}
	return sent, received, nil
}

func (h *Host) pingOnce(ctx context.Context, source, target netip.Addr, command lines.Echo) (bool, error) {
	ttl := command.TTL
	if ttl == 0 {
		ttl = defaultTTL
	}
	timeout := defaultTimeout
	if command.TimeoutMs > 0 {
		timeout = time.Duration(command.TimeoutMs) * time.Millisecond
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	answer := make(chan packet.Packet, 1)
	h.mu.Lock()
	h.sequence++
	sequence := h.sequence
	h.waiting[sequence] = answer
	h.mu.Unlock()
	defer func() {
		h.mu.Lock()
		delete(h.waiting, sequence)
		h.mu.Unlock()
	}()

	// The payload differs from ping to ping: an answer with the bytes of another one is noticed.
	payload := make([]byte, max(command.Size, 0))
	for i := range payload {
		payload[i] = byte(i) ^ byte(sequence)
	}
	request, err := packet.Echo{
		Source: source, Destination: target, TTL: ttl, ID: h.id, Sequence: sequence, Payload: payload,
	}.Marshal()
	if err != nil {
		return false, err
	}
	fields := lines.Event{"target": target.String(), "size": len(payload), "seq": sequence, "bytes": len(request)}
	start := time.Now()
	icmp, err := h.tunnel.WritePacket(request)
	if err != nil {
		return false, fmt.Errorf("sending a packet of %d bytes to %s: %w", len(request), target, err)
	}
	if icmp != nil {
		h.receive(icmp, "local")
	}
	select {
	case <-ctx.Done():
		h.Emit("ping-timeout", fields)
		return false, nil
	case p := <-answer:
		fields["rtt_ms"] = float64(time.Since(start).Microseconds()) / 1000
		fields["ttl"] = p.TTL
		fields["from"] = p.Source.String()
		if p.Kind != packet.EchoReply {
			fields["kind"], fields["type"], fields["code"], fields["mtu"] = p.Kind, p.Type, p.Code, p.MTU
			fields["origin"] = "peer"
			if icmp != nil {
				fields["origin"] = "local"
			}
			h.Emit("ping-failed", fields)
			return false, nil
		}
		fields["intact"] = string(p.Payload) == string(payload) && p.Source == target
		h.Emit("pong", fields)
		return fields["intact"].(bool), nil
	}
}
