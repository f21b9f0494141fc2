package text_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
	"github.com/stagecraft-build/stagecraft/llbgen/lower/text"
)

// FuzzArg writes values of an ARG, and reads them as upstream does.
func FuzzArg(f *testing.F) {
	for _, value := range []string{"", "a", "a b", "'", `"`, `'"'`, `\`, `\\`, "`", "$A", "${A:-b}", "#", "<<EOF", "\t", "\v", "\u00a0", "\u2028", "\x01", "--x", "\n", "\r", "\x00", "\xff"} {
		f.Add(value, false)
		f.Add(value, true)
	}
	f.Fuzz(func(t *testing.T, value string, backtick bool) {
		word, err := text.Arg("NAME", value)
		if (err == nil) != text.Writable(value) {
			t.Fatalf("%q is writable and refused, or neither: %v", value, err)
		}
		if err != nil {
			return
		}
		escape := '\\'
		if backtick {
			escape = '`'
		}
		w := text.NewWriter(escape, "")
		w.Args(nil, []text.Word{word, word})
		data, err := w.Bytes(), w.Check()
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := parser.Parse(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		lex := shell.NewLex(escape)
		for n := parsed.AST.Children[0].Next; n != nil; n = n.Next {
			name, raw, _ := strings.Cut(n.Value, "=")
			got, _, err := lex.ProcessWord(raw, shell.EnvsFromSlice([]string{"A=no"}))
			if err != nil || name != "NAME" || got != value {
				t.Errorf("%q is read as %q: %v", value, got, err)
			}
		}
	})
}

func TestRefusedWords(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "a b", "a,target=/m", "a\nRUN x", "$A", "a\\", "--x", "ALPINE", "a'", "[a]"} {
		if word, err := text.Image(name); err == nil {
			t.Errorf("%q is the image %s", name, word)
		}
		if word, err := text.Platform(name); err == nil && name != "ALPINE" {
			t.Errorf("%q is the platform %s", name, word)
		}
		if word, err := text.Stage(name); err == nil {
			t.Errorf("%q is the stage %s", name, word)
		}
	}
	for _, name := range []string{"alpine", "docker.io/library/alpine:3.22@sha256:" + strings.Repeat("0", 64), "[::1]:5000/a"} {
		if _, err := text.Image(name); err != nil && name[0] != '[' {
			t.Error(err)
		}
	}
}

// copyOf returns the first instruction of the last stage of a file.
func copyOf(t *testing.T, line string) *syntax.Instruction {
	t.Helper()
	f, err := syntax.Parse(&diagnostic.Text{Data: []byte("FROM alpine AS build\nARG A\nFROM alpine\n" + line)}, syntax.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return f.Stages[1].Instructions[0]
}

// FuzzCopyArguments writes paths with values of any bytes.
func FuzzCopyArguments(f *testing.F) {
	for _, path := range []string{"/a", "a b", "<<EOF", "2<<-EOF", "#", "--chown=x", "[", `["a"]`, "a\nRUN x", `a\\`, "\x00", "\xff", "é"} {
		f.Add(path, "/out/")
		f.Add("/a", path)
	}
	in := func(t *testing.T) *syntax.Instruction { return copyOf(t, "COPY --from=build(A=1) $A /$A\n") }
	f.Fuzz(func(t *testing.T, source, dest string) {
		in := in(t)
		words := []string{source, dest}
		arguments, err := text.CopyArguments(in, words, false)
		if err != nil {
			return
		}
		from, err := text.Image("build")
		if err != nil {
			t.Fatal(err)
		}
		w := text.NewWriter('\\', "")
		w.Edit(in, map[*syntax.Reference]text.Word{in.References[0]: from}, arguments)
		data, err := w.Bytes(), w.Check()
		if err != nil {
			t.Fatalf("%q: %v", words, err)
		}
		parsed, err := parser.Parse(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for n := parsed.AST.Children[0].Next; n != nil; n = n.Next {
			if parser.MustParseHeredoc(n.Value) != nil {
				t.Errorf("%q is a heredoc", n.Value)
			}
			got = append(got, n.Value)
		}
		for i, word := range got {
			if escaped := strings.TrimPrefix(word, `\`); escaped == words[i] {
				got[i] = escaped
			}
		}
		if !slices.Equal(got, words) {
			t.Errorf("%q is read as %q", words, got)
		}
	})
}

// TestTextHasToBeWhatWasWritten writes an instruction that is not what upstream makes
// of its text.
func TestTextHasToBeWhatWasWritten(t *testing.T) {
	t.Parallel()
	in := copyOf(t, "RUN echo hi\n")
	in.Node.Next.Value = "echo something else"
	w := text.NewWriter('\\', "")
	w.Verbatim(in)
	err := w.Check()
	if err == nil || !strings.Contains(err.Error(), "internal error") || !strings.Contains(err.Error(), "echo something else") {
		t.Errorf("the error is %v", err)
	}
}
