package schema

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// keyword is a tag of a field and its keyword in JSON Schema.
type keyword struct {
	tag  string
	name string
	// kinds describes the types that the keyword applies to. Empty for any type.
	kinds string
	// applies returns whether the keyword applies to a type.
	applies func(t reflect.Type) bool
	// value returns the value of the keyword.
	value func(t reflect.Type, text string) (any, error)
}

// keywords has all tags, in the order of the keywords in a schema.
var keywords = []keyword{
	{"doc", "description", "", anyType, plainText},
	{"title", "title", "", anyType, plainText},
	{"enum", "enum", "strings and numbers", isScalar, alternatives},
	{"default", "default", "", anyType, oneLiteral},
	{"example", "examples", "", anyType, oneExample},
	{"writeOnly", "writeOnly", "", anyType, boolean},
	{"minimum", "minimum", "numbers", isNumber, number},
	{"maximum", "maximum", "numbers", isNumber, number},
	{"exclusiveMinimum", "exclusiveMinimum", "numbers", isNumber, number},
	{"exclusiveMaximum", "exclusiveMaximum", "numbers", isNumber, number},
	{"multipleOf", "multipleOf", "numbers", isNumber, number},
	{"minLength", "minLength", "strings", isString, length},
	{"maxLength", "maxLength", "strings", isString, length},
	{"pattern", "pattern", "strings", isString, plainText},
	{"format", "format", "strings", isString, plainText},
	{"minItems", "minItems", "slices", isList, length},
	{"maxItems", "maxItems", "slices", isList, length},
	{"uniqueItems", "uniqueItems", "slices", isList, boolean},
	{"minProperties", "minProperties", "maps", isMap, length},
	{"maxProperties", "maxProperties", "maps", isMap, length},
}

// applyTags adds the tags of a field to its schema.
func applyTags(schema *object, source reflect.StructField) error {
	keys, err := tagKeys(source.Tag)
	if err != nil {
		return err
	}
	var problems []error
	for _, key := range keys {
		problems = append(problems, checkSpelling(key))
	}
	t := pointee(source.Type)
	for _, keyword := range keywords {
		text, exists := source.Tag.Lookup(keyword.tag)
		if !exists {
			continue
		}
		if !keyword.applies(t) {
			problem := fmt.Errorf("the tag `%s` applies to %s, not to %s", keyword.tag, keyword.kinds, source.Type)
			problems = append(problems, problem)
			continue
		}
		value, err := keyword.value(t, text)
		if err != nil {
			problems = append(problems, fmt.Errorf("invalid tag `%s:%q`: %w", keyword.tag, text, err))
			continue
		}
		setKeyword(schema, t, keyword.name, value)
	}
	return errors.Join(problems...)
}

func setKeyword(schema *object, t reflect.Type, name string, value any) {
	items, isList := schema.get("items").(object)
	if name == "enum" && isList {
		items.set(name, value)
		schema.set("items", items)
		return
	}
	if values, isEnum := value.([]any); isEnum && name == "enum" && isNullable(*schema) {
		value = append(values, nil)
	}
	schema.set(name, value)
}

func isNullable(schema object) bool {
	names, _ := schema.get("type").([]string)
	return slices.Contains(names, "null")
}

// tagKeys returns the keys of a tag. reflect ignores everything after a syntax error.
func tagKeys(tag reflect.StructTag) ([]string, error) {
	var keys []string
	rest := strings.TrimLeft(string(tag), " ")
	for rest != "" {
		key, after, found := strings.Cut(rest, ":")
		quoted, err := strconv.QuotedPrefix(after)
		if !found || err != nil || !strings.HasPrefix(quoted, `"`) || strings.ContainsAny(key, ` "`) {
			return nil, fmt.Errorf("invalid struct tag near `%s`: write `key:\"value\" key:\"value\"`", rest)
		}
		keys = append(keys, key)
		rest = strings.TrimLeft(after[len(quoted):], " ")
	}
	return keys, nil
}

// aliases are names of other libraries for the keywords.
var aliases = map[string]string{
	"description": "doc",
	"desc":        "doc",
	"examples":    "example",
	"min":         "minimum",
	"max":         "maximum",
}

// checkSpelling returns an error for a key that is a misspelled keyword. Other keys belong to other
// packages.
func checkSpelling(key string) error {
	if other, exists := aliases[key]; exists {
		return fmt.Errorf("unknown tag `%s`; did you mean `%s`?", key, other)
	}
	plain := func(name string) string {
		return strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(name))
	}
	for _, keyword := range keywords {
		if key != keyword.tag && plain(key) == plain(keyword.tag) {
			return fmt.Errorf("unknown tag `%s`; did you mean `%s`?", key, keyword.tag)
		}
	}
	return nil
}

func anyType(reflect.Type) bool { return true }

func isString(t reflect.Type) bool {
	return t.Kind() == reflect.String || hasTextForm(t) || t == reflect.TypeFor[[]byte]()
}

func isNumber(t reflect.Type) bool {
	return t.Kind() >= reflect.Int && t.Kind() <= reflect.Float64
}

func isScalar(t reflect.Type) bool {
	if isList(t) {
		t = t.Elem()
	}
	return isString(t) || isNumber(t)
}

func isList(t reflect.Type) bool {
	return (t.Kind() == reflect.Slice || t.Kind() == reflect.Array) && t != reflect.TypeFor[[]byte]()
}

func isMap(t reflect.Type) bool {
	return t.Kind() == reflect.Map
}

func plainText(_ reflect.Type, text string) (any, error) {
	return text, nil
}

func number(_ reflect.Type, text string) (any, error) {
	value, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(value, 0) || math.IsNaN(value) || !json.Valid([]byte(text)) {
		return nil, errors.New("the value is not a number")
	}
	return json.RawMessage(text), nil
}

func length(_ reflect.Type, text string) (any, error) {
	value, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return nil, errors.New("the value is not a length")
	}
	return value, nil
}

func boolean(_ reflect.Type, text string) (any, error) {
	value, err := strconv.ParseBool(text)
	if err != nil {
		return nil, errors.New("the value is not true or false")
	}
	return value, nil
}

func oneLiteral(t reflect.Type, text string) (any, error) {
	value, err := literal(t, text)
	if err != nil {
		return nil, fmt.Errorf("the value is not a JSON text for %s", t)
	}
	return value, nil
}

func oneExample(t reflect.Type, text string) (any, error) {
	value, err := oneLiteral(t, text)
	return []any{value}, err
}

// alternatives returns the values of an enum, which are separated by commas.
func alternatives(t reflect.Type, text string) (any, error) {
	if isList(t) {
		t = t.Elem()
	}
	var values []any
	for _, part := range strings.Split(text, ",") {
		value, err := oneLiteral(t, strings.TrimSpace(part))
		if err != nil {
			return nil, err
		}
		values = append(values, value)
	}
	return values, nil
}

func sortedKeys[Value any](values map[string]Value) []string {
	keys := make([]string, 0, len(values))
	for key := range values {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
