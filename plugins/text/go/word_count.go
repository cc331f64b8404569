package main

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"ophost"
)

// text is the text to count.
type text struct {
	Text string `json:"text" doc:"The text."`
	Top  int    `json:"top" default:"0" minimum:"0" maximum:"50" doc:"The number of most frequent words to list."`
}

// counts has the counts of a text.
type counts struct {
	Words        int         `json:"words" doc:"The number of words. A word is a sequence of characters between white space."`
	Lines        int         `json:"lines" doc:"The number of lines. A line break after the last line is optional."`
	Characters   int         `json:"characters" doc:"The number of Unicode code points. A letter can consist of several."`
	MostFrequent []frequency `json:"most_frequent" doc:"The most frequent words, in lower case and without the punctuation around them."`
}

// frequency is the frequency of a word.
type frequency struct {
	Word  string `json:"word" doc:"The word."`
	Count int    `json:"count" doc:"The number of occurrences."`
}

func wordCount(_ *ophost.Context, input text) (counts, error) {
	words := strings.Fields(input.Text)
	return counts{
		Words:        len(words),
		Lines:        lineCount(input.Text),
		Characters:   utf8.RuneCountInString(input.Text),
		MostFrequent: mostFrequent(words, input.Top),
	}, nil
}

func lineCount(text string) int {
	count := strings.Count(text, "\n")
	if text != "" && !strings.HasSuffix(text, "\n") {
		count++
	}
	return count
}

// mostFrequent returns the most frequent words. Words of equal frequency are in alphabetical order.
func mostFrequent(words []string, top int) []frequency {
	byWord := map[string]int{}
	for _, word := range words {
		word = strings.TrimFunc(word, func(r rune) bool { return !isAlphanumeric(r) })
		if word != "" {
			byWord[strings.ToLower(word)]++
		}
	}
	var frequencies []frequency
	for word, count := range byWord {
		frequencies = append(frequencies, frequency{word, count})
	}
	slices.SortFunc(frequencies, func(a, b frequency) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Word, b.Word))
	})
	return frequencies[:min(top, len(frequencies))]
}

func isAlphanumeric(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.Is(unicode.Other_Alphabetic, r)
}
