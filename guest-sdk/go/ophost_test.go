package ophost

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

type mistaken struct {
	Name string `json:"name" minLength:"x"`
}

func noop(*Context, None) (None, error) { return None{}, nil }

// panicOf returns the message of a panic, and removes the registered plugin.
func panicOf(function func()) (message string) {
	defer func() {
		message = fmt.Sprint(recover())
		plugin.operations = nil
	}()
	function()
	return ""
}

func TestMistakesOfARegistrationAreNamed(t *testing.T) {
	complete := []Option{Description("d"), Category("c")}
	for expected, register := range map[string]func(){
		"ophost: two operations have the name `a`": func() {
			Register("p", "1", Operation("a", noop), Operation("a", noop))
		},
		"ophost: Register is called a second time, for `q`": func() {
			Register("p", "1", Operation("a", noop))
			Register("q", "1")
		},
		"ophost: the plugin has no operations: call ophost.Register in an init function": func() {
			describe()
		},
		"ophost: operation `a`: the description is missing: add ophost.Description": func() {
			Register("p", "1", Operation("a", noop, Category("c")))
			describe()
		},
		"ophost: operation `a`: the category is missing: add ophost.Category": func() {
			Register("p", "1", Operation("a", noop, Description("d")))
			describe()
		},
		"ophost: operation `a`: annotation `me.x`: json: unsupported type: chan int": func() {
			Register("p", "1", Operation("a", noop, append(complete, Annotation("me.x", make(chan int)))...))
			describe()
		},
		"ophost: operation `a`: input: field `mistaken.Name`: invalid tag `minLength:\"x\"`: the value is not a length": func() {
			function := func(*Context, mistaken) (None, error) { return None{}, nil }
			Register("p", "1", Operation("a", function, complete...))
			describe()
		},
	} {
		if message := panicOf(register); message != expected {
			t.Errorf("unexpected panic: %s\nexpected: %s", message, expected)
		}
	}
}

func TestOptionsAreDescribed(t *testing.T) {
	type Account struct{ Document }
	type Job struct{ Document }
	accounts, jobs := NewCollection[Account]().Named("bank.accounts"), NewCollection[Job]()
	definition := Operation("a", noop,
		Description("d"), Category("c"), Tags("x", "y"), Permissions("jobs:write"), Stage("load"),
		Async(), NoTaskRun(), Reads(accounts), ModelsIn("Person", "Account"), Writes(jobs),
		Idempotent(), Destructive(), Aliases("b"), Timeout(2*time.Second), MemoryMiB(64))
	description, err := definition.describe()
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("%+v", description)
	for _, expected := range []string{
		"Tags:[x y] Permissions:[jobs:write] ModelsIn:[Account Person] ModelsOut:[Job] Stage:load",
		"AsyncEnabled:true CreateTaskrun:false",
		"{Key:ophost.idempotent Value:true} {Key:ophost.destructive Value:true}",
		`{Key:ophost.aliases Value:["b"]} {Key:ophost.timeout-ms Value:2000}`,
		`{Key:ophost.memory-mib Value:64} {Key:ophost.collections Value:{"Account":"bank.accounts"}}`,
	} {
		if !strings.Contains(text, expected) {
			t.Errorf("no %s in %s", expected, text)
		}
	}
}
