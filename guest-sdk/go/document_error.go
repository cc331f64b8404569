package ophost

import (
	"errors"
	"fmt"

	"ophost/internal/contract"
)

// DocumentError is the error of a call that changed no document. The run continues with its earlier
// changes.
type DocumentError struct {
	// Code is the code of the error, such as not-found.
	Code string
	// Collection is the collection of the call.
	Collection string
	// ID is the id of the document; empty if the call has none.
	ID string
	// Message describes the cause; empty if the code is enough.
	Message string
}

// The document errors, for errors.Is.
var (
	// ErrDenied means that the operation does not declare the collection, or only for reading.
	ErrDenied = &DocumentError{Code: contract.Denied}
	// ErrNotFound means that the document does not exist.
	ErrNotFound = &DocumentError{Code: contract.NotFound}
	// ErrExists means that the document already exists.
	ErrExists = &DocumentError{Code: contract.Exists}
	// ErrStale means that the document has another revision.
	ErrStale = &DocumentError{Code: contract.Stale}
	// ErrInvalid means that an argument is invalid, such as a filter.
	ErrInvalid = &DocumentError{Code: contract.Invalid}
	// ErrTooLarge means that the document is larger than 1 MiB.
	ErrTooLarge = &DocumentError{Code: contract.TooLarge}
	// ErrMismatch means that a stored document does not match the model.
	ErrMismatch = &DocumentError{Code: "does-not-fit"}
)

// Error returns the collection, the id and the message.
func (e *DocumentError) Error() string {
	place := fmt.Sprintf("collection `%s`", e.Collection)
	if e.ID != "" {
		place = fmt.Sprintf("document `%s` in `%s`", e.ID, e.Collection)
	}
	if e.Message == "" {
		return fmt.Sprintf("%s: %s", place, e.Code)
	}
	return fmt.Sprintf("%s: %s", place, e.Message)
}

// Is returns whether the errors have the same code.
func (e *DocumentError) Is(target error) bool {
	other, isDocument := target.(*DocumentError)
	return isDocument && other.Code == e.Code
}

// documentError adds the place of a call to the error of the host.
func documentError(err error, collection, id string) error {
	var failed *contract.DocumentError
	if !errors.As(err, &failed) {
		return err
	}
	return &DocumentError{Code: failed.Code, Collection: collection, ID: id, Message: failed.Message}
}
