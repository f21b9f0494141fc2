package frontend_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stagecraft-build/stagecraft/frontend"
	"github.com/stagecraft-build/stagecraft/internal/gatewaytest"
)

// trap is a mistake that docs/agents.md warns of: files that make it, what a
// check says of each of them, and the file without it.
type trap struct {
	bad  map[string]string
	good string
}

// called puts a line behind stages that it may call.
func called(line string) string {
	return "FROM alpine AS build\nARG A B DIR\nRUN echo $A $B $DIR > /x\nFROM alpine\n" + line + "\n"
}

// decided puts lines behind names that they may look at.
func decided(lines string) string {
	return "ARG DISTRO=alpine\nARG VERSION=3.10\nARG X=\nFROM alpine\n" + lines + "\n"
}

var traps = map[string]trap{
	"`--from=build(A=1, B=2)`": {
		map[string]string{called("COPY --from=build(A=1, B=2) /x /x"): "a space ends the flag"},
		called(`COPY --from="build(A=1, B=2)" /x /x`),
	},
	"`build(PGK=x)`": {
		map[string]string{called("COPY --from=build(DRI=x) /x /x"): "did you mean DIR?"},
		called("COPY --from=build(DIR=x) /x /x"),
	},
	"`IF \"$DISTRO\" == \"alpine\"`, `IF [ … ]`, `IF …; then`": {
		map[string]string{
			decided("IF \"$DISTRO\" == \"alpine\"\nRUN x\nEND"):  "write DISTRO without quotes and $",
			decided("IF [ \"$DISTRO\" = alpine ]\nRUN x\nEND"):   "it is no shell test",
			decided("IF DISTRO == \"alpine\"; then\nRUN x\nEND"): "leave ; then out",
		},
		decided("IF DISTRO == \"alpine\"\nRUN x\nEND"),
	},
	"`--if=A == \"x\"`": {
		map[string]string{decided(`RUN --if=DISTRO == "x" y`): "quote the expression"},
		decided(`RUN --if='DISTRO == "x"' y`),
	},
	"`VERSION > \"3.9\"`": {
		map[string]string{decided(`RUN --if='VERSION > "3.9"' x`): "StringComparison"},
		decided(`RUN --if='semver(VERSION, ">3.9")' x`),
	},
	"`VERSION == 3`": {
		map[string]string{decided(`RUN --if='VERSION == 3' x`): "names are strings"},
		decided(`RUN --if='VERSION == "3"' x`),
	},
	"`build(DIR=$JAVA_HOME)`, which an image sets": {
		map[string]string{
			called("COPY --from=build(DIR=$JAVA_HOME) /x /x"):                     "JAVA_HOME has no value here",
			called("ARG HOME=$JAVA_HOME/lib\nCOPY --from=build(DIR=$HOME) /x /x"): "the value of HOME is not known here: JAVA_HOME",
		},
		called("ENV JAVA_HOME=/opt\nCOPY --from=build(DIR=$JAVA_HOME) /x /x"),
	},
	"`IMPORT --from=stage`": {
		map[string]string{"IMPORT --from=build ./x AS x\n" + called("COPY --from=x.y /x /x"): "a stage cannot be imported from"},
		called("COPY --from=build /x /x"),
	},
	"`#+ if X`, `#+ else`": {
		map[string]string{
			decided("#+ if X\nRUN x"):                   "did you mean #+ IF?",
			decided("IF X\nRUN x\n#+ else\nRUN y\nEND"): "did you mean #+ ELSE?",
		},
		decided("#+ IF X\nRUN x\n#+ ELSE\nRUN y\n#+ END"),
	},
	"`#+ --after=test because`": {
		map[string]string{"FROM alpine AS test\nRUN x\n#+ --after=test because\nFROM alpine AS app\n": "write a remark in a comment of its own"},
		"FROM alpine AS test\nRUN x\n# because\n#+ --after=test\nFROM alpine AS app\n",
	},
	"two stages of one name": {
		map[string]string{"FROM alpine AS base\nFROM busybox AS base\nRUN x\nFROM --after=base alpine\n": "DuplicateStageName"},
		"ARG X=\nFROM --if=X alpine AS base\nRUN x\nFROM --if='not X' busybox AS base\nRUN x\nFROM --after=base alpine\n",
	},
	"`FROM build(A=[1,2])`": {
		map[string]string{called("FROM build(A=[1,2])"): "here one call is needed"},
		called("FROM build(A=1)"),
	},
	"`UNSET ENV $NAME`": {
		map[string]string{decided("ENV NAME=DEBUG DEBUG=1\nUNSET ENV $NAME"): "a name stands for itself"},
		decided("ENV DEBUG=1\nUNSET ENV DEBUG"),
	},
}

// TestTrapsAreFound guards the table of traps in docs/agents.md: a check finds
// each of them, and nothing in what the page says to write.
func TestTrapsAreFound(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/agents.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "## Traps")
	table, _, _ = strings.Cut(table, "\n## ")
	rows := regexp.MustCompile(`(?m)^\| (.+?) \| .+ \| .+ \|$`).FindAllStringSubmatch(table, -1)
	seen := 0
	for _, row := range rows[min(1, len(rows)):] { // below the heading
		if strings.HasPrefix(row[1], "---") {
			continue
		}
		trap, ok := traps[row[1]]
		if !ok {
			t.Errorf("no test for the trap %s", row[1])
			continue
		}
		seen++
		t.Run(row[1], func(t *testing.T) {
			t.Parallel()
			for bad, want := range trap.bad {
				if got := findings(t, bad); !strings.Contains(got, want) {
					t.Errorf("nothing of %q but %q in a check of\n%s", want, got, bad)
				}
			}
			if got := findings(t, trap.good); got != "" {
				t.Errorf("%s in a check of\n%s", got, trap.good)
			}
		})
	}
	if seen != len(traps) {
		t.Errorf("the page has %d of %d traps", seen, len(traps))
	}
}

// findings is what a check says of a file.
func findings(t *testing.T, text string) string {
	t.Helper()
	results, _ := checked(t, gatewaytest.Dockerfile(text), frontend.Build)
	var out []string
	for _, w := range results.Warnings {
		out = append(out, w.RuleName+": "+w.Detail)
	}
	if results.Error != nil {
		out = append(out, results.Error.Message)
	}
	return strings.Join(out, "\n")
}
