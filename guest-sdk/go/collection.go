package ophost

import (
	"encoding/json"
	"fmt"
	"iter"
	"reflect"

	"ophost/internal/contract"
	"ophost/internal/schema"
)

// Collection gives access to the documents of a model. An operation declares its collections with
// [Reads] and [Writes].
//
// A run reads a snapshot and its own changes. The host commits the changes if the run succeeds.
// The errors of the methods are of the type [*DocumentError].
type Collection[T any] struct {
	model    string
	name     string
	document func(*T) *Document
}

// NewCollection returns the collection of a model. Its name is the plural of the name of the type,
// in lower case: documents of type Job are in jobs.
func NewCollection[T any, P Model[T]]() *Collection[T] {
	model := reflect.TypeFor[T]().Name()
	return &Collection[T]{
		model:    model,
		name:     contract.DefaultCollection(model),
		document: func(value *T) *Document { return P(value).document() },
	}
}

// Named returns the collection with another name, such as bank.accounts.
func (c *Collection[T]) Named(name string) *Collection[T] {
	return &Collection[T]{model: c.model, name: name, document: c.document}
}

func (c *Collection[T]) names() (model, collection string) {
	return c.model, c.name
}

// Get returns a document. The error is [ErrNotFound] if it does not exist.
func (c *Collection[T]) Get(ctx *Context, id string) (*T, error) {
	stored, err := ctx.host.Get(c.name, id)
	if err != nil {
		return nil, documentError(err, c.name, id)
	}
	if stored == nil {
		return nil, c.notFound(id)
	}
	return c.decode(*stored)
}

func (c *Collection[T]) notFound(id string) error {
	return &DocumentError{Code: contract.NotFound, Collection: c.name, ID: id, Message: "not found"}
}

func (c *Collection[T]) decode(stored contract.Document) (*T, error) {
	value, err := decodeBody[T](stored.Body)
	if err != nil {
		return nil, &DocumentError{ErrMismatch.Code, c.name, stored.ID, "the model does not match: " + err.Error()}
	}
	*c.document(value) = Document{ID: stored.ID, Revision: stored.Revision, loaded: stored.Body}
	return value, nil
}

func decodeBody[T any](body string) (*T, error) {
	value := new(T)
	err := json.Unmarshal([]byte(body), value)
	return value, err
}

// Find returns the documents that match a filter. It reads them in pages, and ends after the first
// error:
//
//	for job, err := range jobs.Find(ctx, ophost.Filter{"status": "open"}, ophost.Sort("-salary")) {
//		if err != nil {
//			return err
//		}
//	}
func (c *Collection[T]) Find(ctx *Context, filter Filter, options ...QueryOption) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		query, remaining, err := newQuery(filter, options)
		for err == nil && remaining > 0 {
			query.Limit = pageSize(remaining)
			var page contract.Page
			if page, err = ctx.host.Find(c.name, query); err != nil {
				break
			}
			for _, stored := range page.Documents {
				value, err := c.decode(stored)
				if !yield(value, err) || err != nil {
					return
				}
			}
			remaining -= len(page.Documents)
			query.Cursor = page.Next
			if page.Next == "" {
				return
			}
		}
		if err != nil {
			yield(nil, documentError(err, c.name, ""))
		}
	}
}

// All returns a list of the documents that match a filter.
func (c *Collection[T]) All(ctx *Context, filter Filter, options ...QueryOption) ([]*T, error) {
	all := []*T{}
	for value, err := range c.Find(ctx, filter, options...) {
		if err != nil {
			return nil, err
		}
		all = append(all, value)
	}
	return all, nil
}

// First returns the first document that matches a filter. The error is [ErrNotFound] if there is
// none.
func (c *Collection[T]) First(ctx *Context, filter Filter, options ...QueryOption) (*T, error) {
	for value, err := range c.Find(ctx, filter, append(options, Limit(1))...) {
		return value, err
	}
	return nil, &DocumentError{contract.NotFound, c.name, "", "no document matches"}
}

// Count returns the number of documents that match a filter.
func (c *Collection[T]) Count(ctx *Context, filter Filter) (int, error) {
	text, err := filter.encode()
	if err != nil {
		return 0, documentError(err, c.name, "")
	}
	count, err := ctx.host.Count(c.name, text)
	return int(count), documentError(err, c.name, "")
}

// Insert creates a document. If its ID is empty, the host creates one, and Insert sets it. The error
// is [ErrExists] if the ID is in use.
func (c *Collection[T]) Insert(ctx *Context, value *T) error {
	return c.Put(ctx, value, Absent)
}

// Put creates or replaces a document, including the fields that the model does not have, if the
// condition holds: [Always], [Absent], [Present] or [AtRevision].
func (c *Collection[T]) Put(ctx *Context, value *T, condition Condition) error {
	body, err := schema.Marshal(*value)
	if err != nil {
		return c.invalid(c.document(value).ID, err)
	}
	return c.put(ctx, value, string(body), condition)
}

func (c *Collection[T]) put(ctx *Context, value *T, body string, condition Condition) error {
	document := c.document(value)
	id, err := ctx.host.Put(c.name, document.ID, body, condition.contract)
	if err != nil {
		return documentError(err, c.name, document.ID)
	}
	*document = Document{ID: id, loaded: body}
	return nil
}

// Save writes the fields that have changed since the document was read. Fields that the model does
// not have are kept, also those of nested structs. A changed list is replaced. The error is
// [ErrNotFound] if the document was deleted in the meantime. A document that was not read is
// inserted.
func (c *Collection[T]) Save(ctx *Context, value *T) error {
	document := c.document(value)
	if document.loaded == "" {
		return c.Insert(ctx, value)
	}
	before, now, err := c.states(value)
	if err != nil {
		return c.invalid(document.ID, err)
	}
	stored, err := ctx.host.Get(c.name, document.ID)
	if err != nil {
		return documentError(err, c.name, document.ID)
	}
	if stored == nil {
		return c.notFound(document.ID)
	}
	current, err := schema.Decode([]byte(stored.Body))
	if err != nil {
		return c.invalid(document.ID, err)
	}
	merged, isChanged := merge(current, before, now)
	if !isChanged {
		return nil
	}
	body, err := schema.Encode(merged)
	if err != nil {
		return c.invalid(document.ID, err)
	}
	return c.put(ctx, value, string(body), Present)
}

// states returns the JSON values of the document when it was read, as the model sees it, and now.
func (c *Collection[T]) states(value *T) (before, now any, err error) {
	old, err := decodeBody[T](c.document(value).loaded)
	if err != nil {
		return nil, nil, err
	}
	if before, err = toJSON(*old); err != nil {
		return nil, nil, err
	}
	now, err = toJSON(*value)
	return before, now, err
}

func toJSON[T any](value T) (any, error) {
	text, err := schema.Marshal(value)
	if err != nil {
		return nil, err
	}
	return schema.Decode(text)
}

func (c *Collection[T]) invalid(id string, err error) error {
	return &DocumentError{contract.Invalid, c.name, id, err.Error()}
}

// Fields has new values by path: names of fields and indexes of lists, joined by dots.
type Fields map[string]any

// Set sets fields of a document, also to null. The error is [ErrNotFound] if the document does not
// exist.
func (c *Collection[T]) Set(ctx *Context, id string, values Fields) error {
	var encoded []contract.Field
	for path, value := range values {
		text, err := schema.Encode(value)
		if err != nil {
			return c.invalid(id, fmt.Errorf("`%s`: %w", path, err))
		}
		encoded = append(encoded, contract.Field{Path: path, Value: string(text)})
	}
	return documentError(ctx.host.Set(c.name, id, encoded), c.name, id)
}

// Merge merges a patch into a document (RFC 7396): nil deletes a field, and a list replaces a list.
// The error is [ErrNotFound] if the document does not exist.
func (c *Collection[T]) Merge(ctx *Context, id string, patch map[string]any) error {
	text, err := schema.Encode(patch)
	if err != nil {
		return c.invalid(id, err)
	}
	return documentError(ctx.host.Merge(c.name, id, string(text)), c.name, id)
}

// Delete deletes a document, and returns whether it existed.
func (c *Collection[T]) Delete(ctx *Context, id string) (bool, error) {
	existed, err := ctx.host.Delete(c.name, id)
	return existed, documentError(err, c.name, id)
}
