package frontend_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/builder"
	"github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/frontend/subrequests/lint"
	"github.com/moby/buildkit/solver/errdefs"
	"github.com/moby/buildkit/solver/pb"

	"github.com/stagecraft-build/stagecraft/frontend"
	"github.com/stagecraft-build/stagecraft/internal/gatewaytest"
)

// checked is what a check of a build says, as an editor reads it.
func checked(t *testing.T, b gatewaytest.Build, build client.BuildFunc) (lint.LintResults, *client.Result) {
	t.Helper()
	b.Opts["requestid"] = "frontend.lint"
	res, err := build(t.Context(), gatewaytest.New(b))
	if err != nil {
		t.Fatalf("the check has no answer: %v", err)
	}
	var results lint.LintResults
	if err := json.Unmarshal(res.Metadata["result.json"], &results); err != nil {
		t.Fatal(err)
	}
	return results, res
}

// TestCheckAnswersEveryMistake guards that a check has an answer for each kind of
// mistake, and that editors can show it: on lines of the main file, which they have
// open, whichever file it is in.
func TestCheckAnswersEveryMistake(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		text, lib string
		opts      []string
		line      int32
		want      string
	}{
		"an open call":          {text: "FROM alpine AS build\nFROM build(\n", line: 2, want: "parenthesis"},
		"an unknown flag":       {text: "FROM alpine AS test\nFROM --aftr=test alpine\n", line: 2, want: "dockerfile parse error on line 2: unknown flag: --aftr (did you mean after?)"},
		"an open quote":         {text: "FROM alpine AS a\nARG X\nFROM a(X='b)\n", line: 3, want: "no closing"},
		"an unknown stage":      {text: "FROM alpine AS build\nFROM alpine\nCOPY --from=biuld() /x /x\n", line: 3, want: `"biuld" is not a stage`},
		"an unknown name":       {text: "FROM alpine AS build\nFROM build(X=1)\n", line: 2, want: "X"},
		"flags without a line":  {text: "FROM alpine\n#+ --after=x\n", line: 2, want: "no instruction below"},
		"a missing file":        {text: "# one\nIMPORT ./none.Dockerfile AS none\nFROM none.x\n", line: 2, want: "there is no file none.Dockerfile"},
		"a missing source":      {text: "IMPORT --from=nowhere x AS none\nFROM none.x\n", line: 1, want: "nowhere"},
		"no stage":              {text: "IMPORT ./lib.Dockerfile AS lib\n", lib: "FROM alpine AS x\n", line: 1, want: "no stages"},
		"an unknown target":     {text: "FROM alpine AS build\nARG X\nFROM build(X=1)\n", opts: []string{"target", "biuld"}, line: 1, want: "biuld"},
		"a call as target":      {text: "FROM alpine AS build\n", opts: []string{"target", "build(X=1"}, line: 1, want: "build(X=1"},
		"a condition":           {text: "FROM alpine\nRUN --if='X ==' y\n", line: 2, want: "column 14"},
		"a wrong check option":  {text: "# check=nonsense\nFROM alpine AS a\nFROM a()\n", line: 1, want: "check options"},
		"a parse error":         {text: "FROM alpine AS a\nFROM a()\nRUN <<EOF\n", line: 3, want: "unterminated heredoc"},
		"an instruction":        {text: "FROM alpine AS a\nFROM a()\nCOYP x y\n", line: 3, want: "dockerfile parse error on line 3: unknown instruction: COYP"},
		"a flag of upstream's":  {text: "FROM alpine AS a\nFROM a()\nCOPY --chwon=1 x y\n", line: 3, want: "dockerfile parse error on line 3: unknown flag: --chwon"},
		"a plain file":          {text: "FROM alpine\nCOYP x y\n", line: 2, want: "unknown instruction: COYP"},
		"in an import":          {text: "# one\nIMPORT ./lib.Dockerfile AS lib\nFROM lib.x\n", lib: "\n\n\n\nFROM alpine(\n", line: 2, want: "lib.Dockerfile, line 5: "},
		"an import's heredoc":   {text: "IMPORT ./lib.Dockerfile AS lib\nFROM lib.x\n", lib: "FROM alpine\n\nRUN <<EOF\n", line: 1, want: "lib.Dockerfile, line 3: unterminated heredoc"},
		"in a named file":       {text: "# one\nFROM ./lib.Dockerfile#x\n", lib: "\n\nFROM alpine AS y\nFROM y(A=1) AS x\n", line: 2, want: "lib.Dockerfile, line 4: "},
		"in a mount's file":     {text: "IMPORT ./lib.Dockerfile AS lib\nFROM alpine\nRUN --mount=lib.c x\n", lib: "MOUNT c type=cache,target=/c\n\n\nFROM --aftr=x alpine\n", line: 1, want: "lib.Dockerfile, line 4: "},
		"in a stage of imports": {text: "IMPORT ./lib.Dockerfile AS lib\nFROM alpine\nCOPY --from=lib.x / /\n", lib: "FROM alpine AS x\n\n\n\nCOPY --from=x(V=$NONE) / /\n", line: 3, want: "lib.Dockerfile, line 5: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := gatewaytest.Dockerfile(test.text, test.opts...)
			if test.lib != "" {
				b.Files["dockerfile"]["lib.Dockerfile"] = test.lib
			}
			results, res := checked(t, b, frontend.Build)
			switch {
			case results.Error == nil:
				t.Fatalf("no error in %s", res.Metadata["result.json"])
			case string(res.Metadata["result.statuscode"]) != "1":
				t.Errorf("status %s", res.Metadata["result.statuscode"])
			case !strings.Contains(results.Error.Message, test.want):
				t.Errorf("%q instead of %q", results.Error.Message, test.want)
			}
			if got := results.Error.Location.Ranges; len(got) == 0 && test.line != 1 || len(got) > 0 && got[0].Start.Line != test.line {
				t.Errorf("at %v instead of line %d: %s", got, test.line, results.Error.Message)
			}
			results.PrintErrorTo(&strings.Builder{}, nil) // as the client does
			requireInEditor(t, test.text, &results)
		})
	}
}

// requireInEditor fails for findings on which editors give up: their ranges have to
// be lines of the text that was sent.
func requireInEditor(t *testing.T, text string, results *lint.LintResults) {
	t.Helper()
	lines := int32(strings.Count(text, "\n") + 1)
	valid := func(what string, location *pb.Location) {
		if location.SourceIndex != 0 {
			t.Errorf("%s is in source %d", what, location.SourceIndex)
		}
		for _, r := range location.Ranges {
			if r.Start.Line < 1 || r.End.Line > lines || r.End.Line < r.Start.Line {
				t.Errorf("%s is at lines %d to %d of %d", what, r.Start.Line, r.End.Line, lines)
			}
		}
	}
	for _, w := range results.Warnings {
		if len(w.Location.Ranges) == 0 {
			t.Errorf("%s has no range", w.RuleName)
		}
		valid(w.RuleName, w.Location)
	}
	if results.Error != nil {
		valid(results.Error.Message, &results.Error.Location)
	}
}

// TestCheckShowsImportsInTheMainFile guards where findings in imported files stand:
// in the JSON form where the file is asked for, in the text form in their own file,
// which clients print because of the version.
func TestCheckShowsImportsInTheMainFile(t *testing.T) {
	t.Parallel()
	const text = "# one\nIMPORT ./lib.Dockerfile AS lib\nFROM lib.x\nCOPY --from=./other.Dockerfile / /\nCMD echo\n"
	b := gatewaytest.Dockerfile(text)
	b.Files["dockerfile"]["lib.Dockerfile"] = "IMPORT ./deep.Dockerfile AS deep\n\n\n\nFROM deep.y AS x\nCMD echo $NONE\n"
	b.Files["dockerfile"]["deep.Dockerfile"] = "\n\n\n\n\n\n\n\nFROM alpine AS Y\nMAINTAINER me\n"
	b.Files["dockerfile"]["other.Dockerfile"] = "\n\n\n\n\n\n\nFROM alpine\nWORKDIR x\n"
	results, res := checked(t, b, frontend.Build)
	requireInEditor(t, text, &results)
	for rule, want := range map[string]struct {
		line   int32
		detail string
	}{
		"MaintainerDeprecated in deep.Dockerfile": {2, "deep.Dockerfile, line 10: Maintainer instruction is deprecated in favor of using label"},
		"StageNameCasing in deep.Dockerfile":      {2, "deep.Dockerfile, line 9: Stage name 'Y' should be lowercase"},
		"WorkdirRelativePath":                     {4, `other.Dockerfile, line 9: Relative workdir "x" can have unexpected results if the base image changes`},
	} {
		found := false
		for _, w := range results.Warnings {
			if w.RuleName == rule {
				found = true
				if w.Location.Ranges[0].Start.Line != want.line || w.Detail != want.detail {
					t.Errorf("%s: line %d: %s", rule, w.Location.Ranges[0].Start.Line, w.Detail)
				}
			}
		}
		if !found {
			t.Errorf("no %s in %s", rule, res.Metadata["result.json"])
		}
	}
	shown := string(res.Metadata["result.txt"])
	for _, want := range []string{
		"\nWARNING: MaintainerDeprecated - ", "deep.Dockerfile:10\n", ">>> MAINTAINER me", "other.Dockerfile:9\n", "Dockerfile:5\n",
	} {
		if !strings.Contains(shown, want) {
			t.Errorf("the text lacks %q:\n%s", want, shown)
		}
	}
	if v := string(res.Metadata["version"]); v <= lint.SubrequestLintDefinition.Version {
		t.Errorf("clients print the JSON of version %s", v)
	}
}

// TestCheckOfMainFileKeepsItsVersion guards that clients print a check without
// imported findings themselves: they know how the user names the file.
func TestCheckOfMainFileKeepsItsVersion(t *testing.T) {
	t.Parallel()
	const text = "FROM alpine AS build\nARG X\nFROM build(X=1)\nMAINTAINER me\n"
	_, plain := checked(t, gatewaytest.Dockerfile("FROM alpine\nMAINTAINER me\n"), builder.Build)
	_, extended := checked(t, gatewaytest.Dockerfile(text), frontend.Build)
	if got, want := string(extended.Metadata["version"]), string(plain.Metadata["version"]); got != want {
		t.Errorf("version %s, upstream has %s", got, want)
	}
}

// TestCheckHasAnInternalErrorToo guards that a panic of ours is in the answer.
func TestCheckHasAnInternalErrorToo(t *testing.T) {
	t.Parallel()
	b := gatewaytest.Dockerfile("FROM alpine AS build\nFROM build()\n", "requestid", "frontend.lint")
	c := gatewaytest.New(b)
	c.Fail = func(kind string) error {
		if kind == "ResolveImageConfig" {
			panic("late")
		}
		return nil
	}
	res, err := frontend.Build(t.Context(), c)
	if err != nil || !strings.Contains(string(res.Metadata["result.json"]), "internal error: late") {
		t.Errorf("%v, %v", res, err)
	}
}

// TestCheckOfPlainFileAddsHints guards a warning of ours about a plain file: that a
// comment looks like an extension.
func TestCheckOfPlainFileAddsHints(t *testing.T) {
	t.Parallel()
	const text = "FROM alpine\n#+ IMPROT ./x AS x\nRUN y\n"
	results, res := checked(t, gatewaytest.Dockerfile(text), frontend.Build)
	requireInEditor(t, text, &results)
	if len(results.Warnings) != 1 || results.Warnings[0].Location.Ranges[0].Start.Character != 3 {
		t.Errorf("got %s", res.Metadata["result.json"])
	}
}

// TestTargetErrorsShowNoLine guards that a mistake in a target shows no line of the
// file: the daemon shows the syntax line for an error that has no source at all.
func TestTargetErrorsShowNoLine(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"build(", "build(X=1)", "biuld", "biuld()", "build(V=[1,2])", "lib.x", "./none#x", "build(V=$NONE)"} {
		b := gatewaytest.Dockerfile("# syntax=stagecraft/dockerfile:1\nFROM alpine AS build\nARG V\nFROM build(V=1)\n", "target", target)
		_, err := frontend.Build(t.Context(), gatewaytest.New(b))
		found := errdefs.Sources(err)
		if len(found) == 0 {
			t.Errorf("%s: no source in %v", target, err)
		}
		for _, s := range found {
			var out strings.Builder
			if err := s.Print(&out); err != nil || out.Len() > 0 {
				t.Errorf("%s: %v shows %s", target, err, out.String())
			}
		}
	}
}
