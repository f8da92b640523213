// Package virtual has a link between two ends in memory, for tests in virtual time (testing/synctest): nothing in it depends on the machine.
package virtual

import (
	"math/rand"
	"net"
	"os"
	"sync"
	"time"
)

// Link is one direction: it loses packets by chance, then a queue in front of its slow place drops what does not fit, then it takes time.
type Link struct {
	Loss        float64
	BytesPerMs  float64
	QueueBytes  float64
	Delay       time.Duration
	Seed        int64
	mu          sync.Mutex
	random      *rand.Rand
	freeAt      time.Time
	destination *End
}

// End is a net.PacketConn.
type End struct {
	address  *net.UDPAddr
	out      *Link
	arrived  chan []byte
	from     net.Addr
	closed   chan struct{}
	changed  chan struct{}
	mu       sync.Mutex
	deadline time.Time
}

// More than any queue holds.
const mostOnTheWay = 100_000

// Connect makes two ends with a link each way.
func Connect(there, back *Link) (*End, *End) {
	newEnd := func(port int, out *Link, from net.Addr) *End {
		return &End{
			address: addressOf(port), out: out, from: from,
			arrived: make(chan []byte, mostOnTheWay), closed: make(chan struct{}), changed: make(chan struct{}, 1),
		}
	}
	a, b := newEnd(1, there, addressOf(2)), newEnd(2, back, addressOf(1))
	there.destination, back.destination = b, a
	for _, link := range []*Link{there, back} {
		link.random = rand.New(rand.NewSource(link.Seed))
	}
	return a, b
}

func addressOf(port int) *net.UDPAddr { return &net.UDPAddr{IP: net.IPv4(192, 0, 2, 1), Port: port} }

func (l *Link) carry(packet []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.random.Float64() < l.Loss {
		return
	}
	now := time.Now()
	free := l.freeAt
	if free.Before(now) {
		free = now
	}
	waiting := float64(free.Sub(now)) / float64(time.Millisecond) * l.BytesPerMs
	if waiting+float64(len(packet)) > l.QueueBytes {
		return
	}
	l.freeAt = free.Add(time.Duration(float64(len(packet)) / l.BytesPerMs * float64(time.Millisecond)))
	copied := append([]byte(nil), packet...)
	time.AfterFunc(l.freeAt.Add(l.Delay).Sub(now), func() { l.destination.arrived <- copied })
}

func (e *End) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		e.mu.Lock()
		deadline := e.deadline
		e.mu.Unlock()
		var late <-chan time.Time
		if !deadline.IsZero() {
			timer := time.NewTimer(time.Until(deadline))
			defer timer.Stop()
			late = timer.C
		}
		select {
		case packet := <-e.arrived:
			return copy(b, packet), e.from, nil
		case <-e.closed:
			return 0, nil, net.ErrClosed
		case <-late:
			return 0, nil, os.ErrDeadlineExceeded
		case <-e.changed:
		}
	}
}

func (e *End) WriteTo(b []byte, _ net.Addr) (int, error) {
	e.out.carry(b)
	return len(b), nil
}

func (e *End) Close() error {
	close(e.closed)
	return nil
}

func (e *End) LocalAddr() net.Addr                { return e.address }
func (e *End) SetWriteDeadline(_ time.Time) error { return nil }
func (e *End) SetDeadline(t time.Time) error      { return e.SetReadDeadline(t) }

func (e *End) SetReadDeadline(t time.Time) error {
	e.mu.Lock()
	e.deadline = t
	e.mu.Unlock()
	select {
	case e.changed <- struct{}{}:
	default:
	}
	return nil
}
