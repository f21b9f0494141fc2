package report

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/stagecraft-build/stagecraft/frontend/source"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
	"github.com/stagecraft-build/stagecraft/internal/pattern"
)

// setBake adds a value to the attributes of a target. An error says what bake would
// not take.
func setBake(attributes map[string]any, b syntax.Bake, value string) error {
	if holdsCredentials(value) {
		return errors.New("the value holds the user or the password of a URL, which the bake file would show: give it to bake with --set, or have the builder log in")
	}
	switch b.Kind {
	case syntax.BakeBool:
		on, err := strconv.ParseBool(value)
		if err != nil {
			return fmt.Errorf("it is true or false, not %q", value)
		}
		attributes[b.Attribute] = on
		return nil
	case syntax.BakeMap:
		m, _ := attributes[b.Attribute].(map[string]string)
		if m == nil {
			m = map[string]string{}
		}
		m[b.Name] = value
		attributes[b.Attribute] = m
		return checkBakeKey(b, value)
	case syntax.BakeText:
		attributes[b.Attribute] = value
		return checkBakeText(b.Attribute, value)
	}
	list, _ := attributes[b.Attribute].([]string)
	entries := []string{value}
	if b.Kind == syntax.BakeWords {
		entries = strings.Split(value, ",")
	}
	for _, entry := range entries {
		if err := checkBakeEntry(b.Attribute, entry); err != nil {
			return err
		}
		if slices.Contains(list, entry) {
			return fmt.Errorf("%q stands in it twice", entry)
		}
		list = append(list, entry)
	}
	attributes[b.Attribute] = list
	return nil
}

// inURL finds where the URLs of a value start: it may have fields.
var inURL = pattern.New(`[a-zA-Z][a-zA-Z0-9+.-]*://[^\s,"']*`)

// holdsCredentials reports whether a URL in a value has a user or a password.
func holdsCredentials(value string) bool {
	return slices.ContainsFunc(inURL().FindAllString(value, -1), func(url string) bool { return source.WithoutCredentials(url) != url })
}
