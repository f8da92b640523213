package virtual

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quic-go/quic-go"
)

const protocol = "echo"

// What npm run bench -- goodput --virtual asks for, in the environment.
type order struct {
	Loss       float64 `json:"loss"`
	RttMs      float64 `json:"rttMs"`
	Mbit       float64 `json:"mbit"`
	PacketSize uint16  `json:"packetSize"`
	WarmUpMs   int     `json:"warmUpMs"`
	Ms         int     `json:"ms"`
	Seed       int64   `json:"seed"`
}

// TestGoodput prints how many bytes arrive in the time that is measured, for each order. Without orders it is a short transfer.
func TestGoodput(t *testing.T) {
	orders := []order{{RttMs: 20, Mbit: 20, PacketSize: 1200, Ms: 200, WarmUpMs: 200}}
	if text := os.Getenv("GOODPUT_ORDERS"); text != "" {
		if err := json.Unmarshal([]byte(text), &orders); err != nil {
			t.Fatal(err)
		}
	}
	for _, each := range orders {
		synctest.Test(t, func(t *testing.T) {
			bytes := transfer(t, each)
			if bytes == 0 {
				t.Fatal("nothing has arrived")
			}
			fmt.Printf("\n{\"bytes\":%d}\n", bytes)
		})
	}
}

func transfer(t *testing.T, o order) int {
	link := func(seed int64) *Link {
		rate := o.Mbit * 125
		return &Link{
			Loss: o.Loss, BytesPerMs: rate, QueueBytes: rate * o.RttMs,
			Delay: time.Duration(o.RttMs / 2 * float64(time.Millisecond)), Seed: seed,
		}
	}
	serverEnd, clientEnd := Connect(link(2*o.Seed), link(2*o.Seed+1))
	defer serverEnd.Close()
	defer clientEnd.Close()
	config := &quic.Config{InitialPacketSize: o.PacketSize, DisablePathMTUDiscovery: true}
	server := &quic.Transport{Conn: serverEnd}
	defer server.Close()
	listener, err := server.Listen(&tls.Config{Certificates: []tls.Certificate{certificate(t)}, NextProtos: []string{protocol}}, config)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	go pour(ctx, listener)

	client := &quic.Transport{Conn: clientEnd}
	defer client.Close()
	connection, err := client.Dial(ctx, serverEnd.address, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{protocol}}, config)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.CloseWithError(0, "")
	stream, err := connection.OpenStreamSync(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Write([]byte{0}); err != nil {
		t.Fatal(err)
	}
	return count(t, stream, o)
}

func pour(ctx context.Context, listener *quic.Listener) {
	connection, err := listener.Accept(ctx)
	if err != nil {
		return
	}
	stream, err := connection.AcceptStream(ctx)
	if err != nil {
		return
	}
	_, _ = io.ReadFull(stream, make([]byte, 1))
	block := make([]byte, 64<<10)
	for err == nil {
		_, err = stream.Write(block)
	}
}

func count(t *testing.T, stream *quic.Stream, o order) int {
	from := time.Now().Add(time.Duration(o.WarmUpMs) * time.Millisecond)
	_ = stream.SetReadDeadline(from.Add(time.Duration(o.Ms) * time.Millisecond))
	block := make([]byte, 64<<10)
	counted := 0
	for {
		n, err := stream.Read(block)
		if time.Now().After(from) {
			counted += n
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return counted
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func certificate(t *testing.T) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
