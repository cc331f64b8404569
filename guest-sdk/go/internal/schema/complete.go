package schema

import (
	"encoding/json"
	"errors"
	"reflect"
	"strconv"
	"strings"
)

// Unmarshal decodes an input into the value that target points to. Missing fields get the values of
// their default tags. A number without a fraction, such as 2.0, is an integer.
func Unmarshal(text []byte, target any) error {
	t := reflect.TypeOf(target).Elem()
	if !hasDefaults(t, nil) {
		err := json.Unmarshal(text, target)
		var mismatch *json.UnmarshalTypeError
		if !errors.As(err, &mismatch) {
			return err
		}
	}
	value, err := Decode(text)
	if err != nil {
		return err
	}
	completed, err := Encode(complete(t, value))
	if err != nil {
		return err
	}
	return json.Unmarshal(completed, target)
}

// hasDefaults returns whether a type contains a field with a default. outer has the types that
// contain the type.
func hasDefaults(t reflect.Type, outer []reflect.Type) bool {
	for _, known := range outer {
		if known == t {
			return false
		}
	}
	outer = append(outer, t)
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return hasDefaults(t.Elem(), outer)
	case reflect.Struct:
		if isCustom(t) {
			return false
		}
		for _, field := range fields(t) {
			_, hasDefault := field.source.Tag.Lookup("default")
			if hasDefault || hasDefaults(field.source.Type, outer) {
				return true
			}
		}
	}
	return false
}

// complete returns a decoded value with the defaults of its type.
func complete(t reflect.Type, value any) any {
	t = pointee(t)
	if isCustom(t) {
		return value
	}
	switch value := value.(type) {
	case map[string]any:
		completeObject(t, value)
	case []any:
		if t.Kind() == reflect.Slice || t.Kind() == reflect.Array {
			for i := range value {
				value[i] = complete(t.Elem(), value[i])
			}
		}
	case json.Number:
		if t.Kind() >= reflect.Int && t.Kind() <= reflect.Uint64 {
			return integer(value)
		}
	}
	return value
}

func completeObject(t reflect.Type, value map[string]any) {
	switch t.Kind() {
	case reflect.Map:
		for name, item := range value {
			value[name] = complete(t.Elem(), item)
		}
	case reflect.Struct:
		for _, field := range fields(t) {
			if item, exists := value[field.name]; exists {
				value[field.name] = complete(field.source.Type, item)
			} else if text, exists := field.source.Tag.Lookup("default"); exists {
				// The description of the plugin has checked the text.
				value[field.name], _ = literal(field.source.Type, text)
			}
		}
	}
}

// integer returns a number without its fraction of zero or its exponent, if it is an exact integer.
func integer(number json.Number) json.Number {
	if !strings.ContainsAny(number.String(), ".eE") {
		return number
	}
	const maxExact = 1 << 53
	float, err := number.Float64()
	if err != nil || float != float64(int64(float)) || float > maxExact || float < -maxExact {
		return number
	}
	return json.Number(strconv.FormatInt(int64(float), 10))
}

// literal returns the JSON text of a value in a tag: a plain text for a string, and JSON for other
// types.
func literal(t reflect.Type, text string) (json.RawMessage, error) {
	t = pointee(t)
	isText := t.Kind() == reflect.String || hasTextForm(t)
	encoded := []byte(text)
	if isText {
		encoded, _ = Encode(text)
	}
	return encoded, json.Unmarshal(encoded, reflect.New(t).Interface())
}
