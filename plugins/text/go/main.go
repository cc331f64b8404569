// Operations on text: word_count counts words, and slugify makes a part of a URL.
package main

import "ophost"

func init() {
	ophost.Register("text-go", "0.1.0",
		ophost.Operation("word_count", wordCount,
			ophost.Description("Counts the words, lines and characters of a text."),
			ophost.Category("text"),
			ophost.Tags("text", "statistics"),
			ophost.Async()),
		ophost.Operation("slugify", slugify,
			ophost.Description("Converts a text to a part of a URL: `Salt & Pepper` becomes `salt-pepper`.\n\n"+
				"Latin letters lose their accents. Letters of other scripts are kept."),
			ophost.Category("text"),
			ophost.Tags("text", "web"),
			ophost.Async()))
}

// The host calls the operations, and never main.
func main() {}
