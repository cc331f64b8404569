package schema

import (
	"reflect"
	"strings"
)

// Marshal returns the JSON text of an output. Unlike in encoding/json, a slice or map that is nil
// is an empty list or object, as its schema demands.
func Marshal[T any](value T) ([]byte, error) {
	fillNil(reflect.ValueOf(&value).Elem(), 0)
	return Encode(value)
}

// maxDepth bounds the depth of a value. A deeper value has a cycle or exceeds the limit of the host.
const maxDepth = 128

// fillNil replaces nil slices and maps in a settable value.
func fillNil(value reflect.Value, depth int) {
	if depth > maxDepth || isCustom(value.Type()) {
		return
	}
	switch value.Kind() {
	case reflect.Pointer:
		if !value.IsNil() {
			fillNil(value.Elem(), depth+1)
		}
	case reflect.Struct:
		for i := range value.NumField() {
			fillField(value.Type().Field(i), value.Field(i), depth)
		}
	case reflect.Slice:
		if value.IsNil() {
			value.Set(reflect.MakeSlice(value.Type(), 0, 0))
		}
		fillItems(value, depth)
	case reflect.Array:
		fillItems(value, depth)
	case reflect.Map:
		if value.IsNil() {
			value.Set(reflect.MakeMap(value.Type()))
		}
		fillEntries(value, depth)
	}
}

// fillField replaces nil slices and maps in a field, unless its tag omits them.
func fillField(field reflect.StructField, value reflect.Value, depth int) {
	isEmbedded := field.Anonymous && value.Kind() == reflect.Struct
	isOmitted := value.IsZero() && strings.Contains(field.Tag.Get("json"), ",omitzero")
	if (value.CanSet() || isEmbedded) && !isOmitted {
		fillNil(value, depth+1)
	}
}

func fillItems(value reflect.Value, depth int) {
	if !canContainNil(value.Type().Elem()) {
		return
	}
	for i := range value.Len() {
		fillNil(value.Index(i), depth+1)
	}
}

func fillEntries(value reflect.Value, depth int) {
	if !canContainNil(value.Type().Elem()) {
		return
	}
	for _, key := range value.MapKeys() {
		entry := reflect.New(value.Type().Elem()).Elem()
		entry.Set(value.MapIndex(key))
		fillNil(entry, depth+1)
		value.SetMapIndex(key, entry)
	}
}

func canContainNil(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Struct, reflect.Slice, reflect.Array, reflect.Map:
		return true
	}
	return false
}
