package main

import (
	"testing"

	"ophost/ophosttest"
)

func TestPersonIsGreetedByName(t *testing.T) {
	ctx := ophosttest.New(t).Context()
	answer, err := greet(ctx, person{Name: "Ada", Greeting: "Hello"})
	if err != nil || answer.Text != "Hello, Ada!" {
		t.Errorf("unexpected answer %v, error %v", answer, err)
	}
}

func TestGreetingHasADefault(t *testing.T) {
	output, err := ophosttest.New(t).Invoke("MODULE", `{"name": "Ada"}`)
	if err != nil || output != `{"text":"Hello, Ada!"}` {
		t.Errorf("unexpected output %s, error %v", output, err)
	}
}
