package schema

import (
	"bytes"
	"encoding/json"
)

// Encode returns the JSON text of a value. Unlike json.Marshal, it keeps the characters of HTML.
func Encode(value any) ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimRight(text.Bytes(), "\n"), nil
}

// Decode returns the value of a JSON text, with exact numbers.
func Decode(text []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	err := decoder.Decode(&value)
	return value, err
}

// object is a JSON object whose fields keep their order.
type object []member

type member struct {
	name  string
	value any
}

// set adds a field, or replaces its value.
func (o *object) set(name string, value any) {
	for i := range *o {
		if (*o)[i].name == name {
			(*o)[i].value = value
			return
		}
	}
	*o = append(*o, member{name, value})
}

// get returns the value of a field, or nil.
func (o object) get(name string) any {
	for _, member := range o {
		if member.name == name {
			return member.value
		}
	}
	return nil
}

// MarshalJSON implements json.Marshaler.
func (o object) MarshalJSON() ([]byte, error) {
	text := []byte{'{'}
	for i, member := range o {
		if i > 0 {
			text = append(text, ',')
		}
		for _, part := range []any{member.name, member.value} {
			encoded, err := Encode(part)
			if err != nil {
				return nil, err
			}
			text = append(text, encoded...)
			text = append(text, ':')
		}
		text = text[:len(text)-1]
	}
	return append(text, '}'), nil
}
