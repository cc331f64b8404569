// Package contract has the types of the contract between a plugin and its host, without their
// binary form. The component and the package ophosttest both use it.
package contract

import (
	"encoding/json"
	"strings"
)

// Plugin describes a plugin.
type Plugin struct {
	Name       string
	Version    string
	Operations []Operation
}

// Operation describes an operation. The schemas are JSON texts.
type Operation struct {
	Name          string
	Description   string
	Category      string
	InputSchema   string
	OutputSchema  string
	Tags          []string
	Permissions   []string
	ModelsIn      []string
	ModelsOut     []string
	Stage         string
	AsyncEnabled  bool
	CreateTaskrun bool
	Annotations   []Annotation
}

// Collection returns the collection of a model of the operation.
func (o Operation) Collection(model string) string {
	for _, annotation := range o.Annotations {
		names := map[string]string{}
		if annotation.Key == Collections && json.Unmarshal([]byte(annotation.Value), &names) == nil {
			if name, exists := names[model]; exists {
				return name
			}
		}
	}
	return DefaultCollection(model)
}

// Collections is the key of the annotation with the collections of models.
const Collections = "ophost.collections"

// DefaultCollection returns the collection that the host uses for a model.
func DefaultCollection(model string) string {
	name := strings.ToLower(model)
	for _, ending := range []string{"s", "x", "z", "ch", "sh"} {
		if strings.HasSuffix(name, ending) {
			return name + "es"
		}
	}
	return name + "s"
}

// Annotation is a named setting, whose value is a JSON text.
type Annotation struct {
	Key   string
	Value string
}

// Kind tells whether a retry of a failed run can succeed.
type Kind uint8

// The kinds of failures.
const (
	Error Kind = iota
	Permanent
	Retryable
)

// Failure describes a failed run. Empty texts are left out.
type Failure struct {
	Kind      Kind
	Message   string
	Code      string
	Details   string
	Traceback string
}

// Level is the level of a log entry.
type Level uint8

// The levels of the contract.
const (
	Trace Level = iota
	Debug
	Info
	Warn
	ErrorLevel
)

// Document is a stored document. The body is a JSON text.
type Document struct {
	ID       string
	Revision uint64
	Body     string
}

// ConditionKind is the kind of the precondition of a put.
type ConditionKind uint8

// The kinds of conditions.
const (
	Always ConditionKind = iota
	Absent
	Present
	At
)

// Condition is the precondition of a put. Revision belongs to At.
type Condition struct {
	Kind     ConditionKind
	Revision uint64
}

// Field is a path in a document with its new value, a JSON text.
type Field struct {
	Path  string
	Value string
}

// SortKey is a path that documents are sorted by.
type SortKey struct {
	Path       string
	Descending bool
}

// Query selects documents. The filter is a JSON text. A limit of 0 is the default of the host, and
// an empty cursor selects the first page.
type Query struct {
	Filter string
	Sort   []SortKey
	Limit  uint32
	Cursor string
}

// Page is a page of documents. Next is empty for the last page.
type Page struct {
	Documents []Document
	Next      string
}

// DocumentError is the error of a call that changed nothing.
type DocumentError struct {
	Code    string
	Message string
}

func (e *DocumentError) Error() string {
	return e.Message
}

// The codes of document errors.
const (
	Denied   = "denied"
	NotFound = "not-found"
	Exists   = "exists"
	Stale    = "stale"
	Invalid  = "invalid"
	TooLarge = "too-large"
)

// Host has the functions that a run can call. Texts that do not exist are empty, and times are
// milliseconds since 1970.
type Host interface {
	RunID() string
	UserID() string
	Channel() string
	DryRun() bool
	TestMode() bool
	Verbose() bool
	Attempt() uint32
	Deadline() uint64
	IdempotencyKey() string
	Now() uint64
	Random() uint64

	Log(level Level, message, data string)
	Progress(done, total uint64, message string)
	ItemError(index uint64, item, message, traceback string)

	Get(collection, id string) (*Document, error)
	Put(collection, id, body string, condition Condition) (string, error)
	Set(collection, id string, fields []Field) error
	Merge(collection, id, patch string) error
	Delete(collection, id string) (bool, error)
	Find(collection string, query Query) (Page, error)
	Count(collection, filter string) (uint64, error)
	Discard()
}

// The package ophost sets these functions. The exports of a component call them, and cannot import
// that package.
var (
	Describe func() Plugin
	Invoke   func(host Host, operation, input string) (string, *Failure)
	// NewContext returns the context of a run, for ophosttest.
	NewContext func(host Host) any
)
