// The operations of the language table in Go. README.md of the parent directory describes them.
package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"ophost"
)

const category = "languages"

// echo is a text and a number.
type echo struct {
	Text  string `json:"text" doc:"The text."`
	Times int    `json:"times" doc:"The number." default:"2" minimum:"1" maximum:"3"`
}

// bounds has integers of 64 bits.
type bounds struct {
	Signed   int64  `json:"signed"`
	Unsigned uint64 `json:"unsigned"`
}

// Note is a note.
type Note struct {
	ophost.Document
	Title string `json:"title"`
	Count int64  `json:"count"`
}

var notes = ophost.NewCollection[Note]()

// threshold is the smallest count of a changed note.
type threshold struct {
	Minimum int64 `json:"minimum"`
}

// changes has the changed notes.
type changes struct {
	Changed []string `json:"changed"`
	Created string   `json:"created"`
	Total   int      `json:"total"`
}

func changeNotes(ctx *ophost.Context, input threshold) (changes, error) {
	var result changes
	if _, err := notes.Delete(ctx, "c"); err != nil {
		return result, err
	}
	filter := ophost.Filter{"count": ophost.Filter{"$gte": input.Minimum}}
	for note, err := range notes.Find(ctx, filter, ophost.Sort("-count")) {
		if err != nil {
			return result, err
		}
		note.Count += 10
		if err := notes.Save(ctx, note); err != nil {
			return result, err
		}
		result.Changed = append(result.Changed, note.ID)
	}
	note := Note{Title: "new"}
	if err := notes.Insert(ctx, &note); err != nil {
		return result, err
	}
	result.Created = note.ID
	total, err := notes.Count(ctx, nil)
	result.Total = total
	return result, err
}

func logLevels(ctx *ophost.Context, _ ophost.None) (ophost.None, error) {
	log := ctx.Log()
	log.Log(ctx, ophost.LevelTrace, "a trace")
	log.Debug("a debug")
	log.Info("an info")
	log.Warn("a warn")
	log.Error("an error")
	return ophost.None{}, nil
}

func reportProgress(ctx *ophost.Context, _ ophost.None) (ophost.None, error) {
	ctx.Progress(1, 4, "a quarter")
	time.Sleep(500 * time.Millisecond)
	return ophost.None{}, nil
}

func addItemErrors(ctx *ophost.Context, _ ophost.None) (ophost.None, error) {
	ctx.ItemError(0, "first", errors.New("the first is broken"))
	ctx.ItemError(2, "third", errors.New("the third is broken"))
	return ophost.None{}, nil
}

func fail(*ophost.Context, ophost.None) (ophost.None, error) {
	failure := ophost.Permanent("nothing is left").Code("no-stock")
	return ophost.None{}, failure.Details(map[string]int{"left": 0})
}

func raise(*ophost.Context, ophost.None) (int, error) {
	number, err := strconv.Atoi("twelve")
	if err != nil {
		return 0, fmt.Errorf("cannot read the number: %w", err)
	}
	return number, nil
}

func abort(*ophost.Context, ophost.None) (ophost.None, error) {
	os.Exit(3)
	return ophost.None{}, nil
}

func spin(*ophost.Context, ophost.None) (ophost.None, error) {
	for {
	}
}

func allocate(*ophost.Context, ophost.None) (ophost.None, error) {
	var blocks [][]byte
	for {
		block := make([]byte, 1<<20)
		blocks = append(blocks, block)
	}
}

func init() {
	inCategory := ophost.Category(category)
	ophost.Register("language-go", "0.1.0",
		ophost.Operation("echo", func(_ *ophost.Context, input echo) (echo, error) { return input, nil },
			inCategory, ophost.Description("Returns its input."), ophost.Tags("first", "second")),
		ophost.Operation("integers", func(_ *ophost.Context, input bounds) (bounds, error) { return input, nil },
			inCategory, ophost.Description("Returns its integers.")),
		ophost.Operation("change_notes", changeNotes, inCategory, ophost.Writes(notes), ophost.Async(),
			ophost.Description("Adds 10 to notes, deletes the note `c`, and creates a note.")),
		ophost.Operation("log_levels", logLevels, inCategory,
			ophost.Description("Writes a log entry of each level.")),
		ophost.Operation("report_progress", reportProgress, inCategory,
			ophost.Description("Reports progress and pauses.")),
		ophost.Operation("add_item_errors", addItemErrors, inCategory,
			ophost.Description("Adds errors for two items.")),
		ophost.Operation("fail", fail, inCategory, ophost.Description("Returns a permanent failure.")),
		ophost.Operation("raise", raise, inCategory, ophost.Description("Fails with an error.")),
		ophost.Operation("abort", abort, inCategory, ophost.Description("Ends without a result.")),
		ophost.Operation("spin", spin, inCategory, ophost.Description("Loops forever.")),
		ophost.Operation("allocate", allocate, inCategory, ophost.Description("Allocates memory forever.")))
}

func main() {}
