// Package ophosttest runs operations in native unit tests, with documents in memory:
//
//	func TestGreeting(t *testing.T) {
//		host := ophosttest.New(t)
//		output, err := host.Invoke("greet", `{"name": "Ada"}`)
//		if err != nil || output != `{"text":"Hello, Ada!"}` {
//			t.Fatal(output, err)
//		}
//	}
//
// The schemas are not validated here: the cases of `ophost test` run under the real host.
package ophosttest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"ophost"
	"ophost/internal/contract"
	"ophost/internal/schema"
)

// Host is a host for unit tests. The fields can be changed before a run.
type Host struct {
	// User is the user of the runs.
	User string
	// ChannelName is the channel of the calls. The default is native.
	ChannelName string
	// IsDryRun discards the document changes of Invoke.
	IsDryRun bool
	// IsVerbose tells operations that the caller wants verbose output.
	IsVerbose bool
	// Key is the idempotency key of the requests.
	Key string
	// AttemptNumber is the number of the attempt. The default is 1.
	AttemptNumber uint32
	// Timeout is the time until the deadline. It does not end a run. The default is 30 seconds.
	Timeout time.Duration

	// Logs has the log entries.
	Logs []LogEntry
	// Progress has the reports of progress.
	Progress []Progress
	// ItemErrors has the errors of single items.
	ItemErrors []ItemError

	t     testing.TB
	store store
}

// LogEntry is an entry of the log. Data is a JSON text, or empty.
type LogEntry struct {
	Level   string
	Message string
	Data    string
}

// Progress is a report of progress.
type Progress struct {
	Done    uint64
	Total   uint64
	Message string
}

// ItemError is the error of one item. Item is a JSON text.
type ItemError struct {
	Index uint64
	Item  string
	Error string
}

// Failure is the failure of an operation. Kind is error, permanent or retryable.
type Failure struct {
	Kind      string
	Message   string
	Code      string
	Details   string
	Traceback string
}

// Error returns the message.
func (f *Failure) Error() string {
	return f.Message
}

// New returns a host without documents.
func New(t testing.TB) *Host {
	return &Host{
		ChannelName:   "native",
		AttemptNumber: 1,
		Timeout:       30 * time.Second,
		t:             t,
		store:         store{},
	}
}

// Context returns a context for a direct call of an operation. It gives access to all collections,
// and its document changes are kept.
func (h *Host) Context() *ophost.Context {
	return contract.NewContext(newRun(h)).(*ophost.Context)
}

// Invoke runs a registered operation as the host does, except for the validation. The input and the
// output are JSON texts. An error is a [*Failure], and the document changes are discarded then.
func (h *Host) Invoke(operation, input string) (string, error) {
	h.t.Helper()
	described := contract.Describe().Operations
	index := slices.IndexFunc(described, func(it contract.Operation) bool { return it.Name == operation })
	if index < 0 {
		h.t.Fatalf("no operation `%s`", operation)
	}
	run := h.run(described[index])
	output, failure := contract.Invoke(run, operation, input)
	if failure != nil || h.IsDryRun {
		run.Discard()
	}
	h.store.commit()
	if failure == nil {
		return output, nil
	}
	kind := [...]string{"error", "permanent", "retryable"}[failure.Kind]
	return "", &Failure{kind, failure.Message, failure.Code, failure.Details, failure.Traceback}
}

// run returns the functions of the host for an operation, with access to the collections of its
// models.
func (h *Host) run(operation contract.Operation) *run {
	access := map[string]bool{}
	for _, model := range operation.ModelsIn {
		access[operation.Collection(model)] = false
	}
	for _, model := range operation.ModelsOut {
		access[operation.Collection(model)] = true
	}
	run := newRun(h)
	run.access = access
	return run
}

// Put stores a document. The body is a model, or any other value whose JSON form is an object.
func (h *Host) Put(collection, id string, body any) {
	h.t.Helper()
	text, err := schema.Encode(body)
	if err == nil {
		_, err = h.store.put(collection, id, string(text), contract.Condition{})
	}
	h.store.commit()
	if err != nil {
		h.t.Fatalf("cannot store `%s` in `%s`: %v", id, collection, err)
	}
}

// Document returns the JSON text of a stored document, or an empty text if it does not exist. The
// fields are in alphabetical order.
func (h *Host) Document(collection, id string) string {
	return h.store[collection][id].body
}

// IDs returns the ids of the documents in a collection, in order.
func (h *Host) IDs(collection string) []string {
	return h.store.ids(collection)
}

// run implements the functions of the host.
type run struct {
	*Host
	// access has the collections that can be read, and whether they can be written. nil for all.
	access map[string]bool
	// before has the documents at the start.
	before   store
	deadline time.Time
}

func newRun(h *Host) *run {
	return &run{Host: h, before: h.store.clone(), deadline: time.Now().Add(h.Timeout)}
}

func (r *run) RunID() string          { return "" }
func (r *run) UserID() string         { return r.User }
func (r *run) Channel() string        { return r.ChannelName }
func (r *run) DryRun() bool           { return r.IsDryRun }
func (r *run) TestMode() bool         { return true }
func (r *run) Verbose() bool          { return r.IsVerbose }
func (r *run) Attempt() uint32        { return r.AttemptNumber }
func (r *run) IdempotencyKey() string { return r.Key }
func (r *run) Now() uint64            { return uint64(time.Now().UnixMilli()) }
func (r *run) Deadline() uint64       { return uint64(r.deadline.UnixMilli()) }
func (r *run) Random() uint64         { return rand.Uint64() }

func (r *run) Log(level contract.Level, message, data string) {
	name := [...]string{"TRACE", "DEBUG", "INFO", "WARN", "ERROR"}[level]
	r.Logs = append(r.Logs, LogEntry{name, message, data})
}

func (r *run) Progress(done, total uint64, message string) {
	r.Host.Progress = append(r.Host.Progress, Progress{done, total, message})
}

func (r *run) ItemError(index uint64, item, message, _ string) {
	r.ItemErrors = append(r.ItemErrors, ItemError{index, item, message})
}

func (r *run) Get(collection, id string) (*contract.Document, error) {
	if err := r.check(collection, false); err != nil {
		return nil, err
	}
	found, exists := r.store[collection][id]
	if !exists {
		return nil, nil
	}
	return &contract.Document{ID: id, Revision: found.revision, Body: found.body}, nil
}

func (r *run) Put(collection, id, body string, condition contract.Condition) (string, error) {
	if err := r.check(collection, true); err != nil {
		return "", err
	}
	return r.store.put(collection, id, body, condition)
}

func (r *run) Set(collection, id string, fields []contract.Field) error {
	if err := r.check(collection, true); err != nil {
		return err
	}
	return r.store.set(collection, id, fields)
}

func (r *run) Merge(collection, id, patch string) error {
	if err := r.check(collection, true); err != nil {
		return err
	}
	return r.store.merge(collection, id, patch)
}

func (r *run) Delete(collection, id string) (bool, error) {
	if err := r.check(collection, true); err != nil {
		return false, err
	}
	_, exists := r.store[collection][id]
	delete(r.store[collection], id)
	return exists, nil
}

func (r *run) Find(collection string, query contract.Query) (contract.Page, error) {
	if err := r.check(collection, false); err != nil {
		return contract.Page{}, err
	}
	return r.store.find(collection, query)
}

func (r *run) Count(collection, filter string) (uint64, error) {
	if err := r.check(collection, false); err != nil {
		return 0, err
	}
	found, err := r.store.matching(collection, filter)
	return uint64(len(found)), err
}

func (r *run) Discard() {
	r.store = r.before.clone()
}

func (r *run) check(collection string, isWrite bool) error {
	if r.access == nil {
		return nil
	}
	canWrite, canRead := r.access[collection]
	if canRead && (canWrite || !isWrite) {
		return nil
	}
	verb := "read"
	if isWrite {
		verb = "write"
	}
	message := fmt.Sprintf("the operation does not declare that it can %s `%s`", verb, collection)
	return &contract.DocumentError{Code: contract.Denied, Message: message}
}
