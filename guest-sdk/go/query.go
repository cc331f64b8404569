package ophost

import (
	"math"
	"strings"

	"ophost/internal/contract"
	"ophost/internal/schema"
)

// Filter selects documents, in a subset of the language of MongoDB:
//
//	ophost.Filter{"status": "open", "salary": ophost.Filter{"$gte": 1000}}
//
// A filter that is nil matches all documents.
type Filter map[string]any

func (f Filter) encode() (string, error) {
	if f == nil {
		return "{}", nil
	}
	text, err := schema.Encode(f)
	if err != nil {
		return "", &contract.DocumentError{Code: contract.Invalid, Message: "cannot encode the filter: " + err.Error()}
	}
	return string(text), nil
}

// QueryOption is the order or the limit of a query.
type QueryOption func(*query)

type query struct {
	sort  []contract.SortKey
	limit int
}

// Sort sorts documents by paths. A path with a minus, such as -salary, has descending order.
func Sort(paths ...string) QueryOption {
	return func(q *query) {
		for _, path := range paths {
			plain, isDescending := strings.CutPrefix(path, "-")
			q.sort = append(q.sort, contract.SortKey{Path: plain, Descending: isDescending})
		}
	}
}

// Limit bounds the number of documents.
func Limit(count int) QueryOption {
	return func(q *query) { q.limit = count }
}

// newQuery returns the query of the first page, and the maximum number of documents.
func newQuery(filter Filter, options []QueryOption) (contract.Query, int, error) {
	q := query{limit: math.MaxInt}
	for _, option := range options {
		option(&q)
	}
	text, err := filter.encode()
	return contract.Query{Filter: text, Sort: q.sort}, q.limit, err
}

// pageSize returns the limit of the next page; 0 for the default of the host.
func pageSize(remaining int) uint32 {
	const maxPage = 1000
	if remaining > maxPage {
		return 0
	}
	return uint32(remaining)
}

// Condition is the precondition of [Collection.Put].
type Condition struct {
	contract contract.Condition
}

// The conditions of a document.
var (
	// Always means no condition.
	Always = Condition{contract.Condition{Kind: contract.Always}}
	// Absent means that no document has the ID.
	Absent = Condition{contract.Condition{Kind: contract.Absent}}
	// Present means that a document has the ID.
	Present = Condition{contract.Condition{Kind: contract.Present}}
)

// AtRevision means that the document has a revision; 0 if this run has written it.
func AtRevision(revision uint64) Condition {
	return Condition{contract.Condition{Kind: contract.At, Revision: revision}}
}
