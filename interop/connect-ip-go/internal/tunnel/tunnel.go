// Package tunnel makes tunnels of quic-go/connect-ip-go with nothing around them: one address, one route, no report of what happens. For
// measurements; the programs of the interoperability tests have their own, which tell everything.
package tunnel

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"time"

	connectip "github.com/quic-go/connect-ip-go"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/yosida95/uritemplate/v3"
)

const path = "/.well-known/masque/ip/*/*/"

func config(packetSize uint) *quic.Config {
	return &quic.Config{
		EnableDatagrams: true, InitialPacketSize: uint16(packetSize), DisablePathMTUDiscovery: true,
		MaxIdleTimeout: 10 * time.Second, KeepAlivePeriod: 2 * time.Second,
	}
}

// Proxy is what a proxy offers.
type Proxy struct {
	Listen, Certificate, Key string
	// PacketSize is the size of QUIC packets (UDP payload) in bytes; it is kept, without path MTU discovery.
	PacketSize uint
	// Assigned is the address of every client: one at a time is enough here.
	Assigned netip.Prefix
	Route    connectip.IPRoute
	// Serve gets the tunnel when the client knows its address and its route.
	Serve func(*connectip.Conn) error
	// Failed hears why a tunnel has ended, or was not made.
	Failed func(error)
}

// Start listens, and serves in the background. It returns the address.
func (p *Proxy) Start() (*net.UDPAddr, error) {
	pair, err := tls.LoadX509KeyPair(p.Certificate, p.Key)
	if err != nil {
		return nil, err
	}
	tlsConfig := http3.ConfigureTLSConfig(&tls.Config{Certificates: []tls.Certificate{pair}})
	listener, err := quic.ListenAddr(p.Listen, tlsConfig, config(p.PacketSize))
	if err != nil {
		return nil, err
	}
	server := &http3.Server{EnableDatagrams: true, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := p.serve(w, r); err != nil {
			p.Failed(err)
		}
	})}
	go func() {
		for {
			connection, err := listener.Accept(context.Background())
			if err != nil {
				return
			}
			go server.ServeQUICConn(connection)
		}
	}()
	return listener.Addr().(*net.UDPAddr), nil
}

func (p *Proxy) serve(w http.ResponseWriter, r *http.Request) error {
	template, err := uritemplate.New("https://" + r.Host + path)
	if err != nil {
		return err
	}
	request, err := connectip.ParseProxyRequest(r, template)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return err
	}
	tunnel, err := (&connectip.Proxy{}).Proxy(w, request)
	if err != nil {
		return err
	}
	if err := tunnel.AssignAddresses([]netip.Prefix{p.Assigned}); err != nil {
		return err
	}
	if err := tunnel.AdvertiseRoute([]connectip.IPRoute{p.Route}); err != nil {
		return err
	}
	return p.Serve(tunnel)
}

// Dial opens a tunnel to a proxy whose certificate is for "localhost", and waits for its address and its route.
func Dial(address, ca string, packetSize uint) (*connectip.Conn, netip.Addr, error) {
	fail := func(err error) (*connectip.Conn, netip.Addr, error) { return nil, netip.Addr{}, err }
	pem, err := os.ReadFile(ca)
	if err != nil {
		return fail(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return fail(fmt.Errorf("no certificate in %s", ca))
	}
	tlsConfig := &tls.Config{RootCAs: roots, ServerName: "localhost", NextProtos: []string{http3.NextProtoH3}}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	connection, err := quic.DialAddr(ctx, address, tlsConfig, config(packetSize))
	if err != nil {
		return fail(err)
	}
	client, err := (&connectip.Transport{}).NewClientConn(connection)
	if err != nil {
		return fail(err)
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return fail(err)
	}
	template, err := uritemplate.New("https://localhost:" + port + path)
	if err != nil {
		return fail(err)
	}
	request, err := connectip.NewRequest(ctx, template)
	if err != nil {
		return fail(err)
	}
	tunnel, _, err := client.Dial(request)
	if err != nil {
		return fail(err)
	}
	assigned, err := tunnel.ReceiveAddressAssignment(ctx)
	if err != nil {
		return fail(err)
	}
	if _, err := tunnel.Routes(ctx); err != nil {
		return fail(err)
	}
	return tunnel, assigned[0].IPPrefix.Addr(), nil
}
