// The plugin `NAME`.
package main

import "ophost"

// person is the person to greet.
type person struct {
	Name     string `json:"name" minLength:"1" doc:"The name of the person"`
	Greeting string `json:"greeting" default:"Hello" doc:"The first word of the greeting"`
}

// answer is the answer to a person.
type answer struct {
	Text string `json:"text" doc:"The complete greeting"`
}

func greet(ctx *ophost.Context, person person) (answer, error) {
	return answer{Text: person.Greeting + ", " + person.Name + "!"}, nil
}

func init() {
	ophost.Register("NAME", "VERSION",
		ophost.Operation("MODULE", greet,
			ophost.Description("Greets a person by name."),
			ophost.Category("demo"),
			ophost.Async()))
}

// The host calls the operations, and never main.
func main() {}
