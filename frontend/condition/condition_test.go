package condition_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stagecraft-build/stagecraft/frontend/condition"
)

// eval evaluates text; the name EMPTY has no value, others have their own name
// in lower case.
func eval(text string) (bool, error) {
	c, err := condition.New(text, condition.Options{})
	if err != nil {
		return false, err
	}
	return c.Eval(func(name string) any {
		switch name {
		case "EMPTY":
			return ""
		case "LONG":
			return strings.Repeat("x,", 2000)
		case "HUGE":
			return strings.Repeat("x", condition.MaxValue+1)
		}
		return strings.ToLower(name)
	})
}

func TestStringsStandForTrueAndFalse(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		`A`: true, `EMPTY`: false, `OFF`: false, `NO`: false, `FALSE`: false, `"0"`: false, `"00"`: true, `"Off"`: false, `"FALSE"`: false,
		`not A`: false, `!EMPTY`: true, `A && B`: true, `A && EMPTY`: false, `EMPTY || A`: true, `EMPTY or OFF`: false,
		`A ? "" : "x"`: false, `EMPTY ? "" : B`: true, `not (A && not EMPTY)`: false,
		`A == "a" && B`: true, `A in ["x","a"]`: true, `not (A startsWith "b")`: true, `A matches "^[ab]$"`: true,
		`any(split("a,b", ","), # == A)`: true, `filter(split("0,1", ","), #) == ["1"]`: true, `A in split("a,b", ",")`: true,
		`int("3") > 2`: true, `len(split(LONG, ",")) == 2001`: true, `A | upper() == "A"`: true, `1..3 == [1,2,3]`: true,
		`date == "date"`: true, `A /* why */ != B`: true, "A ==\n\t`a`": true, `fromJSON("{\"x\": true}").x && A`: true,
	} {
		got, err := eval(text)
		if err != nil || got != want {
			t.Errorf("%s: %v, %v; want %v", text, got, err, want)
		}
	}
}

func TestMistakesAreFound(t *testing.T) {
	t.Parallel()
	const noNumber = ": names are strings, write \"1\", or int(NAME)"
	for text, want := range map[string]string{
		``:                                    `0-0 an expression is missing: write --if='TARGETARCH == "arm64"'`,
		`A ==`:                                `3-4 the expression ends too early`,
		`A == "b`:                             `5-7 the quote is not closed`,
		`A matches "\d"`:                      `12-13 invalid char escape: write two backslashes, or the text in backquotes`,
		`A == true`:                           `2-4 invalid operation: == (mismatched types string and bool): a name is true or false by itself, write NAME, or not NAME`,
		`$A == "1"`:                           `0-2 names stand without $ here: write A`,
		"A == \x00":                           `5-6 the expression holds the control character U+0000`,
		`A = "x"`:                             `2-3 unexpected token Operator("="): write == to compare`,
		`A b`:                                 `2-3 unexpected token Identifier("b")`,
		`A == 1`:                              `2-4 invalid operation: == (mismatched types string and int)` + noNumber,
		`"ä" == A && B == 1`:                  `15-17 invalid operation: == (mismatched types string and int)` + noNumber,
		`len(A)`:                              `0-3 the expression gives a value of type int: compare it with something`,
		`A && 1`:                              `2-4 invalid operation: && (mismatched types any and int)`,
		`nope(A)`:                             `0-4 there is no function nope in expressions (did you mean none?)`,
		`repaet("x", 9)`:                      `0-6 there is no function repaet in expressions`,
		`[ -n "$A" ]`:                         `0-11 it is no shell test: write A, or A == "1"`,
		`-z "$A"`:                             `0-7 it is no shell test: write A, or A == "1"`,
		`A OR B`:                              `2-4 unknown operator OR: operators stand in lower case, write or`,
		`NOT A`:                               `0-3 unknown operator NOT: operators stand in lower case, write not`,
		`ä == A AND NOT B`:                    `8-11 unknown operator AND: operators stand in lower case, write and`,
		`A = "x AND y"`:                       `2-3 unexpected token Operator("="): write == to compare`,
		`A == 1.2.3`:                          `5-10 a text stands in quotes: write "1.2.3"`,
		`f"{A}" == B`:                         `0-1 a text in quotes has no f in front: join texts and names, "a" + NAME`,
		`replace(A, "x", "y")`:                `0-7 replace is not for expressions: write join(split(NAME, "a"), "b")`,
		`toUpper(A)`:                          `0-7 there is no function toUpper in expressions: write upper`,
		`env("HOME")`:                         `0-3 there is no function env in expressions: write the name alone, without quotes`,
		`A; B`:                                `3-4 a second expression: join them with && in one, without ;`,
		`(A; B)`:                              `4-5 a second expression: join them with && in one, without ;`,
		`A; then`:                             `1-7 leave ; then out: the condition ends where the line ends`,
		`A;`:                                  `1-2 leave ; out: the condition ends where the line ends`,
		`ä == A {`:                            `8-9 leave { out: the condition ends where the line ends`,
		`A # b`:                               `2-5 a remark stands in a line of its own`,
		`"$A"`:                                `0-4 "$A" is a text, not the value of a name: write A without quotes and $`,
		`"a" in ["${A}"]`:                     `8-14 "${A}" is a text, not the value of a name: write A without quotes and $`,
		`not "$A"`:                            `4-8 "$A" is a text, not the value of a name: write A without quotes and $`,
		`date("2022-12-22").Format(A) == "x"`: `19-25 there is no method in expressions`,
		`$env["A"]`:                           `0-4 $env is not for expressions: write the name`,
		`let x = A; x == "a"`:                 `4-5 let is not for expressions`,
		`repeat("x", 9)`:                      `0-6 repeat is not for expressions, which stay small, fast and the same in every build`,
		`A matches B`:                         `10-11 the pattern of matches has to stand there in quotes: NAME matches "^v[0-9]+"`,
		`A matches "("`:                       "2-9 error parsing regexp: missing closing ): `(`",
		`any(split(A,","), any(split(B,","), #=="x"))`:                     `36-37 a test of each element holds no other such test: split the condition`,
		`any(split(LONG, ","), LONG matches "y.{0,9}")`:                    `22-26 the expression goes over too much data: ask for less, or put the answer into the data`,
		`all(1..9000, ` + strings.Repeat("lower(A) == 'a' && ", 20) + `B)`: `390-392 the expression goes over too much data: ask for less, or put the answer into the data`,
		`toJSON(toJSON(A)) == "x"`:                                         `7-13 toJSON is not for expressions, which stay small, fast and the same in every build`,
		`A matches "^.{0,900}.{0,900}y$"`:                                  `10-31 the patterns make 3605 steps together, the limit is 2000: repeat less`,
		`len(1..2000000) > 1`:                                              `5-7 the lists of the condition have more than 10000 elements`,
		`HUGE == "x"`:                                                      `0-4 the value of HUGE is 4097 bytes long: an expression looks at 4096 at most`,
		`fromJSON("1") && A`:                                               `0-8 a number is neither true nor false: compare it with something`,
		`fromJSON(A)`:                                                      `0-8 invalid character 'a' looking for beginning of value`,
		"\xff":                                                             `0-1 the expression is not UTF-8`,
		strings.Repeat("(", condition.MaxLength):                           `4095-4096 the expression ends too early`,
		strings.Repeat("x", condition.MaxLength+1):                         `0-4097 the expression is 4097 bytes long, the limit is 4096`,
	} {
		_, err := eval(text)
		var at *condition.Error
		if !errors.As(err, &at) {
			t.Errorf("%.60s: %v is not an *Error", text, err)
			continue
		}
		if got := fmt.Sprintf("%d-%d %v", at.Start, at.End, at.Err); got != want {
			t.Errorf("%.60s:\n got %.300q\nwant %q", text, got, want)
		}
	}
}

// versions is the data of tests.
var versions = map[string]any{
	"3.12": map[string]any{"sha256": "aa", "tags": []any{"a", "b"}, "old": nil},
	"3.13": map[string]any{"sha256": "bb"},
}

// options are those of expressions that look at versions.
var options = condition.Options{Value: true, Data: func(name string) bool { return name == "versions" }}

func lookup(name string) any {
	switch name {
	case "versions":
		return versions
	case "V":
		return "3.12"
	case "EMPTY":
		return ""
	}
	return strings.ToLower(name)
}

func value(text string) (string, error) {
	c, err := condition.New(text, options)
	if err != nil {
		return "", err
	}
	return c.Value(lookup)
}

func TestValues(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`versions[V].sha256`:                                 "aa",
		`versions["3.13"].sha256`:                            "bb",
		`{"3.12": "jdk8", "x": "y"}[V]`:                      "jdk8",
		`V == "3.12" ? ".exe" : ""`:                          ".exe",
		`versions["9"]?.sha256 ?? "none"`:                    "none",
		`versions["9"].sha256 ?? "none"`:                     "none",
		`versions[V].old ?? "none"`:                          "none",
		`keys(versions)`:                                     "3.12,3.13",
		`filter(keys(versions), versions[#].sha256 == "bb")`: "3.13",
		`map(values(versions), .sha256)`:                     "aa,bb",
		`versions[V].tags`:                                   "a,b",
		`join(versions[V].tags, "-")`:                        "a-b",
		`V in versions`:                                      "true",
		`"9" in versions`:                                    "false",
		`semver(V, ">=3.12") && !semver("3.9", ">=3.12")`:    "true",
		`1 + 2`:                            "3",
		`3 / 2`:                            "1.5",
		`len(versions)`:                    "2",
		`map(split("a,b", ","), upper(#))`: "A,B",
		`map(keys(versions), # + "-x")`:    "3.12-x,3.13-x",
		`sortBy(["b", "a"], #)`:            "a,b",
		`filter(["0", "x", ""], #)`:        "x",
		`len(filter(keys(versions), versions[#].sha256))`: "2",
		`"x" + V`: "x3.12",
		`EMPTY`:   "",
		`versions[V].sha256 == "aa" ? "yes" : "no"`: "yes",
		`versions[V].sha256 != "aa"`:                "false",
	} {
		if got, err := value(text); err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", text, got, err, want)
		}
	}
}

func TestMistakesInValues(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`versions["3.1"].sha256`:          `there is no key "3.1" (did you mean 3.12?)`,
		`versions[V].sha`:                 `there is no key "sha" (there are sha256, tags)`,
		`versions[V].old`:                 `there is no key "old" (there are sha256, tags)`,
		`versions`:                        `the expression gives an object, which is no text: take one of its values`,
		`versions[V].sha256 == 1`:         `a string is compared with a number: names and data are strings, write "1", or int(NAME)`,
		`V in [1, 2]`:                     `a string is compared with a number: names and data are strings, write "1", or int(NAME)`,
		`1 / 0`:                           `the number is not finite`,
		`float("inf")`:                    `the number is not finite`,
		`["a,b"]`:                         `the element "a,b" holds a comma, which parts the elements of a list`,
		`filter(keys(versions), false)`:   `the expression gives an empty list: a set needs at least one value`,
		`versions["9"]?.sha256`:           `the expression gives nothing: write … ?? "" if it may`,
		`semver("x", ">=1")`:              `"x" is no version`,
		`semver(V, "what")`:               `"what" is no constraint: write semver(VERSION, ">=3.12")`,
		`semver(V)`:                       `semver takes 2 arguments`,
		`versions.go-version`:             `a key with a dash stands in brackets: write versions["go-version"]`,
		`"x" + versions.a.go-v-w.b`:       `a key with a dash stands in brackets: write versions.a["go-v-w"]`,
		`versions["3.12"].sha256 == true`: `a string is compared with true or false: names and data are strings, write "true", or the name alone`,
		`versions["3.12"].sha256 > 80`:    `invalid operation: string > int: names and data are strings, write int(NAME)`,
		`1.2.3`:                           `a text stands in quotes: write "1.2.3"`,
		`./cmd/api`:                       `a text stands in quotes: write "./cmd/api"`,
		`hello world`:                     `a text stands in quotes: write "hello world"`,
		`"a" if V == "1"`:                 `a choice is written CONDITION ? A : B`,
		`V +`:                             `the expression ends too early`,
		`keys(V)`:                         `keys takes an object, not a string`,
		`[[1]]`:                           `the list holds a list`,
		`filter(versions, true)`:          `a test of each element goes over a list, not an object: write keys(…) or values(…)`,
		`map(versions[V], #)`:             `a test of each element goes over a list, not an object: write keys(…) or values(…)`,
		`any(versions[V].sha256, true)`:   `a test of each element goes over a list, not a string`,
		`string(versions[V])`:             `string takes no list and no object: take one of its values, or join`,
		`versions[V].sha256.x`:            `a string has no x: it is no object and no list`,
		`trim(V, join(map(1..99, V)))`:    `trim takes away letters of 64 bytes at most`,
	} {
		_, err := value(text)
		var at *condition.Error
		if !errors.As(err, &at) || !strings.Contains(at.Err.Error(), want) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}

func TestComparisonsAreFound(t *testing.T) {
	t.Parallel()
	c, err := condition.New(`V > "3.9" && D == "a" || D in ["b", "c"] || "d" != D`, condition.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, e := range c.Equals {
		texts = append(texts, e.Name+e.Text+c.Text[e.Start:e.End])
	}
	if got := fmt.Sprint(len(c.Orders), texts); got != `1 [Da"a" Db"b" Dc"c" Dd"d"]` {
		t.Error(got)
	}
}

// FuzzCondition guards that no expression makes us panic or hang, and that
// mistakes stand inside of the text.
func FuzzCondition(f *testing.F) {
	for _, text := range []string{
		`A && not (B in ["x","y"])`, `any(split(A, ","), # matches "^v")`, `A ? B : C`, `fromJSON(A).x[0] == "x"`, `1..9 | filter(# > 2) | len() > 1`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		_, err := eval(text)
		var at *condition.Error
		if err != nil && (!errors.As(err, &at) || at.Start < 0 || at.End < at.Start || at.End > len(text)) {
			t.Errorf("%q: a mistake at %d to %d: %v", text, at.Start, at.End, err)
		}
	})
}

// FuzzValue guards the same of expressions that look at data, and that they do no more
// work than they may.
func FuzzValue(f *testing.F) {
	for _, text := range []string{
		`versions[V].sha256`, `filter(keys(versions), versions[#].sha256 == "bb")`, `versions["9"]?.tags ?? "none"`, `semver(V, ">=3.12") && V in versions`,
		`join(map(values(versions), string(len(#))), V)`, `sortBy(values(versions), .sha256)[0].tags[1:]`, `{"3.12": V}[V] + trim(V, "3")`, `versions == {"a": [1]} or V < "3.9"`, `j in (max(value % A % string()))`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		_, err := value(text)
		var at *condition.Error
		if err != nil && (!errors.As(err, &at) || at.Start < 0 || at.End < at.Start || at.End > len(text)) {
			t.Errorf("%q: a mistake at %d to %d: %v", text, at.Start, at.End, err)
		}
		if c, err := condition.New(text, options); err == nil {
			if work, err := c.Work(lookup); err == nil && work > condition.MaxWork {
				t.Errorf("%q: %d units of work", text, work)
			}
		}
	})
}
