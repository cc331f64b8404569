package ophost

import (
	"fmt"
	"runtime/debug"
	"strings"

	"ophost/internal/contract"
)

// invoke runs the operation and returns its output. A panic becomes a failure.
func (d *Definition) invoke(ctx *Context, input string) (output string, failure *contract.Failure) {
	defer func() {
		if reason := recover(); reason != nil {
			failure = panicFailure(reason, string(debug.Stack()))
		}
	}()
	text, err := d.run(ctx, []byte(input))
	if err != nil {
		return "", failureOf(err)
	}
	return string(text), nil
}

// panicFailure returns the failure of a panic, with the stack of the goroutine.
func panicFailure(reason any, stack string) *contract.Failure {
	message := fmt.Sprint(reason)
	failure := &contract.Failure{Kind: contract.Error, Message: "panic: " + message, Code: "panic"}
	if err, isError := reason.(error); isError {
		failure = failureOf(err)
		failure.Message = "panic: " + failure.Message
		if failure.Code == "" {
			failure.Code = "panic"
		}
	}
	failure.Traceback = trimmedStack(stack)
	return failure
}

// trimmedStack returns a stack without the frames of the SDK, and without those of the runtime
// above the function that panics. A frame has two lines.
func trimmedStack(stack string) string {
	header, rest, _ := strings.Cut(stack, "\n")
	lines := strings.Split(strings.TrimSuffix(rest, "\n"), "\n")
	frames := []string{header}
	hasPanicked := false
	for i := 0; i+1 < len(lines); i += 2 {
		function := lines[i]
		isRuntime := strings.HasPrefix(function, "panic(") || strings.HasPrefix(function, "runtime.")
		switch {
		case isRuntime && len(frames) == 1:
			hasPanicked = true
		case !hasPanicked:
		case strings.HasPrefix(function, "ophost."):
			return strings.Join(frames, "\n")
		default:
			frames = append(frames, function, lines[i+1])
		}
	}
	return strings.Join(frames, "\n")
}
