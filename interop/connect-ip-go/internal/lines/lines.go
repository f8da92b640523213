// Package lines is the conversation with the test harness: one JSON object a line, events out, commands in.
package lines

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"strings"
	"sync"
)

// Event is one line of output. The key "event" names it.
type Event map[string]any

// Out writes events. It is safe for use by several goroutines.
type Out struct {
	mu      sync.Mutex
	encoder *json.Encoder
}

// NewOut writes to w. The log of the libraries goes the same way, as {"event":"log","message":…}, so that
// a failing test can show what the other implementation had to say.
func NewOut(w io.Writer) *Out {
	out := &Out{encoder: json.NewEncoder(w)}
	log.SetFlags(0)
	log.SetOutput(logWriter{out})
	return out
}

// Emit writes one event.
func (o *Out) Emit(name string, fields Event) {
	line := Event{"event": name}
	for key, value := range fields {
		line[key] = value
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.encoder.Encode(line); err != nil {
		os.Exit(1) // whoever read the events is gone
	}
}

// Fail reports where something went wrong, and what.
func (o *Out) Fail(where string, err error) {
	o.Emit("error", Event{"where": where, "message": err.Error()})
}

type logWriter struct{ out *Out }

func (w logWriter) Write(b []byte) (int, error) {
	w.out.Emit("log", Event{"message": strings.TrimRight(string(b), "\n")})
	return len(b), nil
}

// Echo is the argument of the command "ping". Size is the length of the ICMP payload in bytes, as in ping -s.
type Echo struct {
	Target    string `json:"target"`
	Size      int    `json:"size"`
	Count     int    `json:"count"`
	TTL       uint8  `json:"ttl"`
	TimeoutMs int    `json:"timeout_ms"`
}

// Command is one line of input. Exactly one of its keys besides "id" is expected; "id" comes back in the
// event "done" that ends the command.
type Command struct {
	ID    int   `json:"id"`
	Ping  *Echo `json:"ping"`
	Close bool  `json:"close"`
}

// Read calls handle for every command until the input ends or handle returns false.
func Read(r io.Reader, out *Out, handle func(Command) bool) {
	scanner := bufio.NewScanner(r)
	for scanner.Scan() {
		text := strings.TrimSpace(scanner.Text())
		if text == "" {
			continue
		}
		var command Command
		decoder := json.NewDecoder(strings.NewReader(text))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&command); err != nil {
			out.Fail("command", fmt.Errorf("%q: %w", text, err))
			continue
		}
		if !handle(command) {
			return
		}
	}
}
