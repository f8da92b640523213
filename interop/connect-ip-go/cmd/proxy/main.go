// Command proxy serves CONNECT-IP with quic-go/connect-ip-go and does what its standard input says.
// It is one half of the interoperability tests: the client that speaks to it is the one of masque-lab.
//
// Behind the proxy lies a make-believe network: every address in its advertised routes answers to ping.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/netip"
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
	"golang.org/x/net/dns/dnsmessage"

	"masque-lab/interop/connect-ip-go/internal/endpoint"
	"masque-lab/interop/connect-ip-go/internal/lines"
)

type options struct {
	listen, certificate, key, clientCA, token, path string
	ipv4, ipv6                                      netip.Prefix
	routes                                          []connectip.IPRoute
	onRequest, dns                                  bool
	packetSize                                      uint
	lifetime                                        time.Duration
}

func main() {
	var o options
	var routes string
	flag.StringVar(&o.listen, "listen", "127.0.0.1:0", "address to listen on; port 0 takes a free one")
	flag.StringVar(&o.certificate, "certificate", "", "server certificate")
	flag.StringVar(&o.key, "key", "", "key of the server certificate")
	flag.StringVar(&o.clientCA, "client-ca", "", "demand a client certificate signed by this CA (optional)")
	flag.StringVar(&o.token, "token", "", "demand this bearer token (optional)")
	flag.StringVar(&o.path, "path", "/.well-known/masque/ip/*/*/", "path of the tunnel, percent-decoded")
	flag.TextVar(&o.ipv4, "ipv4", netip.MustParsePrefix("10.77.0.0/24"), "IPv4 pool; its first address is the proxy's own")
	flag.TextVar(&o.ipv6, "ipv6", netip.MustParsePrefix("fd77::/64"), "IPv6 pool; its first address is the proxy's own")
	flag.StringVar(&routes, "routes", "10.77.0.0/24,192.0.2.0/24,198.51.100.0/24=17,2001:db8:77::/48,fd77::/64",
		"routes to advertise, with commas: prefix or prefix=protocol, in the order of RFC 9484 §4.7.3")
	flag.BoolVar(&o.onRequest, "assign-on-request", false, "assign nothing until ADDRESS_REQUEST comes")
	flag.BoolVar(&o.dns, "dns", false, "send DNS_ASSIGN and PREF64: made-up nameservers, and 64:ff9b::/96")
	flag.UintVar(&o.packetSize, "packet-size", 1400, "size of QUIC packets (UDP payload) in bytes; kept, no path MTU discovery")
	flag.DurationVar(&o.lifetime, "lifetime", 2*time.Minute, "end by itself after this time, whatever happens")
	flag.Parse()

	out := lines.NewOut(os.Stdout)
	time.AfterFunc(o.lifetime, func() {
		out.Fail("lifetime", fmt.Errorf("still running after %s", o.lifetime))
		os.Exit(1)
	})
	var err error
	if o.routes, err = parseRoutes(routes); err == nil {
		err = run(o, out)
	}
	if err != nil {
		out.Fail("proxy", err)
		os.Exit(1)
	}
}

func run(o options, out *lines.Out) error {
	tlsConfig, err := o.tls()
	if err != nil {
		return err
	}
	listener, err := quic.ListenAddr(o.listen, tlsConfig, &quic.Config{
		EnableDatagrams:         true,
		InitialPacketSize:       uint16(o.packetSize),
		DisablePathMTUDiscovery: true,
		MaxIdleTimeout:          10 * time.Second,
	})
	if err != nil {
		return err
	}
	defer listener.Close()
	p := &proxy{options: o, out: out, tunnels: make(map[int]*tunnel)}
	server := &http3.Server{Handler: p, EnableDatagrams: true}
	go p.accept(listener, server)
	address := listener.Addr().(*net.UDPAddr)
	out.Emit("listening", lines.Event{"host": address.IP.String(), "port": address.Port})

	lines.Read(os.Stdin, out, p.handle)

	// Orderly: GOAWAY first, then the end of every tunnel, then the connections.
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	shutdown := make(chan error, 1)
	go func() { shutdown <- server.Shutdown(ctx) }()
	p.closeAll()
	fields := lines.Event{"by": "us"}
	if err := <-shutdown; err != nil {
		fields["message"] = "the clients kept their connections: " + err.Error()
	}
	p.closeConnections()
	p.reports.Wait()
	out.Emit("closed", fields)
	return nil
}

type tunnel struct {
	connection *connectip.Conn
	host       *endpoint.Host
	addresses  []netip.Prefix
}

type proxy struct {
	options
	out *lines.Out

	mu          sync.Mutex
	count       int
	tunnels     map[int]*tunnel
	connections []*quic.Conn

	// One for each connection whose end has not been reported yet.
	reports sync.WaitGroup
}

// accept hands each QUIC connection to the HTTP/3 server and reports how it ended.
func (p *proxy) accept(listener *quic.Listener, server *http3.Server) {
	for {
		connection, err := listener.Accept(context.Background())
		if err != nil {
			return
		}
		p.mu.Lock()
		p.connections = append(p.connections, connection)
		p.reports.Add(1)
		p.mu.Unlock()
		p.out.Emit("connection", lines.Event{"remote": connection.RemoteAddr().String()})
		go server.ServeQUICConn(connection)
		context.AfterFunc(connection.Context(), func() {
			defer p.reports.Done()
			cause := context.Cause(connection.Context())
			fields := lines.Event{"remote": connection.RemoteAddr().String(), "message": fmt.Sprint(cause), "by": "us"}
			var application *quic.ApplicationError
			if errors.As(cause, &application) {
				fields["code"] = uint64(application.ErrorCode)
				if application.Remote {
					fields["by"] = "peer"
				}
			}
			p.out.Emit("connection-closed", fields)
		})
	}
}

// ServeHTTP answers one request; a good one becomes a tunnel and lives here until the tunnel ends.
func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	reject := func(status int, reason string) {
		p.out.Emit("rejected", lines.Event{"status": status, "reason": reason, "method": r.Method, "path": r.RequestURI})
		w.WriteHeader(status)
	}
	// r.URL.Path is decoded: a client that expands {target} to %2A and one that leaves * both arrive here.
	if r.URL.Path != p.path {
		reject(http.StatusNotFound, "unknown path")
		return
	}
	if p.token != "" && r.Header.Get("Authorization") != "Bearer "+p.token {
		w.Header().Set("WWW-Authenticate", "Bearer")
		reject(http.StatusUnauthorized, "bearer token missing or wrong")
		return
	}
	template, err := uritemplate.New("https://" + r.Host + p.path)
	if err != nil {
		reject(http.StatusBadRequest, err.Error())
		return
	}
	request, err := connectip.ParseProxyRequest(r, template)
	if err != nil {
		status := http.StatusBadRequest
		var parseError *connectip.ProxyRequestParseError
		if errors.As(err, &parseError) {
			status = parseError.HTTPStatus
		}
		reject(status, err.Error())
		return
	}
	connection, err := (&connectip.Proxy{}).Proxy(w, request)
	if err != nil {
		p.out.Fail("tunnel", err)
		return
	}
	p.serve(connection, r)
}

func (p *proxy) serve(connection *connectip.Conn, r *http.Request) {
	p.mu.Lock()
	p.count++
	number := p.count
	t := &tunnel{connection: connection, addresses: []netip.Prefix{
		netip.PrefixFrom(nth(p.ipv4, number+1), 32), netip.PrefixFrom(nth(p.ipv6, number+1), 128),
	}}
	tags := lines.Event{"tunnel": number}
	t.host = endpoint.New(connection, p.out, tags, p.isServed, p.self)
	p.tunnels[number] = t
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		delete(p.tunnels, number)
		p.mu.Unlock()
	}()
	t.host.Emit("tunnel", lines.Event{
		"authority": r.Host, "path": r.RequestURI, "addresses": t.addresses, "remote": r.RemoteAddr,
	})
	if !p.onRequest {
		if err := connection.AssignAddresses(t.addresses); err != nil {
			p.out.Fail("assign", err)
		}
	}
	if err := connection.AdvertiseRoute(p.routes); err != nil {
		p.out.Fail("advertise", err)
	}
	if p.dns {
		sendDNS(connection, p.out)
	}
	go p.answerRequests(t)
	err := t.host.Run()
	fields := lines.Event{"by": "peer", "message": fmt.Sprint(err)}
	var closeError *connectip.CloseError
	if errors.As(err, &closeError) && !closeError.Remote {
		fields["by"] = "us"
	}
	if err := connection.Close(); err != nil {
		fields["close_error"] = err.Error()
	}
	t.host.Emit("tunnel-closed", fields)
}

// sendDNS tells of one nameserver for unencrypted and one for encrypted DNS, and of a NAT64.
func sendDNS(connection *connectip.Conn, out *lines.Out) {
	err := connection.SendDNSConfiguration([]connectip.DNSConfiguration{{
		Nameservers: []connectip.DNSNameserver{{
			ServicePriority: 1,
			IPv4Addresses:   []netip.Addr{netip.MustParseAddr("192.0.2.53")},
			IPv6Addresses:   []netip.Addr{netip.MustParseAddr("2001:db8:77::53")},
		}, {
			ServicePriority:          2,
			AuthenticationDomainName: "dns.example",
			ServiceParameters: map[dnsmessage.SVCParamKey][]byte{
				dnsmessage.SVCParamALPN: []byte("\x02h3\x03doq"), dnsmessage.SVCParamNoDefaultALPN: {},
				dnsmessage.SVCParamPort: {0x22, 0x95}, dnsmessage.SVCParamKey(7): []byte("/dns-query{?dns}"),
			},
		}},
		InternalDomains: []string{"corp.example", ""},
		SearchDomains:   []string{"corp.example"},
	}})
	if err != nil {
		out.Fail("dns", err)
	}
	if err := connection.SendPREF64Configuration([]netip.Prefix{netip.MustParsePrefix("64:ff9b::/96")}); err != nil {
		out.Fail("pref64", err)
	}
}

// answerRequests gives what it has to the first request of each family, and refuses the others.
func (p *proxy) answerRequests(t *tunnel) {
	for {
		request, err := t.connection.ReceiveAddressRequest(context.Background())
		if err != nil {
			return
		}
		left := slices.Clone(t.addresses)
		answers := make([]netip.Prefix, len(request.Prefixes))
		for i, wanted := range request.Prefixes {
			for j, have := range left {
				if have.Addr().Is4() == wanted.Addr().Is4() {
					answers[i], left = have, slices.Delete(left, j, j+1)
					break
				}
			}
		}
		t.host.Emit("address-request", lines.Event{"prefixes": request.Prefixes, "answers": answers})
		if err := request.Respond(answers, left); err != nil {
			p.out.Fail("respond", err)
		}
	}
}

func (p *proxy) isServed(address netip.Addr) bool {
	return slices.ContainsFunc(p.routes, func(route connectip.IPRoute) bool {
		return route.StartIP.Compare(address) <= 0 && address.Compare(route.EndIP) <= 0
	})
}

// handle runs one command; false ends the input.
func (p *proxy) handle(command lines.Command) bool {
	echo := command.Ping
	switch {
	case command.Close:
		return false
	case echo == nil:
		p.out.Fail("command", errors.New("ping or close is expected"))
		return true
	}
	done := lines.Event{"command": "ping", "id": command.ID}
	var t *tunnel
	target, err := netip.ParseAddr(echo.Target)
	if err == nil {
		t, err = p.towards(target)
	}
	if err == nil {
		done["sent"], done["received"], err = t.host.Ping(context.Background(), target, *echo)
	}
	if err != nil {
		done["error"] = err.Error()
	}
	p.out.Emit("done", done)
	return true
}

// self is the proxy's own address in the family of a client's.
func (p *proxy) self(client netip.Addr) (netip.Addr, error) {
	if client.Is4() {
		return nth(p.ipv4, 1), nil
	}
	return nth(p.ipv6, 1), nil
}

// towards finds the tunnel that leads to a client.
func (p *proxy) towards(client netip.Addr) (*tunnel, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range p.tunnels {
		if slices.ContainsFunc(t.addresses, func(prefix netip.Prefix) bool { return prefix.Contains(client) }) {
			return t, nil
		}
	}
	return nil, fmt.Errorf("no tunnel leads to %s", client)
}

func (p *proxy) closeAll() {
	p.mu.Lock()
	var open []*connectip.Conn
	for _, t := range p.tunnels {
		open = append(open, t.connection)
	}
	p.mu.Unlock()
	for _, connection := range open {
		if err := connection.Close(); err != nil {
			p.out.Fail("close", err)
		}
	}
}

func (p *proxy) closeConnections() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, connection := range p.connections {
		connection.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeNoError), "")
	}
}

func (o *options) tls() (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(o.certificate, o.key)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS13}
	if o.clientCA != "" {
		pem, err := os.ReadFile(o.clientCA)
		if err != nil {
			return nil, err
		}
		config.ClientCAs = x509.NewCertPool()
		if !config.ClientCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("no certificate in %s", o.clientCA)
		}
		config.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return http3.ConfigureTLSConfig(config), nil
}

func parseRoutes(text string) ([]connectip.IPRoute, error) {
	var routes []connectip.IPRoute
	for item := range strings.SplitSeq(text, ",") {
		before, after, _ := strings.Cut(item, "=")
		prefix, err := netip.ParsePrefix(before)
		if err != nil {
			return nil, err
		}
		var protocol uint64
		if after != "" {
			if protocol, err = strconv.ParseUint(after, 10, 8); err != nil {
				return nil, fmt.Errorf("protocol of route %s: %w", item, err)
			}
		}
		routes = append(routes, connectip.IPRoute{
			StartIP: prefix.Masked().Addr(), EndIP: last(prefix), IPProtocol: uint8(protocol),
		})
	}
	return routes, nil
}

// last is the highest address in a prefix.
func last(prefix netip.Prefix) netip.Addr {
	b := prefix.Addr().AsSlice()
	for bit := prefix.Bits(); bit < len(b)*8; bit++ {
		b[bit/8] |= 0x80 >> (bit % 8)
	}
	address, _ := netip.AddrFromSlice(b)
	return address
}

// nth is the address n above the prefix's first.
func nth(prefix netip.Prefix, n int) netip.Addr {
	address := prefix.Masked().Addr()
	for range n {
		address = address.Next()
	}
	return address
}
