package ophosttest_test

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"ophost"
	"ophost/ophosttest"
)

type place struct {
	Shelf int    `json:"shelf"`
	Note  string `json:"note,omitempty"`
}

type Note struct {
	ophost.Document
	Title string   `json:"title"`
	Count int      `json:"count"`
	Place place    `json:"place"`
	Tags  []string `json:"tags"`
}

type Other struct {
	ophost.Document
}

var (
	notes  = ophost.NewCollection[Note]()
	others = ophost.NewCollection[Other]().Named("the.others")
)

type request struct {
	What  string `json:"what"`
	Limit int    `json:"limit" default:"7"`
}

func act(ctx *ophost.Context, input request) (string, error) {
	switch input.What {
	case "limit":
		return fmt.Sprint(input.Limit), nil
	case "panic":
		var list []int
		return "", fmt.Errorf("never %d", list[input.Limit])
	case "fail":
		failure := ophost.Retryable("busy: %d", 1).Code("busy").Details([]int{1}).Because(errors.New("locked"))
		return "", fmt.Errorf("cannot act: %w", failure)
	case "write and fail":
		if err := notes.Insert(ctx, &Note{Title: "new"}); err != nil {
			return "", err
		}
		return "", errors.New("after the write")
	case "denied":
		return "", others.Insert(ctx, &Other{})
	case "log":
		ctx.Log().With("a", 1).Warn("careful", slog.Duration("b", time.Second))
		ctx.Log().Log(ctx, ophost.LevelTrace, "plain")
		ctx.Progress(1, 2, "half")
		ctx.ItemError(3, "x", errors.New("broken"))
	}
	return "", nil
}

func init() {
	ophost.Register("tests", "1.0.0",
		ophost.Operation("act", act, ophost.Description("Acts."), ophost.Category("test"),
			ophost.Writes(notes), ophost.Reads(others)))
}

func failureOf(t *testing.T, host *ophosttest.Host, what string) *ophosttest.Failure {
	t.Helper()
	_, err := host.Invoke("act", fmt.Sprintf(`{"what": %q}`, what))
	var failure *ophosttest.Failure
	if !errors.As(err, &failure) {
		t.Fatalf("no failure: %v", err)
	}
	return failure
}

func check(t *testing.T, actual, expected any) {
	t.Helper()
	if fmt.Sprint(actual) != fmt.Sprint(expected) {
		t.Errorf("unexpected value: %v\nexpected: %v", actual, expected)
	}
}

func TestDefaultsAreFilledIn(t *testing.T) {
	output, err := ophosttest.New(t).Invoke("act", `{"what": "limit"}`)
	check(t, output, `"7"`)
	check(t, err, nil)
}

func TestErrorBecomesAFailure(t *testing.T) {
	failure := failureOf(t, ophosttest.New(t), "fail")
	check(t, failure.Kind, "retryable")
	check(t, failure.Message, "cannot act: busy: 1: locked")
	check(t, failure.Code, "busy")
	check(t, failure.Details, "[1]")
	check(t, failure.Traceback, "caused by: busy: 1: locked\ncaused by: locked")
}

func TestPanicBecomesAFailureWithTheStackOfTheAuthor(t *testing.T) {
	failure := failureOf(t, ophosttest.New(t), "panic")
	check(t, failure.Message, "panic: runtime error: index out of range [7] with length 0")
	lines := strings.Split(failure.Traceback, "\n")
	if len(lines) != 3 || !strings.HasPrefix(lines[1], "ophost/ophosttest_test.act(") {
		t.Error(failure.Traceback)
	}
}

func TestChangesOfAFailedRunAreDiscarded(t *testing.T) {
	host := ophosttest.New(t)
	failureOf(t, host, "write and fail")
	check(t, host.IDs("notes"), "[]")
}

func TestOnlyDeclaredCollectionsAreAccessible(t *testing.T) {
	failure := failureOf(t, ophosttest.New(t), "denied")
	check(t, failure.Code, "denied")
	check(t, failure.Message, "collection `the.others`: the operation does not declare that it can write `the.others`")
}

func TestLogAndProgressAreCollected(t *testing.T) {
	host := ophosttest.New(t)
	if _, err := host.Invoke("act", `{"what": "log"}`); err != nil {
		t.Fatal(err)
	}
	check(t, host.Logs, `[{WARN careful {"a":1,"b":1000000000}} {TRACE plain }]`)
	check(t, host.Progress, "[{1 2 half}]")
	check(t, host.ItemErrors, `[{3 "x" broken}]`)
}

func TestSaveWritesOnlyChangedFields(t *testing.T) {
	host := ophosttest.New(t)
	host.Put("notes", "a", map[string]any{
		"title": "A", "count": 1, "colour": "red",
		"place": map[string]any{"shelf": 1, "note": "x", "room": 2}, "tags": []string{"one"},
	})
	ctx := host.Context()
	note, err := notes.Get(ctx, "a")
	if err != nil {
		t.Fatal(err)
	}
	note.Count, note.Place.Note, note.Tags = 2, "", append(note.Tags, "two")
	check(t, notes.Set(ctx, "a", ophost.Fields{"title": "set in the meantime"}), nil)
	check(t, notes.Save(ctx, note), nil)
	check(t, host.Document("notes", "a"), `{"colour":"red","count":2,"place":{"room":2,"shelf":1},`+
		`"tags":["one","two"],"title":"set in the meantime"}`)
	if _, err := notes.Delete(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	note.Count = 3
	if err := notes.Save(ctx, note); !errors.Is(err, ophost.ErrNotFound) {
		t.Error(err)
	}
}

func TestDocumentsAreFoundInPages(t *testing.T) {
	host := ophosttest.New(t)
	for i := range 250 {
		host.Put("notes", fmt.Sprintf("n%03d", i), map[string]any{"count": i, "tags": []string{"x"}})
	}
	ctx := host.Context()
	all, err := notes.All(ctx, ophost.Filter{"count": ophost.Filter{"$gte": 10}, "tags": "x"}, ophost.Sort("-count"))
	check(t, err, nil)
	check(t, len(all), 240)
	check(t, all[0].ID, "n249")
	few, _ := notes.All(ctx, nil, ophost.Limit(120))
	check(t, len(few), 120)
	count, _ := notes.Count(ctx, ophost.Filter{"$or": []ophost.Filter{{"count": 1}, {"_id": "n002"}}})
	check(t, count, 2)
	first, err := notes.First(ctx, ophost.Filter{"count": ophost.Filter{"$in": []int{5, 6}}})
	check(t, err, nil)
	check(t, first.ID, "n005")
	_, err = notes.First(ctx, ophost.Filter{"count": -1})
	check(t, errors.Is(err, ophost.ErrNotFound), true)
	host.Put("notes", "bad", map[string]any{"count": "many"})
	_, err = notes.Get(ctx, "bad")
	check(t, errors.Is(err, ophost.ErrMismatch), true)
}

func TestConditionsAreChecked(t *testing.T) {
	host := ophosttest.New(t)
	ctx := host.Context()
	note := Note{Title: "a"}
	check(t, notes.Insert(ctx, &note), nil)
	check(t, errors.Is(notes.Insert(ctx, &note), ophost.ErrExists), true)
	check(t, notes.Put(ctx, &note, ophost.AtRevision(0)), nil)
	check(t, errors.Is(notes.Put(ctx, &note, ophost.AtRevision(5)), ophost.ErrStale), true)
	check(t, errors.Is(notes.Merge(ctx, "none", nil), ophost.ErrNotFound), true)
	ctx.Discard()
	check(t, host.IDs("notes"), "[]")
}
