// Command streams speaks plain QUIC with masque-lab, below HTTP/3. As a server it sends back what comes on every stream; as a client it
// sends bytes on some streams at once, and sees that it gets the same. With -endless it is one end of a transfer for npm run bench -- goodput:
// as a server it sends without an end, as a client it counts what comes. It ends when its input does.
package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/quic-go/quic-go"

	"masque-lab/interop/connect-ip-go/internal/lines"
)

const protocol = "echo"

// What a program that nobody ends does by itself.
const lifetime = 2 * time.Minute

// Of one that a benchmark uses.
const endlessLifetime = 2 * time.Hour

// Of the client's connection ids, in bytes.
const idLength = 6

type options struct {
	connect, ca              string
	listen, certificate, key string
	retry                    bool
	streams, size            int
	connections              int
	move                     bool
	endless                  bool
	warmUp, measured         time.Duration
	packetSize               uint
}

func main() {
	var o options
	flag.StringVar(&o.connect, "connect", "", "address of a server")
	flag.StringVar(&o.ca, "ca", "", "file with the authority that the server's certificate is of")
	flag.StringVar(&o.listen, "listen", "", "address to serve on")
	flag.StringVar(&o.certificate, "certificate", "", "certificate of the server")
	flag.StringVar(&o.key, "key", "", "its key")
	flag.BoolVar(&o.retry, "retry", false, "make clients prove their address")
	flag.IntVar(&o.streams, "streams", 1, "streams at once")
	flag.IntVar(&o.size, "size", 1000, "bytes on each")
	flag.IntVar(&o.connections, "connections", 1, "connections, one after the other, which resume the session")
	flag.BoolVar(&o.move, "move", false, "move to another port, and do it again there")
	flag.BoolVar(&o.endless, "endless", false, "send bytes without an end, or count them")
	flag.DurationVar(&o.warmUp, "warm-up", 0, "with -endless: what comes in this time does not count")
	flag.DurationVar(&o.measured, "for", time.Second, "with -endless: count for so long")
	flag.UintVar(&o.packetSize, "packet-size", 0, "size of all QUIC packets in bytes, without a search for a larger one; 0: as quic-go likes it")
	flag.Parse()

	out := lines.NewOut(os.Stdout)
	limit := lifetime
	if o.endless {
		limit = endlessLifetime
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	run := client
	if o.listen != "" {
		run = server
	}
	if err := run(ctx, o, out); err != nil {
		out.Fail("streams", err)
		os.Exit(1)
	}
}

func config(o options) *quic.Config {
	return &quic.Config{
		MaxIncomingStreams:      200,
		HandshakeIdleTimeout:    30 * time.Second,
		MaxIdleTimeout:          30 * time.Second,
		InitialPacketSize:       uint16(o.packetSize),
		DisablePathMTUDiscovery: o.packetSize != 0,
	}
}

func server(ctx context.Context, o options, out *lines.Out) error {
	certificate, err := tls.LoadX509KeyPair(o.certificate, o.key)
	if err != nil {
		return err
	}
	address, err := net.ResolveUDPAddr("udp", o.listen)
	if err != nil {
		return err
	}
	socket, err := net.ListenUDP("udp", address)
	if err != nil {
		return err
	}
	transport := &quic.Transport{Conn: socket, VerifySourceAddress: func(net.Addr) bool { return o.retry }}
	listener, err := transport.Listen(&tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{protocol}}, config(o))
	if err != nil {
		return err
	}
	out.Emit("listening", lines.Event{"port": socket.LocalAddr().(*net.UDPAddr).Port})
	for {
		connection, err := listener.Accept(ctx)
		if err != nil {
			return err
		}
		out.Emit("connection", lines.Event{"resumed": connection.ConnectionState().TLS.DidResume})
		answer := echo
		if o.endless {
			answer = pour
		}
		go answerAll(ctx, connection, answer, out)
	}
}

func answerAll(ctx context.Context, connection *quic.Conn, answer func(*quic.Stream) error, out *lines.Out) {
	for {
		stream, err := connection.AcceptStream(ctx)
		if err != nil {
			var closed *quic.ApplicationError
			if !errors.As(err, &closed) {
				out.Fail("connection", err)
			}
			return
		}
		go func() {
			if err := answer(stream); err != nil {
				out.Fail("stream", err)
			}
			_ = stream.Close()
		}()
	}
}

func echo(stream *quic.Stream) error {
	_, err := io.Copy(stream, stream)
	return err
}

// pour sends until nobody wants it any more, which is no failure.
func pour(stream *quic.Stream) error {
	if _, err := io.ReadFull(stream, make([]byte, 1)); err != nil {
		return err
	}
	block := make([]byte, 64<<10)
	for {
		if _, err := stream.Write(block); err != nil {
			return nil
		}
	}
}

// count returns how many bytes come in the time that is measured.
func count(ctx context.Context, connection *quic.Conn, o options) (int, error) {
	stream, err := connection.OpenStreamSync(ctx)
	if err != nil {
		return 0, err
	}
	if _, err := stream.Write([]byte{0}); err != nil {
		return 0, err
	}
	block := make([]byte, 64<<10)
	began := time.Now()
	from, until := began.Add(o.warmUp), began.Add(o.warmUp+o.measured)
	_ = stream.SetReadDeadline(until)
	counted := 0
	for {
		n, err := stream.Read(block)
		if time.Now().After(from) {
			counted += n
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return counted, nil
		}
		if err != nil {
			return 0, err
		}
	}
}

func client(ctx context.Context, o options, out *lines.Out) error {
	pem, err := os.ReadFile(o.ca)
	if err != nil {
		return err
	}
	authorities := x509.NewCertPool()
	authorities.AppendCertsFromPEM(pem)
	tlsConfig := &tls.Config{
		RootCAs: authorities, NextProtos: []string{protocol}, ServerName: "localhost",
		ClientSessionCache: tls.NewLRUClientSessionCache(10),
	}
	for range o.connections {
		if err := once(ctx, o, tlsConfig, out); err != nil {
			return err
		}
	}
	out.Emit("done", lines.Event{})
	return nil
}

func once(ctx context.Context, o options, tlsConfig *tls.Config, out *lines.Out) error {
	to, err := net.ResolveUDPAddr("udp", o.connect)
	if err != nil {
		return err
	}
	transport, err := anyPort()
	if err != nil {
		return err
	}
	defer transport.Close()
	connection, err := transport.Dial(ctx, to, tlsConfig, config(o))
	if err != nil {
		return err
	}
	defer connection.CloseWithError(0, "")
	if o.endless {
		bytes, err := count(ctx, connection, o)
		if err != nil {
			return err
		}
		// Before it is told, as whoever hears it ends this program.
		_ = connection.CloseWithError(0, "")
		_ = transport.Close()
		out.Emit("counted", lines.Event{"bytes": bytes, "ms": o.measured.Milliseconds()})
		return nil
	}
	if err := exchangeAll(ctx, connection, o); err != nil {
		return err
	}
	if o.move {
		if err := move(ctx, connection); err != nil {
			return err
		}
		if err := exchangeAll(ctx, connection, o); err != nil {
			return err
		}
	}
	state := connection.ConnectionState()
	out.Emit("exchanged", lines.Event{"resumed": state.TLS.DidResume, "cipher": tls.CipherSuiteName(state.TLS.CipherSuite)})
	return nil
}

// anyPort is of loopback. A client of quic-go 0.65.0 that had no connection ids of its own got no answer on a second port, from either engine.
func anyPort() (*quic.Transport, error) {
	socket, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	return &quic.Transport{Conn: socket, ConnectionIDLength: idLength}, nil
}

func exchangeAll(ctx context.Context, connection *quic.Conn, o options) error {
	results := make(chan error, o.streams)
	for i := range o.streams {
		go func() { results <- exchange(ctx, connection, byte(i), o.size) }()
	}
	for range o.streams {
		if err := <-results; err != nil {
			return err
		}
	}
	return nil
}

// move probes a path from another port, and goes over to it (RFC 9000 §9).
func move(ctx context.Context, connection *quic.Conn) error {
	transport, err := anyPort()
	if err != nil {
		return err
	}
	path, err := connection.AddPath(transport)
	if err != nil {
		return err
	}
	probing, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := path.Probe(probing); err != nil {
		return fmt.Errorf("the new path does not answer: %w", err)
	}
	return path.Switch()
}

func exchange(ctx context.Context, connection *quic.Conn, seed byte, size int) error {
	stream, err := connection.OpenStreamSync(ctx)
	if err != nil {
		return err
	}
	sent := make([]byte, size)
	for i := range sent {
		sent[i] = seed + byte(i) + byte(i>>8)
	}
	written := make(chan error, 1)
	go func() {
		_, err := stream.Write(sent)
		_ = stream.Close()
		written <- err
	}()
	got, err := io.ReadAll(stream)
	if err != nil {
		return err
	}
	if err := <-written; err != nil {
		return err
	}
	if !bytes.Equal(sent, got) {
		return errors.New("what came back is not what was sent")
	}
	return nil
}
