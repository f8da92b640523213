// Command client opens one CONNECT-IP tunnel with quic-go/connect-ip-go and does what its standard input says.
// It is one half of the interoperability tests: the proxy that it speaks to is the one of masque-lab.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	connectip "github.com/quic-go/connect-ip-go"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/yosida95/uritemplate/v3"

	"masque-lab/interop/connect-ip-go/internal/endpoint"
	"masque-lab/interop/connect-ip-go/internal/lines"
)

// How long the peer has to end its half of the stream after we ended ours.
const closeTimeout = 2 * time.Second

type options struct {
	url, ca, certificate, key, token string
	request                          string
	packetSize                       uint
	timeout, lifetime                time.Duration
}

func main() {
	var o options
	flag.StringVar(&o.url, "url", "", "URL of the tunnel; the library allows no template variables: write * or %2A where they are")
	flag.StringVar(&o.ca, "ca", "", "CA certificate that signed the proxy's")
	flag.StringVar(&o.certificate, "certificate", "", "client certificate (optional)")
	flag.StringVar(&o.key, "key", "", "key of the client certificate")
	flag.StringVar(&o.token, "token", "", "bearer token (optional)")
	flag.StringVar(&o.request, "request", "", "prefixes to ask for with ADDRESS_REQUEST, with commas: 0.0.0.0/32,::/128; empty: wait for what is assigned")
	flag.UintVar(&o.packetSize, "packet-size", 1400, "size of QUIC packets (UDP payload) in bytes; kept, no path MTU discovery")
	flag.DurationVar(&o.timeout, "timeout", 10*time.Second, "limit for setting up the tunnel")
	flag.DurationVar(&o.lifetime, "lifetime", 2*time.Minute, "end by itself after this time, whatever happens")
	flag.Parse()

	out := lines.NewOut(os.Stdout)
	time.AfterFunc(o.lifetime, func() {
		out.Fail("lifetime", fmt.Errorf("still running after %s", o.lifetime))
		os.Exit(1)
	})
	if err := run(o, out); err != nil {
		fields := lines.Event{"where": "connect", "message": err.Error()}
		if code, ok := tlsAlert(err); ok {
			fields["tls_alert"] = code
		}
		out.Emit("error", fields)
		os.Exit(1)
	}
}

func run(o options, out *lines.Out) error {
	address, err := url.Parse(o.url)
	if err != nil {
		return err
	}
	template, err := uritemplate.New(o.url)
	if err != nil {
		return err
	}
	tlsConfig, err := o.tls()
	if err != nil {
		return err
	}
	var requests []netip.Prefix
	for text := range strings.SplitSeq(o.request, ",") {
		if text == "" {
			continue
		}
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return err
		}
		requests = append(requests, prefix)
	}

	ctx, cancel := context.WithTimeout(context.Background(), o.timeout)
	defer cancel()
	request, err := connectip.NewRequest(ctx, template)
	if err != nil {
		return err
	}
	if o.token != "" {
		request.Header().Set("Authorization", "Bearer "+o.token)
	}

	// The QUIC connection is ours, not the library's: Conn.Close would end it at once with error code 0,
	// and the test could not see how the stream itself is closed.
	start := time.Now()
	connection, err := quic.DialAddr(ctx, address.Host, tlsConfig, &quic.Config{
		EnableDatagrams:         true,
		InitialPacketSize:       uint16(o.packetSize),
		DisablePathMTUDiscovery: true,
		HandshakeIdleTimeout:    o.timeout,
		MaxIdleTimeout:          10 * time.Second,
		KeepAlivePeriod:         2 * time.Second,
	})
	if err != nil {
		return err
	}
	out.Emit("connected", lines.Event{"handshake_ms": milliseconds(time.Since(start))})
	defer connection.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeNoError), "")

	client, err := (&connectip.Transport{}).NewClientConn(connection)
	if err != nil {
		return err
	}
	start = time.Now()
	tunnel, response, err := client.Dial(request)
	if response != nil && err != nil {
		out.Emit("rejected", lines.Event{
			"status": response.StatusCode, "proxy_status": response.Header.Get("Proxy-Status"),
			"www_authenticate": response.Header.Get("WWW-Authenticate"),
		})
	}
	if err != nil {
		return err
	}
	out.Emit("tunnel", lines.Event{
		"status": response.StatusCode, "capsule_protocol": response.Header.Get(http3.CapsuleProtocolHeader),
		"request_ms": milliseconds(time.Since(start)),
	})

	s := &session{out: out, tunnel: tunnel}
	s.host = endpoint.New(tunnel, out, nil, s.isAssigned, s.source)
	var watchers sync.WaitGroup
	watchers.Go(s.watchAddresses)
	watchers.Go(s.watchRoutes)
	watchers.Go(s.watchDNS)
	watchers.Go(s.watchPREF64)
	closed := make(chan error, 1)
	go func() { closed <- s.host.Run() }()
	if len(requests) > 0 {
		ids, err := tunnel.RequestAddresses(requests)
		if err != nil {
			return err
		}
		out.Emit("requested", lines.Event{"ids": ids})
	}

	asked := make(chan struct{})
	go func() {
		lines.Read(os.Stdin, out, s.handle)
		close(asked)
	}()
	select {
	case <-asked: // "close", or the end of the input
		s.close(connection, closed)
	case err := <-closed:
		s.reportClosed(err, connection)
	}
	watchers.Wait()
	return nil
}

type session struct {
	out    *lines.Out
	tunnel *connectip.Conn
	host   *endpoint.Host

	mu       sync.Mutex
	assigned []netip.Prefix
}

func (s *session) watchAddresses() {
	for {
		list, err := s.tunnel.ReceiveAddressAssignment(context.Background())
		if err != nil {
			return // the tunnel is closed, which is reported elsewhere
		}
		prefixes, ids, refused := []netip.Prefix{}, []connectip.AddressRequestID{}, 0
		for _, assigned := range list {
			if assigned.Rejected() {
				refused++
				continue
			}
			prefixes = append(prefixes, assigned.IPPrefix)
			ids = append(ids, assigned.RequestID)
		}
		s.mu.Lock()
		s.assigned = prefixes
		s.mu.Unlock()
		s.out.Emit("assigned", lines.Event{"prefixes": prefixes, "ids": ids, "refused": refused})
	}
}

func (s *session) watchRoutes() {
	for {
		routes, err := s.tunnel.Routes(context.Background())
		if err != nil {
			return
		}
		list := []lines.Event{}
		for _, route := range routes {
			list = append(list, lines.Event{"start": route.StartIP, "end": route.EndIP, "protocol": route.IPProtocol})
		}
		s.out.Emit("routes", lines.Event{"routes": list})
	}
}

func (s *session) watchDNS() {
	for {
		configurations, err := s.tunnel.ReceiveDNSConfiguration(context.Background())
		if err != nil {
			return
		}
		list := []lines.Event{}
		for _, configuration := range configurations {
			nameservers := []lines.Event{}
			for _, ns := range configuration.Nameservers {
				parameters := lines.Event{}
				for key, value := range ns.ServiceParameters {
					parameters[strconv.Itoa(int(key))] = hex.EncodeToString(value)
				}
				nameservers = append(nameservers, lines.Event{
					"priority": ns.ServicePriority, "addresses": append(ns.IPv4Addresses, ns.IPv6Addresses...),
					"name": ns.AuthenticationDomainName, "parameters": parameters,
				})
			}
			list = append(list, lines.Event{
				"nameservers": nameservers, "internal": configuration.InternalDomains, "search": configuration.SearchDomains,
			})
		}
		s.out.Emit("dns", lines.Event{"configurations": list})
	}
}

func (s *session) watchPREF64() {
	for {
		prefixes, err := s.tunnel.ReceivePREF64Configuration(context.Background())
		if err != nil {
			return
		}
		s.out.Emit("pref64", lines.Event{"prefixes": prefixes})
	}
}

func (s *session) isAssigned(address netip.Addr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.assigned, func(p netip.Prefix) bool { return p.Contains(address) })
}

// source is the address to send from towards target: the first assigned one of its family.
func (s *session) source(target netip.Addr) (netip.Addr, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, prefix := range s.assigned {
		if prefix.Addr().Is4() == target.Is4() {
			return prefix.Addr(), nil
		}
	}
	return netip.Addr{}, fmt.Errorf("no address of the family of %s is assigned to us", target)
}

// handle runs one command; false ends the input.
func (s *session) handle(command lines.Command) bool {
	echo := command.Ping
	switch {
	case command.Close:
		return false
	case echo == nil:
		s.out.Fail("command", errors.New("ping or close is expected"))
		return true
	}
	done := lines.Event{"command": "ping", "id": command.ID}
	target, err := netip.ParseAddr(echo.Target)
	if err == nil {
		done["sent"], done["received"], err = s.host.Ping(context.Background(), target, *echo)
	}
	if err != nil {
		done["error"] = err.Error()
	}
	s.out.Emit("done", done)
	return true
}

// close ends our half of the stream, waits for the peer to end its half, and then ends the connection.
func (s *session) close(connection *quic.Conn, closed <-chan error) {
	err := s.tunnel.Close()
	if err != nil {
		s.out.Fail("close", err)
	}
	s.reportClosed(<-closed, connection)
	// STOP_SENDING and FIN are out or in the send queue; closing the connection now would race with them.
	select {
	case <-connection.Context().Done():
	case <-time.After(closeTimeout / 10):
	}
}

// reportClosed says how the tunnel ended: "us", "peer" (stream) or "connection" (with the error code).
func (s *session) reportClosed(err error, connection *quic.Conn) {
	fields := lines.Event{"by": "peer", "message": fmt.Sprint(err)}
	var closeError *connectip.CloseError
	if errors.As(err, &closeError) && !closeError.Remote {
		fields["by"] = "us"
	}
	if cause := context.Cause(connection.Context()); cause != nil {
		fields["by"], fields["message"] = "connection", cause.Error()
		var application *quic.ApplicationError
		if errors.As(cause, &application) {
			fields["code"], fields["remote"] = uint64(application.ErrorCode), application.Remote
		}
	}
	s.out.Emit("closed", fields)
}

func (o *options) tls() (*tls.Config, error) {
	config := &tls.Config{NextProtos: []string{http3.NextProtoH3}, MinVersion: tls.VersionTLS13}
	if o.ca != "" {
		pem, err := os.ReadFile(o.ca)
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("no certificate in %s", o.ca)
		}
	}
	if o.certificate != "" {
		pair, err := tls.LoadX509KeyPair(o.certificate, o.key)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// tlsAlert is the TLS alert inside a QUIC CRYPTO_ERROR (RFC 9001 §4.8: 0x0100 + alert).
func tlsAlert(err error) (uint8, bool) {
	var transport *quic.TransportError
	if errors.As(err, &transport) && transport.ErrorCode.IsCryptoError() {
		return uint8(transport.ErrorCode), true
	}
	return 0, false
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
