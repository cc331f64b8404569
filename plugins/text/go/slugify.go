package main

import (
	"math"
	"strings"
	"unicode"
	"unicode/utf8"

	"ophost"
)

// title is the text to convert, and the format of the slug.
type title struct {
	Text      string `json:"text" doc:"The text, such as a title."`
	Separator string `json:"separator" default:"-" maxLength:"8" doc:"The separator of two words."`
	MaxLength *int   `json:"max_length" minimum:"1" doc:"The maximum number of characters of the slug. Words that do not fit are dropped, and the first word is truncated."`
}

// slug is a text for a part of a URL.
type slug struct {
	Slug string `json:"slug" doc:"Letters and digits in lower case, with a separator between two words."`
}

func slugify(_ *ophost.Context, title title) (slug, error) {
	maxLength := math.MaxInt
	if title.MaxLength != nil {
		maxLength = *title.MaxLength
	}
	words := strings.FieldsFunc(fold(title.Text), func(r rune) bool { return !isAlphanumeric(r) })
	return slug{join(words, title.Separator, maxLength)}, nil
}

// join joins words up to maxLength characters.
func join(words []string, separator string, maxLength int) string {
	if len(words) == 0 {
		return ""
	}
	first := []rune(words[0])
	joined := string(first[:min(maxLength, len(first))])
	length := utf8.RuneCountInString(joined)
	for _, word := range words[1:] {
		length += utf8.RuneCountInString(separator) + utf8.RuneCountInString(word)
		if length > maxLength {
			break
		}
		joined += separator + word
	}
	return joined
}

// fold returns a text in lower case, with Latin letters in ASCII.
func fold(text string) string {
	var folded strings.Builder
	for _, letter := range strings.ToLower(text) {
		if ascii, isLatin := asciiOf(letter); isLatin {
			folded.WriteString(ascii)
		} else {
			folded.WriteRune(letter)
		}
	}
	return folded.String()
}

// latin has the ASCII forms of the lower-case letters of the blocks Latin-1 and Latin Extended-A.
// The ranges of Extended-A also contain capitals, which alternate with the lower-case letters.
var latin = []struct {
	first, last rune
	ascii       string
}{
	{'\u00df', '\u00df', "ss"},
	{'\u00e0', '\u00e5', "a"}, {'\u00e6', '\u00e6', "ae"}, {'\u00e7', '\u00e7', "c"},
	{'\u00e8', '\u00eb', "e"}, {'\u00ec', '\u00ef', "i"}, {'\u00f0', '\u00f0', "d"},
	{'\u00f1', '\u00f1', "n"}, {'\u00f2', '\u00f6', "o"}, {'\u00f8', '\u00f8', "o"},
	{'\u00f9', '\u00fc', "u"}, {'\u00fd', '\u00fd', "y"}, {'\u00fe', '\u00fe', "th"},
	{'\u00ff', '\u00ff', "y"},
	{'\u0100', '\u0105', "a"}, {'\u0106', '\u010d', "c"}, {'\u010e', '\u0111', "d"},
	{'\u0112', '\u011b', "e"}, {'\u011c', '\u0123', "g"}, {'\u0124', '\u0127', "h"},
	{'\u0128', '\u0131', "i"}, {'\u0132', '\u0133', "ij"}, {'\u0134', '\u0135', "j"},
	{'\u0136', '\u0138', "k"}, {'\u0139', '\u0142', "l"}, {'\u0143', '\u014b', "n"},
	{'\u014c', '\u0151', "o"}, {'\u0152', '\u0153', "oe"}, {'\u0154', '\u0159', "r"},
	{'\u015a', '\u0161', "s"}, {'\u0162', '\u0167', "t"}, {'\u0168', '\u0173', "u"},
	{'\u0174', '\u0175', "w"}, {'\u0176', '\u0177', "y"}, {'\u0179', '\u017e', "z"},
	{'\u017f', '\u017f', "s"},
}

// asciiOf returns the ASCII form of a lower-case letter, if it is Latin. That of a combining accent
// is empty: in decomposed text, e and its accent are two characters.
func asciiOf(letter rune) (string, bool) {
	if letter >= '\u0300' && letter <= '\u036f' {
		return "", true
	}
	if letter <= unicode.MaxASCII {
		return "", false
	}
	for _, entry := range latin {
		if letter >= entry.first && letter <= entry.last {
			return entry.ascii, true
		}
	}
	return "", false
}
