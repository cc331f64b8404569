// Package guest calls the host of a component.
package guest

import (
	"ophost/internal/bindings/ophost_plugin_context"
	"ophost/internal/bindings/ophost_plugin_documents"
	"ophost/internal/bindings/ophost_plugin_item_errors"
	"ophost/internal/bindings/ophost_plugin_log"
	"ophost/internal/bindings/ophost_plugin_progress"
	"ophost/internal/contract"
	witTypes "ophost/internal/wit/types"
)

// Host implements the functions of the host with the imports of the component.
type Host struct{}

var _ contract.Host = Host{}

// Option returns none for an empty text.
func Option(text string) witTypes.Option[string] {
	if text == "" {
		return witTypes.None[string]()
	}
	return witTypes.Some(text)
}

func (Host) RunID() string          { return ophost_plugin_context.RunId().SomeOr("") }
func (Host) UserID() string         { return ophost_plugin_context.UserId().SomeOr("") }
func (Host) Channel() string        { return ophost_plugin_context.Channel() }
func (Host) DryRun() bool           { return ophost_plugin_context.DryRun() }
func (Host) TestMode() bool         { return ophost_plugin_context.TestMode() }
func (Host) Verbose() bool          { return ophost_plugin_context.Verbose() }
func (Host) Attempt() uint32        { return ophost_plugin_context.Attempt() }
func (Host) Deadline() uint64       { return ophost_plugin_context.Deadline() }
func (Host) IdempotencyKey() string { return ophost_plugin_context.IdempotencyKey().SomeOr("") }
func (Host) Now() uint64            { return ophost_plugin_context.Now() }
func (Host) Random() uint64         { return ophost_plugin_context.Random() }

// Log adds an entry to the log of the run. The levels have the order of the contract.
func (Host) Log(level contract.Level, message, data string) {
	ophost_plugin_log.Write(ophost_plugin_log.Level(level), message, Option(data))
}

// Progress reports the progress of the run.
func (Host) Progress(done, total uint64, message string) {
	steps := witTypes.None[uint64]()
	if total > 0 {
		steps = witTypes.Some(total)
	}
	ophost_plugin_progress.Report(done, steps, Option(message))
}

// ItemError records the error of one item.
func (Host) ItemError(index uint64, item, message, traceback string) {
	ophost_plugin_item_errors.Add(index, item, message, Option(traceback))
}

// Get returns a document; nil if it does not exist.
func (Host) Get(collection, id string) (*contract.Document, error) {
	found, err := unpack(ophost_plugin_documents.Get(collection, id))
	if err != nil || found.IsNone() {
		return nil, err
	}
	document := documentOf(found.Some())
	return &document, nil
}

func documentOf(found ophost_plugin_documents.Document) contract.Document {
	return contract.Document{ID: found.Id, Revision: found.Revision, Body: found.Body}
}

// Put creates or replaces a document.
func (Host) Put(collection, id, body string, condition contract.Condition) (string, error) {
	return unpack(ophost_plugin_documents.Put(collection, Option(id), body, conditionOf(condition)))
}

func conditionOf(condition contract.Condition) ophost_plugin_documents.Condition {
	switch condition.Kind {
	case contract.Absent:
		return ophost_plugin_documents.MakeConditionAbsent()
	case contract.Present:
		return ophost_plugin_documents.MakeConditionPresent()
	case contract.At:
		return ophost_plugin_documents.MakeConditionAt(condition.Revision)
	}
	return ophost_plugin_documents.MakeConditionAlways()
}

// Set sets fields of a document.
func (Host) Set(collection, id string, fields []contract.Field) error {
	var pairs []witTypes.Tuple2[string, string]
	for _, field := range fields {
		pairs = append(pairs, witTypes.Tuple2[string, string]{F0: field.Path, F1: field.Value})
	}
	_, err := unpack(ophost_plugin_documents.Set(collection, id, pairs))
	return err
}

// Merge merges a patch into a document.
func (Host) Merge(collection, id, patch string) error {
	_, err := unpack(ophost_plugin_documents.Merge(collection, id, patch))
	return err
}

// Delete deletes a document.
func (Host) Delete(collection, id string) (bool, error) {
	return unpack(ophost_plugin_documents.Delete(collection, id))
}

// Find returns a page of documents.
func (Host) Find(collection string, query contract.Query) (contract.Page, error) {
	request := ophost_plugin_documents.Query{
		Filter: query.Filter,
		Limit:  witTypes.None[uint32](),
		Cursor: Option(query.Cursor),
	}
	if query.Limit > 0 {
		request.Limit = witTypes.Some(query.Limit)
	}
	for _, key := range query.Sort {
		request.Sort = append(request.Sort, ophost_plugin_documents.SortKey(key))
	}
	found, err := unpack(ophost_plugin_documents.Find(collection, request))
	if err != nil {
		return contract.Page{}, err
	}
	page := contract.Page{Next: found.Next.SomeOr("")}
	for _, document := range found.Documents {
		page.Documents = append(page.Documents, documentOf(document))
	}
	return page, nil
}

// Count returns the number of documents that match a filter.
func (Host) Count(collection, filter string) (uint64, error) {
	return unpack(ophost_plugin_documents.Count(collection, filter))
}

// Discard discards the writes of the run.
func (Host) Discard() {
	ophost_plugin_documents.Discard()
}

// unpack returns the value or the error of a result.
func unpack[T any](result witTypes.Result[T, ophost_plugin_documents.Error]) (T, error) {
	if result.IsOk() {
		return result.Ok(), nil
	}
	var none T
	return none, errorOf(result.Err())
}

func errorOf(failed ophost_plugin_documents.Error) error {
	switch failed.Tag() {
	case ophost_plugin_documents.ErrorDenied:
		return &contract.DocumentError{Code: contract.Denied, Message: failed.Denied()}
	case ophost_plugin_documents.ErrorNotFound:
		return &contract.DocumentError{Code: contract.NotFound, Message: "not found"}
	case ophost_plugin_documents.ErrorExists:
		return &contract.DocumentError{Code: contract.Exists, Message: "the document already exists"}
	case ophost_plugin_documents.ErrorStale:
		return &contract.DocumentError{Code: contract.Stale, Message: "the document has another revision"}
	case ophost_plugin_documents.ErrorInvalid:
		return &contract.DocumentError{Code: contract.Invalid, Message: failed.Invalid()}
	case ophost_plugin_documents.ErrorTooLarge:
		return &contract.DocumentError{Code: contract.TooLarge, Message: failed.TooLarge()}
	}
	other := failed.Other()
	return &contract.DocumentError{Code: other.F0, Message: other.F1}
}
