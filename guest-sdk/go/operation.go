package ophost

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"ophost/internal/contract"
	"ophost/internal/schema"
)

// None is the input or the output of an operation without one. Its JSON form is an empty object.
type None struct{}

// Definition is an operation with its description. [Operation] returns it.
type Definition struct {
	name        string
	input       reflect.Type
	output      reflect.Type
	run         func(ctx *Context, input []byte) ([]byte, error)
	description contract.Operation
	collections map[string]string
	problems    []string
}

// Option is a part of the description of an operation.
type Option func(*Definition)

// Operation returns the operation that a function implements. [Description] and [Category] are
// required.
//
// The host validates inputs and outputs against the schemas of their types. An error that the
// function returns fails the run, see [Failure]. A panic fails it too, with the stack.
func Operation[In, Out any](name string, function func(*Context, In) (Out, error), options ...Option) *Definition {
	definition := &Definition{
		name:        name,
		input:       reflect.TypeFor[In](),
		output:      reflect.TypeFor[Out](),
		description: contract.Operation{Name: name, CreateTaskrun: true},
		collections: map[string]string{},
	}
	definition.run = func(ctx *Context, text []byte) ([]byte, error) {
		var input In
		if err := schema.Unmarshal(text, &input); err != nil {
			return nil, Permanent("cannot decode the input").Because(err)
		}
		output, err := function(ctx, input)
		if err != nil {
			return nil, err
		}
		encoded, err := schema.Marshal(output)
		if err != nil {
			return nil, Permanent("cannot encode the output").Because(err)
		}
		return encoded, nil
	}
	for _, option := range options {
		option(definition)
	}
	return definition
}

// Description describes the operation.
func Description(text string) Option {
	return func(d *Definition) { d.description.Description = text }
}

// Category sets the category of the operation, such as text.
func Category(category string) Option {
	return func(d *Definition) { d.description.Category = category }
}

// Tags adds tags, for filters.
func Tags(tags ...string) Option {
	return func(d *Definition) { d.description.Tags = append(d.description.Tags, tags...) }
}

// Permissions adds permissions that a caller needs, such as jobs:write.
func Permissions(permissions ...string) Option {
	return func(d *Definition) {
		d.description.Permissions = append(d.description.Permissions, permissions...)
	}
}

// Stage sets the stage of a pipeline, such as extract.
func Stage(stage string) Option {
	return func(d *Definition) { d.description.Stage = stage }
}

// Async makes the host record direct calls by default.
func Async() Option {
	return func(d *Definition) { d.description.AsyncEnabled = true }
}

// NoTaskRun means that runs of the operation cannot have a record.
func NoTaskRun() Option {
	return func(d *Definition) { d.description.CreateTaskrun = false }
}

// ModelsIn adds models that the operation reads. [Reads] adds the model of a collection.
func ModelsIn(models ...string) Option {
	return func(d *Definition) { addNew(&d.description.ModelsIn, models) }
}

// ModelsOut adds models that the operation reads and writes. [Writes] adds the model of a
// collection.
func ModelsOut(models ...string) Option {
	return func(d *Definition) { addNew(&d.description.ModelsOut, models) }
}

// AnyCollection is a [Collection] of any model.
type AnyCollection interface {
	names() (model, collection string)
}

// Reads declares the collections that the operation reads.
func Reads(collections ...AnyCollection) Option {
	return func(d *Definition) { d.addCollections(&d.description.ModelsIn, collections) }
}

// Writes declares the collections that the operation reads and writes.
func Writes(collections ...AnyCollection) Option {
	return func(d *Definition) { d.addCollections(&d.description.ModelsOut, collections) }
}

func (d *Definition) addCollections(models *[]string, collections []AnyCollection) {
	for _, collection := range collections {
		model, name := collection.names()
		addNew(models, []string{model})
		if name != contract.DefaultCollection(model) {
			d.collections[model] = name
		}
	}
}

// Annotation adds an annotation with a key of the author, such as example.owner. The value is
// encoded as JSON.
func Annotation(key string, value any) Option {
	return func(d *Definition) {
		text, err := schema.Encode(value)
		if err != nil {
			d.problems = append(d.problems, fmt.Sprintf("annotation `%s`: %v", key, err))
		}
		annotation := contract.Annotation{Key: key, Value: string(text)}
		d.description.Annotations = append(d.description.Annotations, annotation)
	}
}

// Idempotent declares that two runs have the same effect as one.
func Idempotent() Option {
	return Annotation("ophost.idempotent", true)
}

// Destructive declares that the operation deletes or overwrites data that cannot be restored.
func Destructive() Option {
	return Annotation("ophost.destructive", true)
}

// Aliases adds other names of the operation.
func Aliases(names ...string) Option {
	return Annotation("ophost.aliases", names)
}

// Timeout sets the time limit of calls that request none.
func Timeout(limit time.Duration) Option {
	return Annotation("ophost.timeout-ms", limit.Milliseconds())
}

// MemoryMiB sets the memory limit of calls that request none, in MiB.
func MemoryMiB(limit int) Option {
	return Annotation("ophost.memory-mib", limit)
}

// addNew appends the values that a list does not contain yet.
func addNew(list *[]string, values []string) {
	for _, value := range values {
		if !slices.Contains(*list, value) {
			*list = append(*list, value)
		}
	}
}

// check returns the first mistake of the options.
func (d *Definition) check() error {
	switch {
	case d.description.Description == "":
		return errors.New("the description is missing: add ophost.Description")
	case d.description.Category == "":
		return errors.New("the category is missing: add ophost.Category")
	case len(d.problems) > 0:
		return errors.New(d.problems[0])
	}
	return nil
}

// describe returns the description with the schemas.
func (d *Definition) describe() (contract.Operation, error) {
	description := d.description
	var err error
	if description.InputSchema, err = schema.Of(d.input); err != nil {
		return description, fmt.Errorf("input: %w", err)
	}
	if description.OutputSchema, err = schema.Of(d.output); err != nil {
		return description, fmt.Errorf("output: %w", err)
	}
	if err := d.check(); err != nil {
		return description, err
	}
	if len(d.collections) > 0 {
		text, err := schema.Encode(d.collections)
		if err != nil {
			return description, err
		}
		annotation := contract.Annotation{Key: contract.Collections, Value: string(text)}
		description.Annotations = append(slices.Clone(description.Annotations), annotation)
	}
	return description, nil
}
