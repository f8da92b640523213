//go:build unix

// Command bench is one end of a tunnel of quic-go/connect-ip-go that is only as fast as it can be: `bench peers` puts it beside
// masque-lab's own. The proxy counts the IP packets that arrive, the client sends. It speaks with its parent in lines: JSON out, and
// a line "counters" in asks for the counters since the beginning. It ends with its standard input.
package main

import (
	"bufio"
	"encoding/binary"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	connectip "github.com/quic-go/connect-ip-go"

	"masque-lab/interop/connect-ip-go/internal/lines"
	"masque-lab/interop/connect-ip-go/internal/tunnel"
)

// Where the packets go: a host behind the proxy.
var sink = netip.MustParseAddr("10.90.0.1")

var sent, received atomic.Uint64

type options struct {
	role, ca, certificate, key string
	port                       int
	packetSize, length         uint
}

func main() {
	var o options
	flag.StringVar(&o.role, "role", "", "receiver (the proxy) or sender (the client)")
	flag.StringVar(&o.ca, "ca", "", "CA certificate that signed the proxy's (sender)")
	flag.StringVar(&o.certificate, "certificate", "", "the proxy's certificate (receiver)")
	flag.StringVar(&o.key, "key", "", "its key (receiver)")
	flag.IntVar(&o.port, "port", 0, "where the proxy listens on 127.0.0.1 (sender)")
	flag.UintVar(&o.packetSize, "packet-size", 1400, "size of QUIC packets (UDP payload) in bytes; kept, no path MTU discovery")
	flag.UintVar(&o.length, "length", 1200, "size of IP packets in bytes")
	flag.Parse()

	out := lines.NewOut(os.Stdout)
	start := time.Now()
	go func() {
		run := o.proxy
		if o.role == "sender" {
			run = o.client
		}
		if err := run(out); err != nil {
			out.Fail(o.role, err)
			os.Exit(1)
		}
	}()
	scanner := bufio.NewScanner(os.Stdin)
	for scanner.Scan() {
		if scanner.Text() == "counters" {
			out.Emit("counters", counters(start))
		}
	}
}

func counters(start time.Time) lines.Event {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	cpu := time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	return lines.Event{
		"atMs": float64(time.Since(start).Microseconds()) / 1000, "sent": sent.Load(), "received": received.Load(),
		"cpuUs": cpu.Microseconds(), "rssBytes": residentBytes(),
	}
}

// residentBytes is 0 where there is no /proc.
func residentBytes() int {
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	pages, _ := strconv.Atoi(strings.Fields(string(statm))[1])
	return pages * os.Getpagesize()
}

func (o *options) proxy(out *lines.Out) error {
	proxy := tunnel.Proxy{
		Listen: "127.0.0.1:0", Certificate: o.certificate, Key: o.key, PacketSize: o.packetSize,
		Assigned: netip.MustParsePrefix("10.89.0.2/32"),
		Route:    connectip.IPRoute{StartIP: sink, EndIP: sink},
		Serve:    count,
		Failed:   func(err error) { out.Fail("tunnel", err) },
	}
	address, err := proxy.Start()
	if err != nil {
		return err
	}
	out.Emit("started", lines.Event{"port": address.Port})
	return nil
}

func count(tunnel *connectip.Conn) error {
	buffer := make([]byte, 2048)
	for {
		if _, err := tunnel.ReadPacket(buffer); err != nil {
			return nil // the client has gone
		}
		received.Add(1)
	}
}

func (o *options) client(out *lines.Out) error {
	tunnel, address, err := tunnel.Dial(fmt.Sprintf("127.0.0.1:%d", o.port), o.ca, o.packetSize)
	if err != nil {
		return err
	}
	out.Emit("started", lines.Event{"port": o.port})
	packet := make([]byte, o.length)
	for {
		// The library takes one off the TTL, and expects a checksum that is right.
		ipv4Header(packet, address, sink)
		icmp, err := tunnel.WritePacket(packet)
		if err != nil {
			return err
		}
		if len(icmp) > 0 {
			return fmt.Errorf("the library refuses the packet with an ICMP message: % x", icmp[:min(len(icmp), 40)])
		}
		sent.Add(1)
	}
}

// ipv4Header writes a header for UDP that leads from source to destination; the payload stays zero.
func ipv4Header(packet []byte, source, destination netip.Addr) {
	header := packet[:20]
	clear(header)
	header[0], header[8], header[9] = 0x45, 64, 17
	binary.BigEndian.PutUint16(header[2:], uint16(len(packet)))
	copy(header[12:], source.AsSlice())
	copy(header[16:], destination.AsSlice())
	sum := uint32(0)
	for i := 0; i < len(header); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(header[i:]))
	}
	sum = sum>>16 + sum&0xffff
	sum += sum >> 16
	binary.BigEndian.PutUint16(header[10:], ^uint16(sum))
}
