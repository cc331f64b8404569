package ophosttest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"ophost/internal/contract"
	"ophost/internal/schema"
)

// store has the documents by collection and id.
type store map[string]map[string]stored

// stored is a document. Its revision is 0 until the run that wrote it ends.
type stored struct {
	body     string
	revision uint64
}

func (s store) clone() store {
	copied := store{}
	for collection, documents := range s {
		copied[collection] = map[string]stored{}
		for id, document := range documents {
			copied[collection][id] = document
		}
	}
	return copied
}

// commit gives a revision to the documents that a run has written.
func (s store) commit() {
	next := uint64(1)
	for _, documents := range s {
		for _, document := range documents {
			next = max(next, document.revision+1)
		}
	}
	for _, documents := range s {
		for id, document := range documents {
			if document.revision == 0 {
				documents[id] = stored{document.body, next}
			}
		}
	}
}

func (s store) ids(collection string) []string {
	var ids []string
	for id := range s[collection] {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

func (s store) put(collection, id, body string, condition contract.Condition) (string, error) {
	value, err := schema.Decode([]byte(body))
	if err != nil {
		return "", invalid("%v", err)
	}
	object, isObject := value.(map[string]any)
	if !isObject {
		return "", invalid("a document is a JSON object")
	}
	if id == "" {
		id = "new-" + strconv.Itoa(len(s[collection])+1)
	}
	if err := s.checkCondition(collection, id, condition); err != nil {
		return "", err
	}
	return id, s.write(collection, id, object)
}

func (s store) checkCondition(collection, id string, condition contract.Condition) error {
	current, exists := s[collection][id]
	switch condition.Kind {
	case contract.Absent:
		if exists {
			return &contract.DocumentError{Code: contract.Exists, Message: "the document already exists"}
		}
	case contract.Present:
		if !exists {
			return notFound()
		}
	case contract.At:
		if !exists || current.revision != condition.Revision {
			return &contract.DocumentError{Code: contract.Stale, Message: "the document has another revision"}
		}
	}
	return nil
}

func (s store) write(collection, id string, object map[string]any) error {
	if _, hasID := object["_id"]; hasID {
		return invalid("a document has no field `_id`")
	}
	text, err := schema.Encode(object)
	if err != nil {
		return invalid("%v", err)
	}
	if s[collection] == nil {
		s[collection] = map[string]stored{}
	}
	s[collection][id] = stored{body: string(text)}
	return nil
}

// object returns the content of a document.
func (s store) object(collection, id string) (map[string]any, error) {
	document, exists := s[collection][id]
	if !exists {
		return nil, notFound()
	}
	value, err := schema.Decode([]byte(document.body))
	object, _ := value.(map[string]any)
	return object, err
}

func (s store) set(collection, id string, fields []contract.Field) error {
	object, err := s.object(collection, id)
	if err != nil {
		return err
	}
	for _, field := range fields {
		value, err := schema.Decode([]byte(field.Value))
		if err != nil {
			return invalid("%v", err)
		}
		changed, err := setAt(object, strings.Split(field.Path, "."), value)
		if err != nil {
			return err
		}
		object = changed.(map[string]any)
	}
	return s.write(collection, id, object)
}

// setAt returns a value with a new value at a path.
func setAt(container any, path []string, value any) (any, error) {
	if len(path) == 0 {
		return value, nil
	}
	switch container := container.(type) {
	case nil:
		return setAt(map[string]any{}, path, value)
	case map[string]any:
		inner, err := setAt(container[path[0]], path[1:], value)
		container[path[0]] = inner
		return container, err
	case []any:
		index, err := strconv.Atoi(path[0])
		if err != nil || index < 0 || index > len(container) {
			return nil, invalid("no index `%s` in a list of %d items", path[0], len(container))
		}
		if index == len(container) {
			container = append(container, nil)
		}
		container[index], err = setAt(container[index], path[1:], value)
		return container, err
	}
	return nil, invalid("no field `%s` in a value that is no object", path[0])
}

func (s store) merge(collection, id, patch string) error {
	object, err := s.object(collection, id)
	if err != nil {
		return err
	}
	value, err := schema.Decode([]byte(patch))
	fields, isObject := value.(map[string]any)
	if err != nil || !isObject {
		return invalid("a patch is a JSON object")
	}
	return s.write(collection, id, mergePatch(object, fields))
}

// mergePatch applies a patch of RFC 7396.
func mergePatch(target, patch map[string]any) map[string]any {
	for name, value := range patch {
		fields, isObject := value.(map[string]any)
		switch {
		case value == nil:
			delete(target, name)
		case isObject:
			inner, _ := target[name].(map[string]any)
			if inner == nil {
				inner = map[string]any{}
			}
			target[name] = mergePatch(inner, fields)
		default:
			target[name] = value
		}
	}
	return target
}

func notFound() error {
	return &contract.DocumentError{Code: contract.NotFound, Message: "not found"}
}

func invalid(format string, arguments ...any) error {
	return &contract.DocumentError{Code: contract.Invalid, Message: fmt.Sprintf(format, arguments...)}
}
