package ophost

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"

	"ophost/internal/contract"
)

// LevelTrace is the level of single steps, below slog.LevelDebug.
const LevelTrace = slog.Level(-8)

// handler is a slog.Handler that writes to the log of a run.
type handler struct {
	host contract.Host
	data *buffer
	json slog.Handler
}

// buffer receives the JSON of one entry at a time.
type buffer struct {
	sync.Mutex
	bytes.Buffer
}

func newHandler(host contract.Host) handler {
	data := &buffer{}
	options := slog.HandlerOptions{Level: slog.Level(-1 << 20)}
	return handler{host: host, data: data, json: slog.NewJSONHandler(data, &options)}
}

// Enabled returns true, because the host filters entries.
func (h handler) Enabled(context.Context, slog.Level) bool {
	return true
}

// Handle adds an entry. Its attributes are the data of the entry.
func (h handler) Handle(ctx context.Context, record slog.Record) error {
	// The JSON of a record without time and message begins with these fields. The attributes follow.
	const prefix = `{"level":"INFO","msg":""`
	attributes := slog.Record{}
	record.Attrs(func(attribute slog.Attr) bool {
		attributes.AddAttrs(attribute)
		return true
	})
	h.data.Lock()
	defer h.data.Unlock()
	h.data.Reset()
	if err := h.json.Handle(ctx, attributes); err != nil {
		return err
	}
	data := strings.TrimSuffix(strings.TrimPrefix(h.data.String(), prefix), "\n")
	if data == "}" {
		data = ""
	} else {
		data = "{" + strings.TrimPrefix(data, ",")
	}
	h.host.Log(levelOf(record.Level), record.Message, data)
	return nil
}

// WithAttrs implements slog.Handler.
func (h handler) WithAttrs(attributes []slog.Attr) slog.Handler {
	return handler{h.host, h.data, h.json.WithAttrs(attributes)}
}

// WithGroup implements slog.Handler.
func (h handler) WithGroup(name string) slog.Handler {
	return handler{h.host, h.data, h.json.WithGroup(name)}
}

func levelOf(level slog.Level) contract.Level {
	switch {
	case level < slog.LevelDebug:
		return contract.Trace
	case level < slog.LevelInfo:
		return contract.Debug
	case level < slog.LevelWarn:
		return contract.Info
	case level < slog.LevelError:
		return contract.Warn
	}
	return contract.ErrorLevel
}
