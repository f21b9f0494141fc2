package syntax_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"golang.org/x/tools/txtar"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

// FuzzParse guards that every file which upstream's parser takes is read as
// upstream reads it, and that no text makes the reader panic.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("../../testdata/corpus/*/*Dockerfile*")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add("FROM a\n#+ --from=b(X=1,\nCOPY / /\n")
	f.Add("\ufeffFROM a AS b\nCOPY --from=\"b( X = [ 'a b' , $Y,${Z:-(}] )\" / /\nRUN --mount=type=bind,from=b(A=1,B=2),target=/x \\\n # c\n\\\n y <<EOF\nCOPY --from=b(\nEOF\n")
	cases, err := filepath.Glob("../../testdata/cases/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range cases {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(archive.Files[0].Data))
	}
	for _, text := range []string{"FR\\\nOM a()", "FROM a\nCOPY --fr\\\n# c\nom=a() / /", "FROM a\nADD \\\n--from=a / /", "FROM a\nRUN --mount='from=\"a()\"' x"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		file, err := syntax.Parse(&diagnostic.Text{Data: []byte(text)}, syntax.Options{})
		if syntax.Plain([]byte(text)) && (file.Extended || len(file.Warnings) > 0) {
			t.Error("an extension was overlooked")
		}
		if _, upstream := parser.Parse(strings.NewReader(text)); upstream == nil && err != nil && strings.Contains(err.Error(), "internal error") {
			t.Error(err)
		}
	})
}
