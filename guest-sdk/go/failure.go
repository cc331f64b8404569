package ophost

import (
	"errors"
	"fmt"
	"strings"

	"ophost/internal/contract"
	"ophost/internal/schema"
)

// Failure is an error with a code, with details, and with information on retries.
//
// Any error that an operation returns fails its run. If it wraps a Failure, as fmt.Errorf does with
// %w, the run has the code, the details and the kind of the Failure, and the message of the whole
// error.
type Failure struct {
	kind    contract.Kind
	message string
	code    string
	details any
	cause   error
}

// Fail returns a failure. Whether a retry can succeed is unknown. The arguments are those of
// fmt.Sprintf.
func Fail(format string, arguments ...any) *Failure {
	return newFailure(contract.Error, format, arguments)
}

// Permanent returns a failure that a retry with the same input cannot avoid.
func Permanent(format string, arguments ...any) *Failure {
	return newFailure(contract.Permanent, format, arguments)
}

// Retryable returns a failure with a temporary cause.
func Retryable(format string, arguments ...any) *Failure {
	return newFailure(contract.Retryable, format, arguments)
}

func newFailure(kind contract.Kind, format string, arguments []any) *Failure {
	message := format
	if len(arguments) > 0 {
		message = fmt.Sprintf(format, arguments...)
	}
	return &Failure{kind: kind, message: message}
}

// Code returns the failure with a code for programs, such as not-found.
func (f *Failure) Code(code string) *Failure {
	changed := *f
	changed.code = code
	return &changed
}

// Details returns the failure with further information, which is encoded as JSON.
func (f *Failure) Details(details any) *Failure {
	changed := *f
	changed.details = details
	return &changed
}

// Because returns the failure with its cause.
func (f *Failure) Because(cause error) *Failure {
	changed := *f
	changed.cause = cause
	return &changed
}

// Error returns the message, with that of the cause.
func (f *Failure) Error() string {
	if f.cause == nil {
		return f.message
	}
	return f.message + ": " + f.cause.Error()
}

// Unwrap returns the cause.
func (f *Failure) Unwrap() error {
	return f.cause
}

// failureOf returns the failure that the host records for an error.
func failureOf(err error) *contract.Failure {
	failed := contract.Failure{Kind: contract.Error, Message: err.Error(), Traceback: causes(err)}
	var failure *Failure
	var document *DocumentError
	switch {
	case errors.As(err, &failure):
		failed.Kind, failed.Code = failure.kind, failure.code
		failed.Details = failure.encodedDetails()
	case errors.As(err, &document):
		failed.Code = document.Code
	}
	return &failed
}

func (f *Failure) encodedDetails() string {
	if f.details == nil {
		return ""
	}
	text, err := schema.Encode(f.details)
	if err != nil {
		text, _ = schema.Encode(fmt.Sprintf("cannot encode the details: %v", err))
	}
	return string(text)
}

// causes returns a line for each error that an error wraps. Empty if it wraps none.
func causes(err error) string {
	var lines []string
	var add func(err error)
	add = func(err error) {
		for _, cause := range wrapped(err) {
			lines = append(lines, "caused by: "+cause.Error())
			add(cause)
		}
	}
	add(err)
	return strings.Join(lines, "\n")
}

func wrapped(err error) []error {
	switch err := err.(type) {
	case interface{ Unwrap() []error }:
		return err.Unwrap()
	case interface{ Unwrap() error }:
		if cause := err.Unwrap(); cause != nil {
			return []error{cause}
		}
	}
	return nil
}
