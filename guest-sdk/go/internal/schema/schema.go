// Package schema derives JSON Schemas from Go types, and converts inputs and outputs as the schemas
// demand.
package schema

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"time"
)

// Provider is a type with a schema of its own.
type Provider interface {
	JSONSchema() string
}

// Of returns the schema of a type as a JSON text. The same type always has the same text.
func Of(t reflect.Type) (string, error) {
	b := builder{root: t, names: map[reflect.Type]string{}}
	schema, err := b.body(t)
	if err != nil {
		return "", err
	}
	if len(b.definitions) > 0 {
		schema.set("$defs", b.definitions)
	}
	text, err := Encode(schema)
	return string(text), err
}

// builder collects the definitions of the named structs in a type.
type builder struct {
	root        reflect.Type
	names       map[reflect.Type]string
	definitions object
}

// of returns the schema of a type inside another type.
func (b *builder) of(t reflect.Type) (object, error) {
	if t.Kind() == reflect.Pointer {
		inner, err := b.of(t.Elem())
		return nullable(inner), err
	}
	isPlain := t.Kind() == reflect.Struct && !isCustom(t) && !hasMethods[Provider](t)
	if !isPlain || t.Name() == "" {
		return b.body(t)
	}
	if t == b.root {
		return object{{"$ref", "#"}}, nil
	}
	name, exists := b.names[t]
	if !exists {
		name = b.newName(t)
		b.names[t] = name
		index := len(b.definitions)
		b.definitions = append(b.definitions, member{name, nil})
		body, err := b.body(t)
		if err != nil {
			return nil, err
		}
		b.definitions[index].value = body
	}
	return object{{"$ref", "#/$defs/" + name}}, nil
}

// newName returns a name for a definition. Types of different packages can have the same name.
func (b *builder) newName(t reflect.Type) string {
	base := definitionName(t.Name())
	name := base
	for number := 2; b.definitions.get(name) != nil || b.isPending(name); number++ {
		name = base + strconv.Itoa(number)
	}
	return name
}

// isPending returns whether a definition has a name, but no content yet.
func (b *builder) isPending(name string) bool {
	for _, other := range b.names {
		if other == name {
			return true
		}
	}
	return false
}

// definitionName returns a name without the characters of type parameters, which a reference would
// have to escape.
func definitionName(name string) string {
	letters := []rune(name)
	for i, letter := range letters {
		isLetter := letter >= 'a' && letter <= 'z' || letter >= 'A' && letter <= 'Z'
		if !isLetter && !(letter >= '0' && letter <= '9') {
			letters[i] = '_'
		}
	}
	return string(letters)
}

// body returns the schema of a type, without a reference to a definition of the type itself.
func (b *builder) body(t reflect.Type) (object, error) {
	switch {
	case hasMethods[Provider](t):
		return provided(t)
	case t == reflect.TypeFor[time.Time]():
		return object{{"type", "string"}, {"format", "date-time"}}, nil
	case t == reflect.TypeFor[json.Number]():
		return object{{"type", "number"}}, nil
	case hasTextForm(t):
		return object{{"type", "string"}}, nil
	case isCustom(t):
		return object{}, nil
	}
	switch kind := t.Kind(); kind {
	case reflect.Pointer:
		inner, err := b.of(t.Elem())
		return nullable(inner), err
	case reflect.Bool:
		return object{{"type", "boolean"}}, nil
	case reflect.String:
		return object{{"type", "string"}}, nil
	case reflect.Float32, reflect.Float64:
		return object{{"type", "number"}}, nil
	case reflect.Interface:
		return object{}, nil
	case reflect.Slice, reflect.Array:
		return b.list(t)
	case reflect.Map:
		return b.dictionary(t)
	case reflect.Struct:
		return b.structure(t)
	default:
		if kind >= reflect.Int && kind <= reflect.Uint64 {
			return integerSchema(t), nil
		}
		return nil, fmt.Errorf("%s has no JSON form", t)
	}
}

// hasTextForm returns whether the JSON form of a type is a string that the type formats itself.
func hasTextForm(t reflect.Type) bool {
	isJSON := hasMethods[json.Marshaler](t) || hasMethods[json.Unmarshaler](t)
	isText := hasMethods[encoding.TextMarshaler](t) || hasMethods[encoding.TextUnmarshaler](t)
	return t == reflect.TypeFor[time.Time]() || isText && !isJSON
}

func provided(t reflect.Type) (object, error) {
	text := reflect.New(t).Interface().(Provider).JSONSchema()
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &members); err != nil {
		return nil, fmt.Errorf("the method JSONSchema of %s does not return a JSON object: %w", t, err)
	}
	schema := object{}
	for _, name := range sortedKeys(members) {
		schema.set(name, members[name])
	}
	return schema, nil
}

// nullable returns a schema that also accepts null.
func nullable(schema object) object {
	if len(schema) == 0 {
		return schema
	}
	if name, isName := schema.get("type").(string); isName {
		schema.set("type", []string{name, "null"})
		return schema
	}
	if _, isNullable := schema.get("type").([]string); isNullable {
		return schema
	}
	return object{{"anyOf", []object{schema, {{"type", "null"}}}}}
}

// integerSchema returns the schema of an integer type. JSON Schema has formats for 64 bits, and
// limits for less.
func integerSchema(t reflect.Type) object {
	bits := t.Bits()
	isSigned := t.Kind() <= reflect.Int64
	schema := object{{"type", "integer"}}
	switch {
	case bits == 64 && isSigned:
		schema.set("format", "int64")
	case bits == 64:
		schema.set("format", "uint64")
		schema.set("minimum", 0)
	case isSigned:
		schema.set("minimum", -(int64(1) << (bits - 1)))
		schema.set("maximum", int64(1)<<(bits-1)-1)
	default:
		schema.set("minimum", 0)
		schema.set("maximum", uint64(1)<<bits-1)
	}
	return schema
}

func (b *builder) list(t reflect.Type) (object, error) {
	if t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8 {
		return object{{"type", "string"}, {"contentEncoding", "base64"}}, nil
	}
	items, err := b.of(t.Elem())
	if err != nil {
		return nil, err
	}
	schema := object{{"type", "array"}, {"items", items}}
	if t.Kind() == reflect.Array {
		schema.set("minItems", t.Len())
		schema.set("maxItems", t.Len())
	}
	return schema, nil
}

func (b *builder) dictionary(t reflect.Type) (object, error) {
	key := t.Key()
	isInteger := key.Kind() >= reflect.Int && key.Kind() <= reflect.Uint64
	if key.Kind() != reflect.String && !isInteger && !hasTextForm(key) {
		return nil, fmt.Errorf("%s has no JSON form: the keys of objects are strings", t)
	}
	values, err := b.of(t.Elem())
	return object{{"type", "object"}, {"additionalProperties", values}}, err
}

func (b *builder) structure(t reflect.Type) (object, error) {
	schema := object{{"type", "object"}}
	if blank, exists := t.FieldByName("_"); exists {
		if text := blank.Tag.Get("doc"); text != "" {
			schema.set("description", text)
		}
	}
	properties, required := object{}, []string{}
	var problems []error
	for _, field := range fields(t) {
		property, err := b.property(field)
		if err != nil {
			problems = append(problems, fmt.Errorf("field `%s.%s`: %w", typeName(field.owner), field.source.Name, err))
		}
		properties.set(field.name, property)
		_, hasDefault := field.source.Tag.Lookup("default")
		isPointer := field.source.Type.Kind() == reflect.Pointer
		if !hasDefault && !isPointer && !field.optional {
			required = append(required, field.name)
		}
	}
	schema.set("properties", properties)
	if len(required) > 0 {
		schema.set("required", required)
	}
	schema.set("additionalProperties", false)
	return schema, errors.Join(problems...)
}

func (b *builder) property(field field) (object, error) {
	schema, err := b.of(field.source.Type)
	if err != nil {
		return nil, err
	}
	if isString := (object{{"type", "string"}}); field.quoted {
		schema = isString
	}
	return schema, applyTags(&schema, field.source)
}

func typeName(t reflect.Type) string {
	if t.Name() == "" {
		return "struct"
	}
	return t.Name()
}
