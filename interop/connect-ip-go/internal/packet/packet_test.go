package packet

import (
	"bytes"
	"net/netip"
	"testing"
)

var families = []struct{ source, destination netip.Addr }{
	{netip.MustParseAddr("10.77.0.2"), netip.MustParseAddr("10.77.0.1")},
	{netip.MustParseAddr("fd77::2"), netip.MustParseAddr("fd77::1")},
}

func marshal(t *testing.T, e Echo) []byte {
	t.Helper()
	b, err := e.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestEchoRoundTripInBothFamilies(t *testing.T) {
	for _, family := range families {
		for _, size := range []int{0, 1, 55, 56, 1232} {
			payload := bytes.Repeat([]byte{0xa5}, size)
			e := Echo{
				Source: family.source, Destination: family.destination, TTL: 61, Reply: size%2 == 0,
				ID: 0xbeef, Sequence: 7, Payload: payload,
			}
			p, err := Parse(marshal(t, e))
			if err != nil {
				t.Fatalf("%s size %d: %v", family.source, size, err)
			}
			kind := EchoRequest
			if e.Reply {
				kind = EchoReply
			}
			if p.Source != e.Source || p.Destination != e.Destination || p.TTL != 61 || p.Kind != kind ||
				p.ID != 0xbeef || p.Sequence != 7 || !bytes.Equal(p.Payload, payload) ||
				p.Length != HeaderLength(e.Source)+size {
				t.Fatalf("%s size %d: read back %+v", family.source, size, p)
			}
		}
	}
}

// Both checksums were worked out by hand: ^(0800+1234+0001) and ^(4500+001c+1234+4000+4001+0a00+0001+0a00+0002).
func TestChecksumsWorkedOutByHand(t *testing.T) {
	known := []byte{
		0x45, 0x00, 0x00, 0x1c, 0x12, 0x34, 0x40, 0x00, 0x40, 0x01, 0x14, 0xab, 0x0a, 0x00, 0x00, 0x01,
		0x0a, 0x00, 0x00, 0x02, 0x08, 0x00, 0xe5, 0xca, 0x12, 0x34, 0x00, 0x01,
	}
	p, err := Parse(known)
	if err != nil || p.Kind != EchoRequest || p.ID != 0x1234 || p.Sequence != 1 {
		t.Fatalf("%+v %v", p, err)
	}
	ours := marshal(t, Echo{Source: p.Source, Destination: p.Destination, TTL: 64, ID: 0x1234, Sequence: 1})
	if !bytes.Equal(ours, known) {
		t.Fatalf("built %x, expected %x", ours, known)
	}
}

func TestDamagedPacketsAreRefused(t *testing.T) {
	for _, family := range families {
		whole := marshal(t, Echo{Source: family.source, Destination: family.destination, TTL: 64, Payload: make([]byte, 32)})
		for n := range whole {
			if _, err := Parse(whole[:n]); err == nil {
				t.Errorf("%s: accepted when cut to %d of %d bytes", family.source, n, len(whole))
			}
		}
		damaged := bytes.Clone(whole)
		damaged[len(damaged)-1] ^= 1
		if _, err := Parse(damaged); err == nil {
			t.Errorf("%s: accepted with a damaged payload", family.source)
		}
	}
}

func TestErrorsNameTheEchoTheyAreAbout(t *testing.T) {
	for _, family := range families {
		request := marshal(t, Echo{Source: family.source, Destination: family.destination, TTL: 64, ID: 5, Sequence: 6, Payload: make([]byte, 100)})
		p := Packet{Kind: TooBig, Quoted: request[:HeaderLength(family.source)]}
		destination, id, sequence, ok := p.QuotedEcho()
		if !ok || destination != family.destination || id != 5 || sequence != 6 {
			t.Errorf("%s: %s %d %d %t", family.source, destination, id, sequence, ok)
		}
		for n := range HeaderLength(family.source) {
			p.Quoted = request[:n]
			if _, _, _, ok := p.QuotedEcho(); ok {
				t.Errorf("%s: found an echo in a quotation of %d bytes", family.source, n)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, family := range families {
		b, _ := Echo{Source: family.source, Destination: family.destination, TTL: 64, Payload: []byte("abc")}.Marshal()
		f.Add(b)
	}
	f.Fuzz(func(_ *testing.T, b []byte) {
		if p, err := Parse(b); err == nil && p.IsError() {
			p.QuotedEcho()
		}
	})
}
