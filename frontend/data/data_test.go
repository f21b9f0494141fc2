package data_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/stagecraft-build/stagecraft/frontend/data"
)

func TestScalarsAreStringsAsWritten(t *testing.T) {
	t.Parallel()
	got, err := data.Read([]byte("\ufeff" + ` {"a": 3.10, "b" : [1e3,-0, true , null, {}, []],
		"n": null, "q\"": "x\u00e9\n😀\ud83d\ude00", "big": 12345678901234567890123} `))
	want := map[string]any{
		"a": "3.10", "b": []any{"1e3", "-0", "true", nil, map[string]any{}, []any{}},
		`q"`: "xé\n😀😀", "big": "12345678901234567890123",
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %#v, %v", got, err)
	}
}

func TestMistakesHavePlaces(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                "1:1-1:1 the file is empty: data is an object or a list",
		" \n":                             "1:1-1:1 the file is empty: data is an object or a list",
		`"x"`:                             "1:1-1:4 data is an object or a list, not a single value",
		"\n 12 ":                          "2:2-2:4 data is an object or a list, not a single value",
		"{\n\"a\": 1,\n}":                 "3:1-3:2 the JSON is broken: invalid character '}' looking for beginning of object key string",
		`{"a": 1`:                         "1:8-1:8 the JSON ends too early: a bracket or a quote is not closed",
		"{}\n{}":                          "2:1-2:2 the JSON is broken: invalid character '{' after top-level value",
		`{"a": 01}`:                       "1:8-1:9 the JSON is broken: invalid character '1' after object key:value pair",
		"// no\n{}":                       "1:1-1:2 the JSON is broken: invalid character '/' looking for beginning of value",
		"{\"a\": \"\xff\"}":               "1:8-1:9 the file is not UTF-8",
		"{\"a\": 1,\n \"\\u0061\": null}": "2:2-2:10 the key \"a\" stands here a second time: the first one is on line 1",
		`["\ud800"]`:                      "1:2-1:10 the string holds half of a surrogate pair, which is no letter",
		strings.Repeat("[", data.MaxDepth) + "{}" + strings.Repeat("]", data.MaxDepth): "1:65-1:66 objects and lists nest more than 64 deep",
		strings.Repeat(" ", data.MaxSize) + "[]":                                       "1:1-1:1 the file has 1048578 bytes, the limit of data is 1048576",
	} {
		_, err := data.Read([]byte(text))
		var at *data.Error
		if !errors.As(err, &at) {
			t.Errorf("%.60q: %v is not an *Error", text, err)
			continue
		}
		place := func(offset int) string {
			return fmt.Sprintf("%d:%d", data.Line([]byte(text), offset), data.Column([]byte(text), offset))
		}
		if got := fmt.Sprintf("%s-%s %v", place(at.Start), place(at.End), at.Err); got != want {
			t.Errorf("%.60q:\n got %s\nwant %s", text, got, want)
		}
	}
}

// FuzzRead guards that no file makes us panic, that mistakes stand inside of the
// text, and that what we take is what encoding/json takes, with the same tree.
func FuzzRead(f *testing.F) {
	for _, text := range []string{
		`{"3.12": {"sha256": "aa", "tags": ["a", null]}, "n": 1e3}`, `[1, [true, {"a": {}}]]`, `{"a":1,"a":2}`, `["\ud800\u00e9"]`, "\ufeff[]", `[`, `{} x`, `"x"`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := data.Read(text)
		var at *data.Error
		if err != nil {
			if !errors.As(err, &at) || at.Start < 0 || at.End < at.Start || at.End > len(text) {
				t.Errorf("%q: %v at %+v", text, err, at)
			}
			return
		}
		dec := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(text, []byte("\ufeff"))))
		dec.UseNumber()
		var want any
		if err := dec.Decode(&want); err != nil {
			t.Fatalf("%q: taken, and encoding/json says %v", text, err)
		}
		if want = plain(want); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %#v, encoding/json has %#v", text, got, want)
		}
	})
}

// plain makes what Read gives of what encoding/json gives.
func plain(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, item := range v {
			if v[key] = plain(item); item == nil {
				delete(v, key)
			}
		}
		return v
	case []any:
		for i, item := range v {
			v[i] = plain(item)
		}
		return v
	case nil:
		return nil
	}
	return fmt.Sprint(v)
}
