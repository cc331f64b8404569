// Package ophost makes operations of Go functions.
//
// A plugin is a main package that registers its operations in an init function:
//
//	type Person struct {
//		Name string `json:"name" minLength:"1" doc:"The name of the person"`
//	}
//
//	type Answer struct {
//		Text string `json:"text"`
//	}
//
//	func greet(ctx *ophost.Context, person Person) (Answer, error) {
//		return Answer{Text: "Hello, " + person.Name + "!"}, nil
//	}
//
//	func init() {
//		ophost.Register("greeter", "0.1.0",
//			ophost.Operation("greet", greet,
//				ophost.Description("Greets a person by name."),
//				ophost.Category("demo")))
//	}
//
//	func main() {}
//
// The host never calls main. The schemas of the input and the output are derived from their types.
// These tags of struct fields become keywords of JSON Schema: doc, title, enum, default, example,
// writeOnly, minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf, minLength, maxLength,
// pattern, format, minItems, maxItems, uniqueItems, minProperties and maxProperties.
//
// Package ophosttest runs operations in native unit tests.
package ophost

import (
	"fmt"

	"ophost/internal/contract"
)

// plugin is the registered plugin.
var plugin struct {
	name       string
	version    string
	operations []*Definition
}

// Register registers the operations of a plugin. An init function calls it once.
//
// Register panics if it has been called before, or if two operations have the same name.
func Register(name, version string, operations ...*Definition) {
	if plugin.operations != nil {
		panic(fmt.Sprintf("ophost: Register is called a second time, for `%s`", name))
	}
	names := map[string]bool{}
	for _, operation := range operations {
		if names[operation.name] {
			panic(fmt.Sprintf("ophost: two operations have the name `%s`", operation.name))
		}
		names[operation.name] = true
	}
	plugin.name, plugin.version, plugin.operations = name, version, operations
}

func init() {
	contract.Describe = describe
	contract.Invoke = invoke
	contract.NewContext = func(host contract.Host) any { return &Context{host: host} }
}

// describe returns the description of the registered plugin.
func describe() contract.Plugin {
	if len(plugin.operations) == 0 {
		panic("ophost: the plugin has no operations: call ophost.Register in an init function")
	}
	description := contract.Plugin{Name: plugin.name, Version: plugin.version}
	for _, definition := range plugin.operations {
		operation, err := definition.describe()
		if err != nil {
			panic(fmt.Sprintf("ophost: operation `%s`: %v", definition.name, err))
		}
		description.Operations = append(description.Operations, operation)
	}
	return description
}

// invoke runs an operation.
func invoke(host contract.Host, name, input string) (string, *contract.Failure) {
	for _, definition := range plugin.operations {
		if definition.name == name {
			return definition.invoke(&Context{host: host}, input)
		}
	}
	return "", &contract.Failure{Kind: contract.Permanent, Message: fmt.Sprintf("no operation `%s`", name)}
}
