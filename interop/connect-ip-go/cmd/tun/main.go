//go:build linux

// Command tun joins a TUN device to a tunnel of quic-go/connect-ip-go: `bench tun` puts it beside masque-lab's own. Packets go from the
// device into the tunnel and back, one at a time; addresses and routes of the device are the caller's business. It prints an event
// "device" when the device is there and "tunnel" when packets can pass, and ends with its standard input.
package main

import (
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"syscall"
	"unsafe"

	connectip "github.com/quic-go/connect-ip-go"

	"masque-lab/interop/connect-ip-go/internal/lines"
	"masque-lab/interop/connect-ip-go/internal/tunnel"
)

const (
	tunSetIff = 0x400454ca // TUNSETIFF, <linux/if_tun.h>
	iffTun    = 0x0001
	iffNoPi   = 0x1000
	maxPacket = 65535
)

func main() {
	var proxy, device, ca, certificate, key, assigned string
	var packetSize uint
	flag.StringVar(&proxy, "proxy", "", "address and port of the proxy")
	flag.StringVar(&device, "device", "", "name of the TUN device")
	flag.StringVar(&ca, "ca", "", "CA certificate that signed the proxy's; makes this the client")
	flag.StringVar(&certificate, "certificate", "", "the proxy's certificate")
	flag.StringVar(&key, "key", "", "its key")
	flag.StringVar(&assigned, "assigned", "10.66.0.2/32", "what the proxy assigns")
	flag.UintVar(&packetSize, "packet-size", 1452, "size of QUIC packets (UDP payload) in bytes; kept, no path MTU discovery")
	flag.Parse()

	out := lines.NewOut(os.Stdout)
	end := func(err error) {
		out.Fail("tun", err)
		os.Exit(1)
	}
	tun, err := openTun(device)
	if err != nil {
		end(err)
	}
	out.Emit("device", nil)
	if ca != "" {
		conn, _, err := tunnel.Dial(proxy, ca, packetSize)
		if err != nil {
			end(err)
		}
		out.Emit("tunnel", nil)
		go func() { end(join(conn, tun)) }()
	} else {
		everything := connectip.IPRoute{StartIP: netip.MustParseAddr("0.0.0.0"), EndIP: netip.MustParseAddr("255.255.255.255")}
		p := tunnel.Proxy{
			Listen: proxy, Certificate: certificate, Key: key, PacketSize: packetSize,
			Assigned: netip.MustParsePrefix(assigned), Route: everything,
			Serve:  func(conn *connectip.Conn) error { return join(conn, tun) },
			Failed: func(err error) { out.Fail("tunnel", err) },
		}
		if _, err := p.Start(); err != nil {
			end(err)
		}
		out.Emit("tunnel", nil)
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// join carries packets both ways until one way fails.
func join(conn *connectip.Conn, tun *os.File) error {
	failed := make(chan error, 2)
	go func() {
		packet := make([]byte, maxPacket)
		for {
			n, err := conn.ReadPacket(packet)
			if err != nil {
				failed <- err
				return
			}
			if _, err := tun.Write(packet[:n]); err != nil {
				failed <- err
				return
			}
		}
	}()
	go func() {
		packet := make([]byte, maxPacket)
		for {
			n, err := tun.Read(packet)
			if err != nil {
				failed <- err
				return
			}
			icmp, err := conn.WritePacket(packet[:n])
			if err != nil {
				failed <- err
				return
			}
			if len(icmp) > 0 {
				if _, err := tun.Write(icmp); err != nil {
					failed <- err
					return
				}
			}
		}
	}()
	return <-failed
}

func openTun(name string) (*os.File, error) {
	fd, err := syscall.Open("/dev/net/tun", syscall.O_RDWR|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("/dev/net/tun: %w", err)
	}
	var request struct {
		name  [16]byte
		flags uint16
		_     [22]byte
	}
	copy(request.name[:15], name)
	request.flags = iffTun | iffNoPi
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), tunSetIff, uintptr(unsafe.Pointer(&request))); errno != 0 {
		_ = syscall.Close(fd)
		return nil, fmt.Errorf("TUN device %s: %w", name, errno)
	}
	return os.NewFile(uintptr(fd), name), nil
}
