//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// block is a fenced block of a page, with its kind.
var block = regexp.MustCompile("(?s)```(dockerfile|console)\n(.*?)```")

// dockerCommand is the client of the pages: it passes on to buildx what it is
// called with, since there is no Docker engine.
const dockerCommand = `#!/bin/sh
[ "$1" = buildx ] && shift
kind=$1
shift
exec buildx "$kind" --progress=plain "$@"
`

// TestReference builds every Dockerfile of docs/reference, docs/guides, docs/coming-from.md and docs/agents.md, with every command
// that follows it there: each has to print what the page shows, and to fail
// where the page shows an error.
func TestReference(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("../../docs/reference/*.md")
	if err != nil || len(pages) < 3 {
		t.Fatalf("the reference is missing: %v", err)
	}
	guides, err := filepath.Glob("../../docs/guides/*.md")
	if err != nil || len(guides) == 0 {
		t.Fatalf("the guides are missing: %v", err)
	}
	pages = slices.Concat(pages, guides, []string{"../../docs/coming-from.md", "../../docs/agents.md"})
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "docker"), []byte(dockerCommand), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		t.Run(filepath.Base(page), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(page)
			if err != nil {
				t.Fatal(err)
			}
			dir, built := "", true
			blocks := append(block.FindAllStringSubmatch(string(text), -1), []string{"", "dockerfile", ""})
			for _, b := range blocks {
				if b[1] == "console" {
					if dir == "" {
						t.Fatalf("no Dockerfile stands above %s", b[2])
					}
					commands(t, bin, dir, b[2])
					built = true
					continue
				}
				if !built { // a Dockerfile without a command of its own
					buildx(t, dir).ok(t)
				}
				if b[2] == "" {
					break
				}
				if !strings.HasPrefix(b[2], syntaxLine) {
					t.Errorf("a Dockerfile without the syntax line:\n%s", b[2])
				}
				dir, built = t.TempDir(), false
				if err := os.CopyFS(dir, os.DirFS("../../testdata/reference")); err != nil {
					t.Fatal(err)
				}
				writeFile(t, filepath.Join(dir, "Dockerfile"), []byte(b[2]))
			}
		})
	}
}

// commands runs the commands of a console block.
func commands(t *testing.T, bin, dir, text string) {
	t.Helper()
	var command string
	var want []string
	check := func() {
		if command == "" {
			return
		}
		c := runWith(t, dir, []string{"PATH=" + bin + ":" + os.Getenv("PATH")}, "sh", "-c", command)
		if strings.Contains(strings.Join(want, "\n"), "ERROR:") {
			c.fails(t, want...)
		} else {
			c.ok(t).prints(t, want...)
		}
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if next, ok := strings.CutPrefix(line, "$ "); ok {
			check()
			command, want = next, nil
		} else if line != "" {
			want = append(want, line)
		}
	}
	check()
}
