package ophost

import (
	"context"
	"log/slog"
	"time"

	"ophost/internal/contract"
	"ophost/internal/schema"
)

// Context gives access to a run and to the functions of the host. It is a [context.Context] that is
// never cancelled: the host ends a run at its deadline.
type Context struct {
	host contract.Host
}

var _ context.Context = (*Context)(nil)

// RunID returns the id of the run record; empty if the run is not recorded.
func (c *Context) RunID() string {
	return c.host.RunID()
}

// UserID returns the user of the run; empty if the caller names none.
func (c *Context) UserID() string {
	return c.host.UserID()
}

// Channel returns the channel of the call: cli, api, or a name that the caller sets.
func (c *Context) Channel() string {
	return c.host.Channel()
}

// DryRun returns whether the host discards all document changes of the run.
func (c *Context) DryRun() bool {
	return c.host.DryRun()
}

// TestMode returns whether the caller set the test flag.
func (c *Context) TestMode() bool {
	return c.host.TestMode()
}

// Verbose returns whether the caller wants verbose output.
func (c *Context) Verbose() bool {
	return c.host.Verbose()
}

// Attempt returns the number of the attempt, from 1.
func (c *Context) Attempt() int {
	return int(c.host.Attempt())
}

// IdempotencyKey returns the idempotency key of the request; empty if there is none.
func (c *Context) IdempotencyKey() string {
	return c.host.IdempotencyKey()
}

// Now returns the current time of the host.
func (c *Context) Now() time.Time {
	return timeOf(c.host.Now())
}

// Random returns 64 random bits, suitable for secrets.
func (c *Context) Random() uint64 {
	return c.host.Random()
}

// Deadline returns the time at which the host ends the run.
func (c *Context) Deadline() (time.Time, bool) {
	return timeOf(c.host.Deadline()), true
}

// Done returns nil, because the context is never cancelled.
func (c *Context) Done() <-chan struct{} {
	return nil
}

// Err returns nil, because the context is never cancelled.
func (c *Context) Err() error {
	return nil
}

// Value returns nil, because the context has no values.
func (c *Context) Value(any) any {
	return nil
}

// Log returns the logger of the run. [LevelTrace] is below the levels of slog. In a component, the
// functions of the packages slog and log write to the same log.
func (c *Context) Log() *slog.Logger {
	return slog.New(newHandler(c.host))
}

// Progress reports that done of total steps are completed. A total of 0 is unknown, and the message
// can be empty.
func (c *Context) Progress(done, total uint64, message string) {
	c.host.Progress(done, total, message)
}

// ItemError records the error of one item of a bulk input. The index begins at 0. The item or its
// identifier is encoded as JSON.
func (c *Context) ItemError(index uint64, item any, err error) {
	text, encodingError := schema.Encode(item)
	if encodingError != nil {
		text = []byte("null")
	}
	c.host.ItemError(index, string(text), err.Error(), causes(err))
}

// Discard discards all document changes of the run so far.
func (c *Context) Discard() {
	c.host.Discard()
}

func timeOf(milliseconds uint64) time.Time {
	return time.UnixMilli(int64(milliseconds)).UTC()
}
