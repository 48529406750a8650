package main

import (
	"io"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The width of text for people: that of the terminal, within these.
const (
	defaultWidth = 80
	widest       = 100 // longer lines are hard to read
	narrowest    = 40
)

// textWidth gives the columns that text for people has. In a pipe COLUMNS counts,
// as for man.
func textWidth(w io.Writer) int {
	n := width(w)
	if n == 0 {
		n, _ = strconv.Atoi(os.Getenv("COLUMNS"))
	}
	if n <= 0 {
		n = defaultWidth
	}
	return max(narrowest, min(n, widest))
}

// wrap breaks a text at blanks so that its lines have at most width columns, each
// with indent before it. Paragraphs and what stands between ``` stay apart as they
// are; a word that is longer than a line has one for itself.
func wrap(text, indent string, width int) string {
	var b strings.Builder
	literal := false
	for paragraph := range strings.Lines(text) {
		paragraph = strings.TrimRight(paragraph, "\n")
		if strings.HasPrefix(paragraph, "```") {
			literal = !literal
			continue
		}
		if literal {
			b.WriteString(strings.TrimRight(indent+"    "+paragraph, " ") + "\n")
			continue
		}
		words := strings.Fields(paragraph)
		if len(words) == 0 {
			b.WriteString("\n")
			continue
		}
		line := indent + words[0]
		for _, word := range words[1:] {
			if utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
				b.WriteString(line + "\n")
				line = indent + word
				continue
			}
			line += " " + word
		}
		b.WriteString(line + "\n")
	}
	return b.String()
}
