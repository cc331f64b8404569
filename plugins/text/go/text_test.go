package main

import (
	"testing"

	"ophost/ophosttest"
)

func TestOperations(t *testing.T) {
	for _, test := range []struct{ operation, input, output string }{
		{"word_count", `{"text": "hi"}`, `{"words":1,"lines":1,"characters":2,"most_frequent":[]}`},
		{"slugify", `{"text": "Salt & Pepper"}`, `{"slug":"salt-pepper"}`},
		{"slugify", `{"text": "Crème brûlée", "separator": "_"}`, `{"slug":"creme_brulee"}`},
		{"slugify", `{"text": "one two three", "max_length": 8}`, `{"slug":"one-two"}`},
	} {
		output, err := ophosttest.New(t).Invoke(test.operation, test.input)
		if err != nil || output != test.output {
			t.Errorf("%s of %s: output %s, error %v", test.operation, test.input, output, err)
		}
	}
}
