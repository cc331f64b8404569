package schema

import (
	"encoding"
	"encoding/json"
	"reflect"
	"strings"
)

// field is a field of a struct as encoding/json sees it. The fields of embedded structs belong to
// the outer struct.
type field struct {
	name     string
	owner    reflect.Type
	source   reflect.StructField
	optional bool
	quoted   bool
}

// fields returns the fields of a struct in the order of their declaration.
func fields(t reflect.Type) []field {
	type found struct {
		field
		depth int
	}
	var all []found
	index := map[string]int{}
	var add func(t reflect.Type, depth int, outer []reflect.Type)
	add = func(t reflect.Type, depth int, outer []reflect.Type) {
		for _, embedding := range outer {
			if embedding == t {
				return
			}
		}
		for i := range t.NumField() {
			source := t.Field(i)
			name, options, _ := strings.Cut(source.Tag.Get("json"), ",")
			if inner := pointee(source.Type); source.Anonymous && name == "" && inner.Kind() == reflect.Struct {
				add(inner, depth+1, append(outer, t))
				continue
			}
			if !source.IsExported() || source.Tag.Get("json") == "-" {
				continue
			}
			if name == "" {
				name = source.Name
			}
			options = "," + options + ","
			isOptional := strings.Contains(options, ",omitempty,") || strings.Contains(options, ",omitzero,")
			isQuoted := strings.Contains(options, ",string,")
			entry := found{field{name, t, source, isOptional, isQuoted}, depth}
			if old, exists := index[name]; !exists {
				index[name] = len(all)
				all = append(all, entry)
			} else if depth < all[old].depth {
				all[old] = entry
			}
		}
	}
	add(t, 0, nil)
	result := make([]field, len(all))
	for i, entry := range all {
		result[i] = entry.field
	}
	return result
}

// pointee returns the type that a pointer points to, or else the type itself.
func pointee(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

// hasMethods returns whether a type or a pointer to it implements an interface.
func hasMethods[Interface any](t reflect.Type) bool {
	wanted := reflect.TypeFor[Interface]()
	return t.Implements(wanted) || reflect.PointerTo(t).Implements(wanted)
}

// isCustom returns whether a type has its own JSON form.
func isCustom(t reflect.Type) bool {
	return hasMethods[json.Marshaler](t) || hasMethods[json.Unmarshaler](t) ||
		hasMethods[encoding.TextMarshaler](t) || hasMethods[encoding.TextUnmarshaler](t)
}
