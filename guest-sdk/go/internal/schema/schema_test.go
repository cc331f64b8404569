package schema

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

type node struct {
	Name     string           `json:"name"`
	Children []*node          `json:"children,omitempty"`
	Index    map[string]*node `json:"index,omitempty"`
}

type base struct {
	ID string `json:"id" pattern:"^[a-z]+$"`
}

type place struct {
	City string `json:"city" default:"Rome"`
}

type everything struct {
	base
	_       struct{}        `doc:"All kinds of fields."`
	Small   int8            `json:"small"`
	Big     uint64          `json:"big"`
	Ratio   float64         `json:"ratio,omitempty" exclusiveMinimum:"0"`
	Color   string          `json:"color" enum:"red, green" default:"red"`
	Colors  []string        `json:"colors" enum:"red,green" uniqueItems:"true"`
	Maybe   *int            `json:"maybe" minimum:"1"`
	At      time.Time       `json:"at"`
	Raw     json.RawMessage `json:"raw"`
	Bytes   []byte          `json:"bytes"`
	Pair    [2]bool         `json:"pair"`
	Where   place           `json:"where" doc:"The place."`
	Other   *place          `json:"other"`
	Quoted  int             `json:"quoted,string"`
	Token   string          `json:"token" writeOnly:"true"`
	Hidden  string          `json:"-"`
	private string
}

func schemaOf(t *testing.T, goType reflect.Type) string {
	t.Helper()
	text, err := Of(goType)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestFieldsBecomeProperties(t *testing.T) {
	expected := `{"type":"object","description":"All kinds of fields.","properties":{` +
		`"id":{"type":"string","pattern":"^[a-z]+$"},` +
		`"small":{"type":"integer","minimum":-128,"maximum":127},` +
		`"big":{"type":"integer","format":"uint64","minimum":0},` +
		`"ratio":{"type":"number","exclusiveMinimum":0},` +
		`"color":{"type":"string","enum":["red","green"],"default":"red"},` +
		`"colors":{"type":"array","items":{"type":"string","enum":["red","green"]},"uniqueItems":true},` +
		`"maybe":{"type":["integer","null"],"format":"int64","minimum":1},` +
		`"at":{"type":"string","format":"date-time"},` +
		`"raw":{},` +
		`"bytes":{"type":"string","contentEncoding":"base64"},` +
		`"pair":{"type":"array","items":{"type":"boolean"},"minItems":2,"maxItems":2},` +
		`"where":{"$ref":"#/$defs/place","description":"The place."},` +
		`"other":{"anyOf":[{"$ref":"#/$defs/place"},{"type":"null"}]},` +
		`"quoted":{"type":"string"},` +
		`"token":{"type":"string","writeOnly":true}},` +
		`"required":["id","small","big","colors","at","raw","bytes","pair","where","quoted","token"],` +
		`"additionalProperties":false,` +
		`"$defs":{"place":{"type":"object","properties":{"city":{"type":"string","default":"Rome"}},"additionalProperties":false}}}`
	if text := schemaOf(t, reflect.TypeFor[everything]()); text != expected {
		t.Errorf("unexpected schema:\n%s\nexpected:\n%s", text, expected)
	}
}

func TestRecursiveTypeRefersToItself(t *testing.T) {
	text := schemaOf(t, reflect.TypeFor[node]())
	if !strings.Contains(text, `"children":{"type":"array","items":{"anyOf":[{"$ref":"#"},{"type":"null"}]}}`) {
		t.Error(text)
	}
	text = schemaOf(t, reflect.TypeFor[[]node]())
	if !strings.Contains(text, `"items":{"$ref":"#/$defs/node"}`) {
		t.Error(text)
	}
}

func TestMistakesNameTheirField(t *testing.T) {
	for _, test := range []struct {
		value    any
		expected string
	}{
		{struct {
			A string `json:"a" minlength:"1"`
		}{}, "field `struct.A`: unknown tag `minlength`; did you mean `minLength`?"},
		{struct {
			A string `json:"a" description:"x"`
		}{}, "field `struct.A`: unknown tag `description`; did you mean `doc`?"},
		{struct {
			A int `json:"a" minLength:"1"`
		}{}, "field `struct.A`: the tag `minLength` applies to strings, not to int"},
		{struct {
			A string `json:"a" minLength:"one"`
		}{}, "field `struct.A`: invalid tag `minLength:\"one\"`: the value is not a length"},
		{struct {
			A int `json:"a" default:"many"`
		}{}, "field `struct.A`: invalid tag `default:\"many\"`: the value is not a JSON text for int"},
		{struct {
			A chan int `json:"a"`
		}{}, "field `struct.A`: chan int has no JSON form"},
		{reflect.New(reflect.StructOf([]reflect.StructField{{
			Name: "A", Type: reflect.TypeFor[string](), Tag: `json:"a" doc:The name`,
		}})).Elem().Interface(), "field `struct.A`: invalid struct tag near `doc:The name`: write `key:\"value\" key:\"value\"`"},
	} {
		_, err := Of(reflect.TypeOf(test.value))
		if err == nil || err.Error() != test.expected {
			t.Errorf("unexpected error: %v\nexpected: %s", err, test.expected)
		}
	}
}

func TestDefaultsAreFilledInAtAllDepths(t *testing.T) {
	var input struct {
		Places []place          `json:"places"`
		Named  map[string]place `json:"named"`
		Limit  int              `json:"limit" default:"5"`
		Total  uint64           `json:"total"`
	}
	text := `{"places": [{}, {"city": "Bonn"}], "named": {"a": {}}, "total": 18446744073709551615}`
	if err := Unmarshal([]byte(text), &input); err != nil {
		t.Fatal(err)
	}
	if input.Places[0].City != "Rome" || input.Places[1].City != "Bonn" || input.Named["a"].City != "Rome" {
		t.Error(input)
	}
	if input.Limit != 5 || input.Total != 18446744073709551615 {
		t.Error(input)
	}
}

func TestNumberWithoutFractionIsAnInteger(t *testing.T) {
	var input struct {
		A int `json:"a"`
	}
	if err := Unmarshal([]byte(`{"a": 2.0}`), &input); err != nil || input.A != 2 {
		t.Error(input, err)
	}
	if err := Unmarshal([]byte(`{"a": 2.5}`), &input); err == nil {
		t.Error("2.5 was accepted")
	}
}

func TestNilSlicesAreEmptyLists(t *testing.T) {
	type inner struct {
		Names []string       `json:"names"`
		Index map[string]int `json:"index"`
	}
	output := struct {
		Inner    inner            `json:"inner"`
		ByName   map[string]inner `json:"by_name"`
		Optional []string         `json:"optional,omitempty"`
		Zero     []string         `json:"zero,omitzero"`
		Text     string           `json:"text"`
	}{ByName: map[string]inner{"a": {}}, Text: "<&>"}
	text, err := Marshal(output)
	expected := `{"inner":{"names":[],"index":{}},"by_name":{"a":{"names":[],"index":{}}},"text":"<&>"}`
	if err != nil || string(text) != expected {
		t.Errorf("unexpected output: %s, error %v", text, err)
	}
}
