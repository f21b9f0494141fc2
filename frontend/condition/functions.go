package condition

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/Masterminds/semver/v3"
	"github.com/expr-lang/expr/builtin"
	"github.com/moby/buildkit/util/suggest"
)

// Functions of ours that no text can name: they stand for operators whose meaning
// in the library would surprise.
const (
	truthName  = "true or false"
	stepName   = "step of a loop"
	memberName = "member"
	maybeName  = "member or nothing"
	equalName  = "equal"
	inName     = "in a list"
	finiteName = "finite"
	stringName = "text of a scalar"
	listName   = "list to go over"
	chargeName = "charge"
	// meterName is the meter, among the names of an expression.
	meterName = "the meter"
)

// maxText is how many bytes a list has that is joined to a text.
const maxText = 64 << 10

// functions are those that an expression has beside the library's, and in their
// place.
var functions = map[string]func(...any) (any, error){
	truthName: truth, memberName: member, maybeName: maybe, equalName: equal, inName: in, finiteName: finite,
	stringName: scalar, listName: listOf, chargeName: charge, stepName: step,
	"semver": matchVersion, "keys": keys, "values": values, "join": join,
}

// named are the functions of ours that a text can name, with the number of their
// arguments: at least and at most.
var named = map[string][2]int{"semver": {2, 2}, "keys": {1, 1}, "values": {1, 1}, "join": {1, 2}}

// Reserved reports whether a name has a meaning in expressions: that of a function
// or a keyword.
func Reserved(name string) bool {
	_, ours := named[name]
	_, theirs := builtin.Index[name]
	return ours || theirs || strings.Contains(keywords, " "+name+" ")
}

// known returns the names of the functions of conditions.
func known() []string {
	var out []string
	for name := range named {
		out = append(out, name)
	}
	for name := range builtin.Index {
		if !strings.Contains(growing, " "+name+" ") {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// keywords are the words of the language that are no names.
const keywords = " true false nil in and or not let if else matches contains startsWith endsWith "

func table() map[string]*builtin.Function {
	out := map[string]*builtin.Function{}
	for name, fn := range functions {
		out[name] = &builtin.Function{Name: name, Func: fn}
	}
	return out
}

// maxKnown is among how many keys one is looked for that a message suggests, and how
// long it is.
const maxKnown = 1000

// member returns what an object has under a key, or a list at a place. A key that
// is missing is a mistake, and so is one of nothing.
func member(args ...any) (any, error) {
	v, err := fetch(args[0], args[1])
	if err != nil || v != nil {
		return v, err
	}
	object, ok := args[0].(map[string]any)
	if !ok {
		return nil, fmt.Errorf("there is nothing at %v", args[1])
	}
	key := fmt.Sprint(args[1])
	err = fmt.Errorf("there is no key %.80q", key)
	if len(object) > maxKnown || len(key) > maxKnown {
		return nil, err
	}
	known := slices.DeleteFunc(slices.Sorted(maps.Keys(object)), func(key string) bool { return len(key) > 100 || object[key] == nil })
	if ok, err := suggest.WrapErrorMaybe(err, key, known, true); ok {
		return nil, err
	}
	if len(known) == 0 {
		return nil, fmt.Errorf("%w: the object is empty", err)
	}
	if len(known) > 10 {
		known = append(known[:10], "…")
	}
	return nil, fmt.Errorf("%w (there are %s)", err, strings.Join(known, ", "))
}

// maybe is member where a missing key is none: nothing.
func maybe(args ...any) (any, error) {
	if args[0] == nil {
		return nil, nil
	}
	return fetch(args[0], args[1])
}

func fetch(from, key any) (any, error) {
	switch from := from.(type) {
	case map[string]any:
		name, ok := key.(string)
		if !ok {
			return nil, fmt.Errorf("a key is a string, not %v: write it in quotes", key)
		}
		return from[name], nil
	case nil:
		return nil, fmt.Errorf("there is nothing that could have %v", key)
	}
	list := reflect.ValueOf(from) // functions give lists of one type
	if list.Kind() != reflect.Slice {
		return nil, fmt.Errorf("%s has no %v: it is no object and no list", kindOf(from), key)
	}
	n, ok := key.(int)
	if !ok {
		return nil, fmt.Errorf("a place in a list is a number, not %v", key)
	}
	if n < 0 {
		n += list.Len()
	}
	if n < 0 || n >= list.Len() {
		return nil, fmt.Errorf("the list has %d elements: there is none at %v", list.Len(), key)
	}
	return list.Index(n).Interface(), nil
}

// equal compares values of one type: values of two types are never equal, so
// asking is a mistake.
func equal(args ...any) (any, error) {
	m, a, b := args[0].(gauge), args[1], args[2]
	if err := m.pay(min(size(a, maxWork), size(b, maxWork))); err != nil {
		return nil, err
	}
	if a == nil || b == nil {
		return a == b, nil
	}
	if kindOf(a) != kindOf(b) {
		return nil, differ(a, b)
	}
	return reflect.DeepEqual(normal(a), normal(b)), nil
}

// in reports whether a list has an element, or an object a key.
func in(args ...any) (any, error) {
	switch list := args[2].(type) {
	case map[string]any:
		key, ok := args[1].(string)
		if !ok {
			return nil, differ(args[1], "")
		}
		if err := args[0].(gauge).pay(1 + len(key)/64); err != nil {
			return nil, err
		}
		return list[key] != nil, nil
	case nil:
		return false, nil
	}
	v := reflect.ValueOf(args[2])
	if v.Kind() != reflect.Slice {
		return nil, fmt.Errorf("in asks lists and objects, not %s", kindOf(args[2]))
	}
	found := false
	for i := range v.Len() {
		same, err := equal(args[0], args[1], v.Index(i).Interface())
		if err != nil {
			return nil, err
		}
		found = found || same.(bool)
	}
	return found, nil
}

func differ(a, b any) error {
	if _, text := a.(string); kindOf(a) == "true or false" && kindOf(b) == "a string" || text && kindOf(b) == "true or false" {
		return fmt.Errorf("%s is compared with %s: names and data are strings, write \"true\", or the name alone", kindOf(a), kindOf(b))
	}
	return fmt.Errorf("%s is compared with %s: names and data are strings, write \"1\", or int(NAME)", kindOf(a), kindOf(b))
}

func kindOf(v any) string {
	if v == nil {
		return "nothing"
	}
	switch reflect.ValueOf(v).Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64, reflect.Float64, reflect.Uint8, reflect.Int32:
		return "a number"
	case reflect.Slice, reflect.Array:
		return "a list"
	}
	return "an object"
}

// normal makes numbers of one kind.
func normal(v any) any {
	if r := reflect.ValueOf(v); r.CanInt() {
		return float64(r.Int())
	}
	return v
}

// finite refuses numbers that are none.
func finite(args ...any) (any, error) {
	if f, ok := args[0].(float64); ok && (math.IsInf(f, 0) || math.IsNaN(f)) {
		return nil, fmt.Errorf("the number is not finite")
	}
	return args[0], nil
}

// maxVersion is how many bytes a version, and a constraint, has.
const maxVersion = 256

// matchVersion reports whether a version keeps to a constraint, as
// github.com/Masterminds/semver has it.
func matchVersion(args ...any) (any, error) {
	if err := args[0].(gauge).pay(400); err != nil { // it parses both anew
		return nil, err
	}
	text, ok := args[1].(string)
	rule, ok2 := args[2].(string)
	if !ok || !ok2 {
		return nil, fmt.Errorf(`semver takes two strings: write semver(VERSION, ">=3.12")`)
	}
	var version *semver.Version
	err := errors.New("too long")
	if len(text) <= maxVersion {
		version, err = semver.NewVersion(text)
	}
	if err != nil {
		return nil, fmt.Errorf("%.80q is no version", text)
	}
	var constraint *semver.Constraints
	err = errors.New("too long")
	if len(rule) <= maxVersion {
		constraint, err = semver.NewConstraint(rule)
	}
	if err != nil {
		return nil, fmt.Errorf(`%.80q is no constraint: write semver(VERSION, ">=3.12")`, rule)
	}
	return constraint.Check(version), nil
}

// keys returns the keys of an object in their order, values what stands there.
func keys(args ...any) (any, error) {
	return walk("keys", args, func(_ map[string]any, key string) any { return key })
}

func values(args ...any) (any, error) {
	return walk("values", args, func(object map[string]any, key string) any { return object[key] })
}

func walk(name string, args []any, item func(object map[string]any, key string) any) (any, error) {
	object, ok := args[1].(map[string]any)
	switch {
	case !ok:
		return nil, fmt.Errorf("%s takes an object, not %s", name, kindOf(args[1]))
	case len(object) > maxList:
		return nil, fmt.Errorf("the list has %d elements, the limit is %d", len(object), maxList)
	}
	if err := args[0].(gauge).pay(1 + 10*len(object)); err != nil {
		return nil, err
	}
	out := []any{}
	for _, key := range slices.Sorted(maps.Keys(object)) {
		if object[key] != nil {
			out = append(out, item(object, key))
		}
	}
	return out, nil
}

const overObject = "a test of each element goes over a list, not an object: write keys(…) or values(…)"

// listOf refuses what is no list.
func listOf(args ...any) (any, error) {
	switch reflect.ValueOf(args[0]).Kind() {
	case reflect.Slice:
		return args[0], nil
	case reflect.Map:
		return nil, errors.New(overObject)
	}
	return nil, fmt.Errorf("a test of each element goes over a list, not %s", kindOf(args[0]))
}

// scalar makes a text of a value that is no list and no object.
func scalar(args ...any) (any, error) {
	switch reflect.ValueOf(args[0]).Kind() {
	case reflect.Slice, reflect.Map:
		return nil, fmt.Errorf("string takes no list and no object: take one of its values, or join")
	}
	return textOf(args[0])
}

// join makes one text of a list of strings.
func join(args ...any) (any, error) {
	m, list := args[0].(gauge), reflect.ValueOf(args[1])
	if list.Kind() != reflect.Slice {
		return nil, fmt.Errorf("join takes a list")
	}
	between := ""
	if len(args) == 3 {
		text, ok := args[2].(string)
		if !ok {
			return nil, fmt.Errorf("join puts a string between the elements")
		}
		between = text
	}
	var out strings.Builder
	for i := range list.Len() {
		text, ok := list.Index(i).Interface().(string)
		if !ok {
			return nil, fmt.Errorf("join takes a list of strings: write string(…)")
		}
		if i > 0 {
			out.WriteString(between)
		}
		if err := m.pay(1 + (len(between)+len(text))/16); err != nil {
			return nil, err
		}
		if out.WriteString(text); out.Len() > maxText {
			return nil, fmt.Errorf("the joined text is longer than %d bytes", maxText)
		}
	}
	return out.String(), nil
}

// textOf makes a text of a value.
func textOf(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", fmt.Errorf(`the expression gives nothing: write … ?? "" if it may`)
	case string:
		return v, nil
	case bool, int, int64:
		return fmt.Sprint(v), nil
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), nil
	case map[string]any:
		return "", fmt.Errorf("the expression gives an object, which is no text: take one of its values")
	}
	list := reflect.ValueOf(v)
	if list.Kind() != reflect.Slice {
		return "", fmt.Errorf("the expression gives a value of type %T, which is no text", v)
	}
	if list.Len() == 0 {
		return "", fmt.Errorf("the expression gives an empty list: a set needs at least one value")
	}
	var out strings.Builder
	for i := range list.Len() {
		item := list.Index(i).Interface()
		if reflect.ValueOf(item).Kind() == reflect.Slice {
			return "", fmt.Errorf("the list holds a list")
		}
		text, err := textOf(item)
		if err != nil {
			return "", err
		}
		if strings.Contains(text, ",") {
			return "", fmt.Errorf("the element %q holds a comma, which parts the elements of a list", text)
		}
		if i > 0 {
			out.WriteByte(',')
		}
		if out.WriteString(text); out.Len() > maxText {
			return "", fmt.Errorf("the list is longer than %d bytes", maxText)
		}
	}
	return out.String(), nil
}
