package report

import (
	"bytes"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/stagecraft-build/stagecraft/internal/tree"
)

// widest is how many letters of a line or path a table shows, and shown how many large files.
const (
	widest = 60
	shown  = 5
)

// write writes the tables of one platform.
func (b *SizeBuild) write(out *strings.Builder) {
	name := b.Stage
	if name == "" {
		name = "the target"
	}
	fmt.Fprintf(out, "%s (%s): %s unpacked%s, %s in %s\n", name, b.Platform, tree.Bytes(b.Size), difference(b.Size, b.Before), count(b.Files, "file", "files"), count(b.Directories, "directory", "directories"))
	if b.alone {
		fmt.Fprintf(out, "the sizes to compare with have none for %s\n", b.Platform)
	}
	if b.Hidden > 0 {
		fmt.Fprintf(out, "%s more in its layers is hidden by later lines\n", tree.Bytes(b.Hidden))
	}
	if b.LeftBehind > 0 {
		fmt.Fprintf(out, "%s was built or pulled for it and left behind\n", tree.Bytes(b.LeftBehind))
	}
	rows := [][]string{{"ADDS", "HIDES", "LINE"}}
	for _, line := range b.Lines {
		at := line.Text
		if line.Line > 0 {
			at = fmt.Sprintf("%s:%d %s", line.File, line.Line, line.Text)
		}
		rows = append(rows, []string{tree.Bytes(line.Adds), unlessZero(line.Hides), shortLine(at)})
	}
	table(out, rows)

	rows = [][]string{{"STAGE", "SIZE", "SHARE", ""}}
	var most int64 = 1
	for _, stage := range b.Stages {
		most = max(most, stage.Size)
	}
	for _, stage := range b.Stages {
		what := "left behind"
		if stage.InImage {
			what = "in the image"
		}
		name := stage.Name
		if stage.Platform != b.Platform {
			name += " (" + stage.Platform + ")"
		}
		rows = append(rows, []string{shortLine(name), tree.Bytes(stage.Size) + difference(stage.Size, stage.Before), fmt.Sprintf("%.1f%%", 100*float64(stage.Size)/float64(most)), what})
	}
	table(out, rows)
	entries(out, "DIRECTORY", b.LargestDirectories)
	entries(out, "FILE", b.LargestFiles)
}

func entries(out *strings.Builder, what string, list []tree.Entry) {
	rows := [][]string{{"SIZE", "LARGEST " + what}}
	for _, e := range list[:min(shown, len(list))] {
		rows = append(rows, []string{tree.Bytes(e.Size), shortPath(e.Path)})
	}
	table(out, rows)
}

// table writes rows behind an empty line; none for a heading alone.
func table(out *strings.Builder, rows [][]string) {
	if len(rows) < 2 {
		return
	}
	var text bytes.Buffer
	w := tabwriter.NewWriter(&text, 0, 0, 3, ' ', 0)
	for _, row := range rows {
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	_ = w.Flush() // to memory
	out.WriteByte('\n')
	for line := range strings.Lines(text.String()) {
		out.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
}

// difference says how a size has changed; nothing where that is not known.
func difference(size int64, before *int64) string {
	switch {
	case before == nil:
		return ""
	case size == *before:
		return " (as before)"
	case size < *before:
		return " (" + tree.Bytes(size-*before) + ")"
	}
	return " (+" + tree.Bytes(size-*before) + ")"
}

func unlessZero(size int64) string {
	if size == 0 {
		return ""
	}
	return tree.Bytes(size)
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// shortLine cuts a long line at its end, shortPath a long path at its start.
func shortLine(text string) string {
	if letters := []rune(text); len(letters) > widest {
		return string(letters[:widest-1]) + "…"
	}
	return text
}

func shortPath(text string) string {
	if letters := []rune(text); len(letters) > widest {
		return "…" + string(letters[len(letters)-widest+1:])
	}
	return text
}
