package pages_test

import (
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stagecraft-build/stagecraft/internal/pages"
)

const root = "../.."

// TestLinks follows every link of the documentation that leads into the repository: there is
// a file, and where the link names a heading the file has it.
func TestLinks(t *testing.T) {
	t.Parallel()
	found := documents(t)
	if len(found) < 50 {
		t.Fatalf("only %d pages were found: %v", len(found), found)
	}
	for _, page := range found {
		for _, link := range pages.Links(read(t, page)) {
			if strings.Contains(link, "://") || strings.HasPrefix(link, "mailto:") {
				continue
			}
			file, anchor, _ := strings.Cut(link, "#")
			to := page
			if file != "" {
				to = path.Join(path.Dir(page), file)
			}
			if _, err := os.Stat(filepath.Join(root, to)); err != nil || !filepath.IsLocal(to) {
				t.Errorf("%s: there is no file behind %s", page, link)
				continue
			}
			if anchor != "" && !pages.Anchors(read(t, to))[anchor] {
				t.Errorf("%s: there is no heading behind %s", page, link)
			}
		}
	}
}

// TestIndex lists every page of docs in docs/README.md, or in the index of its folder.
func TestIndex(t *testing.T) {
	t.Parallel()
	for _, page := range documents(t) {
		if !strings.HasPrefix(page, "docs/") || page == "docs/README.md" {
			continue
		}
		index := path.Dir(page) + "/README.md"
		if page == index || !exists(index) {
			index = "docs/README.md"
		}
		relative, err := filepath.Rel(path.Dir(index), page)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(pages.Links(read(t, index)), relative) {
			t.Errorf("%s does not lead to %s", index, page)
		}
	}
}

func TestLinksAndAnchorsOfAPage(t *testing.T) {
	t.Parallel()
	const page = "# One & two\n[a](b.md#c) `[x](y)` [d](https://e)\n```\n# no heading\n[n](o)\n```\n## FROM --with, `--call=size`\n"
	if got := pages.Links(page); !slices.Equal(got, []string{"b.md#c", "https://e"}) {
		t.Errorf("links %q", got)
	}
	if got := slices.Sorted(maps.Keys(pages.Anchors(page))); !slices.Equal(got, []string{"from---with---callsize", "one--two"}) {
		t.Errorf("anchors %q", got)
	}
}

// documents returns the pages of the repository that have readers, from its root.
func documents(t *testing.T) []string {
	t.Helper()
	out := []string{"README.md", "AGENTS.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"}
	for _, dir := range []string{"docs", "examples", "editors"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(name string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case entry.IsDir() && entry.Name() == "node_modules":
				return filepath.SkipDir
			case filepath.Ext(name) != ".md":
				return nil
			}
			name, err = filepath.Rel(root, name)
			out = append(out, filepath.ToSlash(name))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func exists(name string) bool {
	_, err := os.Stat(filepath.Join(root, name))
	return err == nil
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var (
	guard    = regexp.MustCompile(`^(Test|Fuzz)\w+$`)
	function = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
)

// TestGuardsExist looks for each test that docs/security.md names, and for one beside each claim.
func TestGuardsExist(t *testing.T) {
	t.Parallel()
	tests := map[string]bool{}
	for _, dir := range []string{"cmd", "frontend", "internal", "llbgen", "test"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(name string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(name, "_test.go") {
				return err
			}
			text, err := os.ReadFile(name)
			for _, m := range function.FindAllStringSubmatch(string(text), -1) {
				tests[m[1]] = true
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	text := read(t, "docs/security.md")
	for _, row := range pages.Rows(text) {
		if len(pages.Code(row[len(row)-1])) == 0 {
			t.Errorf("no test is named beside %q", row)
		}
	}
	for _, name := range pages.Code(text) {
		if guard.MatchString(name) && !tests[name] {
			t.Errorf("there is no test %s", name)
		}
	}
}
