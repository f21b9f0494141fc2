package syntax_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"golang.org/x/tools/txtar"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

// FuzzParse guards that every instruction which upstream's parser takes is read as
// upstream reads it, that no text makes the reader panic, that every mistake in an
// extension has a place, and that the quick look for plain files never lets an
// extension through.
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
	f.Add("FROM --bake=tags=a:$\xff\x7fERE --\xa0ake=pull=p [lpine AS ap\n")
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
	for _, text := range []string{"let a = 1\nFROM a", "FROM a\nif\tTARGETOS\nRUN x\nend\n", "FROM a\nRUN x `\nlet a = 1\n", "FROM a\nRUN x \\\\\nif A\nRUN y\nEND", "FROM a\nLE\\\nT a = 1", "FROM a\n \\\n UNSET ENV A\n", "FROM a\nONBUILD let a = 1", "FROM a\nENV \\\n--from=a X", "FROM a\nRUN <<E\n\\\nE\nif A\nRUN y\nEND",
		"FR\\\nOM a()", "FROM a\nCOPY --fr\\\n# c\nom=a() / /", "FROM a\nADD \\\n--from=a / /", "FROM a\nRUN --mount='from=\"a()\"' x"} {
		f.Add(text)
	}
	for _, text := range hard {
		f.Add(text)
	}
	f.Add("FROM a\nONBUILD --xf=A --if=G\nCOPY --from=x(1 4a /b")
	f.Add("FROM a\nRUN --mount=type=b,'from=\xa0d(X=4)',target)&,target=/b x")
	f.Add("FROM a\nENV --from=\x82 P\xa7TH --file=/x")
	f.Add("FROM a AS b\nCOPY --from=b[1,2])(V=[1,2]) /x /y")
	f.Add("FROM a\n#+ --fr=b\nCOPY --from=a\\\\\\\\b /x /y")
	f.Add("FROM a\nCOPY --fro\"m=a(X='1 2', Y=3)\" --link / /")
	f.Add("FROM a\nRUN --mount=r\xbe\x84~s x")
	f.Fuzz(func(t *testing.T, text string) {
		file, err := syntax.Parse(&diagnostic.Text{Data: []byte(text)}, syntax.Options{})
		if syntax.Plain([]byte(text)) && (file.Extended && err == nil || len(file.Warnings) > 0) {
			t.Error("an extension was overlooked")
		}
		if _, upstream := parser.Parse(strings.NewReader(text)); upstream == nil && err != nil && strings.Contains(err.Error(), "internal error") {
			t.Error(err)
		}
		var at *diagnostic.Diagnostic
		if err != nil && file.Extended && (!errors.As(file.Locate(err), &at) || len(at.Places()) == 0) {
			t.Errorf("no place: %v", err)
		}
	})
}

// hard are texts in which flags are not where a first look finds them.
var hard = []string{
	"FROM --platform=$BUILDPLATFORM\u00a0alpine\nRUN echo hi",
	"FROM --platform=$BUILDPLATFORM\xa0alpine\nRUN echo hi",
	"FROM a AS b\nCOPY --from=b\u00a0 /a /b",
	"FROM a\nRUN -- --if=x echo",
	"FROM a\nRUN --if=A -- --if=x echo",
	"FROM a\nCOPY --from=bu\"il\"d /x /a\nCOPY --\"from\"=build /x /b\nCOPY --fr\\om=build /x /c",
	"FROM a\nRUN --mount=type=bind,from=\"build(X=1)\",target=/b x\nRUN --mount=\"type=bind,from=build(X=2),target=/b\" x\nRUN --mount=type=bind,\"from=build(X=3)\",target=/b x",
	"FROM a\nRUN --mount=type=bind,from=\"build,target=/b\" x",
	"FROM a\nONBUILD --if=A RUN --mount=type=cache,target=/x --if=1 y\nONBUILD COPY --from=x(1 /a /b\nONBUILD",
	"#+--------------+\n#| Build stage  |\n#+--------------+\nFROM alpine AS build\n#+-- comment\nRUN echo hi",
	"#+TITLE: x\nFROM a\n#+ Mount the volume here\n#+ import the base\nRUN x\n#+END",
	"FROM a\n#+ --if=D only when debugging\nRUN echo hi",
	"FROM a\n#+ --from=test() \\\nCOPY /x /x",
	"FROM a\n#+ --if='A\nRUN x",
	"FROM a\nRUN echo a && \\\n# the end",
	"FROM a\nRUN --if=A\\",
	"FROM a\nCOPY --from=\"a(X='1 2', Y=3)\" --link / /",
	"MOUNT self type=cache,target=/x --required\nFROM a\nRUN --mount=self true",
	"FROM a AS build\n#+ --from=build(X=1)\nFROM build\n#+ --from=build(X=1)\nCOPY --from=build / /",
}
