package syntax_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

func TestMistakesInBlocks(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"FROM a\nIF A\nRUN x":                                         `line 2, column 1: the block is not closed: write END behind its last line`,
		"FROM a\nRUN x\nEND":                                          `line 3, column 1: there is no IF above this END`,
		"FROM a\nELSE\nRUN x":                                         `line 2, column 1: there is no IF above this ELSE`,
		"FROM a\nIF A\nRUN x\nENDIF":                                  `line 4, column 1: unknown instruction: ENDIF (did you mean END?)`,
		"FROM a\nIF A\nRUN x\nELIF B\nRUN y\nEND":                     `line 4, column 1: unknown instruction: ELIF (did you mean ELSE IF?)`,
		"FROM a\nIF A\nRUN x\nELSE\nRUN y\nELSE\nRUN z\nEND":          `line 6, column 1: the block has an ELSE on line 4 already`,
		"FROM a\nIF A\nRUN x\nELSE\nRUN y\nELSE IF B\nRUN z\nEND":     `line 6, column 1: the block has an ELSE on line 4 already`,
		"FROM a\nIF\nRUN x\nEND":                                      `line 2, column 1: an expression is missing: write IF TARGETARCH == "arm64"`,
		"FROM a\nIF A =\nRUN x\nEND":                                  `line 2, column 6: unexpected token Operator("="): write == to compare`,
		"FROM a\nIF A\nEND\nRUN x":                                    `line 3, column 1: nothing stands in the block that begins on line 2`,
		"FROM a\nIF A\nRUN x\nEND IF":                                 `line 4, column 5: nothing may stand behind END`,
		"FROM a\nIF A\nRUN x\nFROM b\nEND":                            `line 4, column 1: the block that begins on line 2 would cut a stage in two: end it above the FROM, or begin it with a FROM`,
		"FROM a\nIF A\nFROM b\nRUN x\nEND\nRUN y":                     `line 6, column 1: a stage ends with the block of stages above it (line 2): this line belongs into the block, or behind a FROM`,
		"FROM a\nIF A\nFROM b\nELSE\nRUN x\nEND":                      `line 5, column 1: the block that begins on line 2 holds stages: this branch begins with a FROM too`,
		"IF A\nARG B\nFROM a\nEND":                                    `line 3, column 1: the block that begins on line 1 holds lines of the global part: end it above the FROM`,
		"IF A\nMOUNT c type=cache,target=/c\nEND\nFROM a":             `line 2, column 1: MOUNT stands outside of blocks: put the condition on the instruction that uses the mount`,
		"FROM a\nRUN x; \\\n#+ IF A\n  y; \\\n  z":                    `line 3, column 4: the block has to end above line 5, the last line of the instruction or of its heredoc`,
		"FROM a\nRUN x; \\\n#+ END\n  y; \\\n  z":                     `line 3, column 4: there is no IF above this END`,
		"FROM a\nRUN <<EOF\n#+ IF A\nx\nEOF":                          `line 3, column 4: the block has to end above line 5, the last line of the instruction or of its heredoc`,
		"FROM a\nRUN x \\\n#+ IF A\n#+ END\n y":                       `line 4, column 4: nothing stands in the block that begins on line 3`,
		"FROM a\n#+ --if=B\n#+ IF A\nRUN x\n#+ END":                   `line 3, column 4: no instruction may stand between flags and the line that they are for`,
		"FROM a\nIF A\n  IF B\n  RUN x\n  END\n  FROM b\nEND":         `line 6, column 3: the block that begins on line 2 would cut a stage in two: end it above the FROM, or begin it with a FROM`,
		"IF A\nFROM a\nIF B\nRUN x\nEND\nRUN y\nELSE\nFROM b\nEND":    ``,
		"ARG A\nIF A\nARG B=1\nELSE IF B\nARG B=2\nEND\nFROM a\n":     ``,
		"FROM a\nRUN cat <<EOF\n#+ IF A\nEOF\nCOPY <<X /y\n#+ END\nX": ``,
		"#+ IF A\nFROM a AS b\n#+ ELSE\nFROM c AS b\n#+ END":          ``,
	} {
		_, err := syntax.Parse(&diagnostic.Text{Data: []byte(text)}, syntax.Options{})
		if got := strings.TrimPrefix(fmt.Sprint(err), "<nil>"); got != want {
			t.Errorf("%s:\n got %s\nwant %s", text, got, want)
		}
	}
}

// TestNoLineOfAnOpenBlockIsAComment guards that no slip makes a comment of the line of
// a block: the build would be that of other branches.
func TestNoLineOfAnOpenBlockIsAComment(t *testing.T) {
	t.Parallel()
	for _, prefix := range []string{"#+ ", "#+\t", "#+", "# + ", "#\t+"} {
		words := []string{"ELSE", "END", "ELIF A", "ELSIF A", "ELSEIF A", "ENDIF", "FI", "DONE", "ELSE IF A"}
		if prefix[:2] == "#+" { // else a remark
			words = append(words, "else", "Else", "eLSE", "end", "End", "elif A", "ElseIf A", "endif", "fi", "done", "else if A", "ELSE:", "end.", "else # b",
				"LESE", "ELS", "ELSEE", "EDN", "edn", "ENDD", "EN", "else b")
		}
		for _, word := range words {
			for _, frame := range []string{"FROM a\n#+ IF A\nRUN x\n%s\nRUN y\n#+ END\n", "FROM a\nIF A\nRUN x\n%s\nRUN y\nEND\n", "FROM a\nIF A\nRUN x\nEND\nIF A\nRUN x\n%s\n",
				"FROM a\nRUN x; \\\n#+ IF A\n x; \\\n%s\n x; \\\n#+ END\n x", "FROM a\nRUN <<EOF\n#+ IF A\nx\n  %s\nx\n#+ END\nx\nEOF\n"} {
				if (prefix == "#+ " || prefix == "#+\t") && (word == "ELSE" || word == "END" || word == "ELSE IF A") {
					continue // is one
				}
				text := fmt.Sprintf(frame, prefix+word)
				if _, err := syntax.Parse(&diagnostic.Text{Data: []byte(text)}, syntax.Options{}); err == nil || !strings.Contains(err.Error(), "is a comment, and the block of line") {
					t.Errorf("%s\ngives %v", text, err)
				}
			}
		}
	}
}

func TestVariantsHaveTheLinesThatAreOn(t *testing.T) {
	t.Parallel()
	const text = `FROM a
RUN set -eux; \
#+ IF A == "1"
    one; \
  # a comment
#+ ELSE IF A
    two; \
    #+ IF B
    three; \
    #+ END
#+ ELSE
    four; \
#+ END
    last
RUN <<EOF
first
#+ IF A
second
#+ END
third
EOF
CMD ["a", \
#+ IF A
  "b" \
#+ ELSE
  "c" \
#+ END
  ]
`
	file, err := syntax.Parse(&diagnostic.Text{Data: []byte(text)}, syntax.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for a, want := range map[string]string{
		"1": "RUN set -eux;     one;     last\nRUN <<EOF\nfirst\nsecond\nthird\nEOF\n\nCMD [\"a\",   \"b\"   ]\n",
		"2": "RUN set -eux;     two;     last\nRUN <<EOF\nfirst\nsecond\nthird\nEOF\n\nCMD [\"a\",   \"b\"   ]\n",
		"":  "RUN set -eux;     four;     last\nRUN <<EOF\nfirst\nthird\nEOF\n\nCMD [\"a\",   \"c\"   ]\n",
	} {
		var out strings.Builder
		for _, in := range file.Stages[0].Instructions {
			taken := map[*syntax.Block]*syntax.Branch{}
			for _, block := range in.Inner() {
				branch, err := block.Taken(func(name string) any { return map[string]string{"A": a}[name] })
				if err != nil {
					t.Fatal(err)
				}
				taken[block] = branch
			}
			v, err := in.Variant(taken)
			if err != nil {
				t.Fatal(err)
			}
			out.WriteString(v.Line + "\n" + v.Heredocs())
			if v.Heredocs() != "" {
				out.WriteString("\n")
			}
		}
		if out.String() != want {
			t.Errorf("A=%s:\n got %q\nwant %q", a, out.String(), want)
		}
	}
}
