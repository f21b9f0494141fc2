package syntax

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/moby/buildkit/util/suggest"
)

// Bake is a FROM --bake=KEY=VALUE: an attribute of the stage's target in a bake file.
type Bake struct {
	// Key is the attribute as users write it: tags, labels.org.example.team.
	Key string
	// Attribute is the attribute of the target, Name the key in it when that is a map.
	Attribute, Name string
	Kind            BakeKind
	// Word is KEY=VALUE as written, with its quotes and variables.
	Word string
	// Span is where Word stands in the logical line.
	Span Span
}

// BakeKind is what the value of an attribute is.
type BakeKind int

// The kinds of attributes.
const (
	// BakeText is one text.
	BakeText BakeKind = iota
	// BakeBool is true or false.
	BakeBool
	// BakeMap has a text for each name.
	BakeMap
	// BakeList has an entry for each flag.
	BakeList
	// BakeWords has an entry for each word between commas: none can have a comma.
	BakeWords
)

// bakeKinds are the attributes that a FROM can give.
var bakeKinds = map[string]BakeKind{
	"annotations":     BakeList,
	"attest":          BakeList,
	"cache-from":      BakeList,
	"cache-to":        BakeList,
	"call":            BakeText,
	"contexts":        BakeMap,
	"entitlements":    BakeList,
	"extra-hosts":     BakeMap,
	"labels":          BakeMap,
	"network":         BakeText,
	"no-cache":        BakeBool,
	"no-cache-filter": BakeWords,
	"output":          BakeList,
	"platforms":       BakeWords,
	"policy":          BakeList,
	"pull":            BakeBool,
	"resources":       BakeMap,
	"secret":          BakeList,
	"shm-size":        BakeText,
	"ssh":             BakeList,
	"tags":            BakeWords,
	"ulimits":         BakeList,
}

// bakeOwn are the attributes that are not for a FROM to give, with what to write
// instead.
var bakeOwn = map[string]string{
	"args":              "the build args are those that the build is given: pass --build-arg NAME=value, or bind them in a stage of its own, FROM app(NAME=value) AS other",
	"context":           "the build context is that of the build which prints the bake file",
	"description":       "it is the comment above FROM that starts with the name of the stage",
	"dockerfile":        "it is this file",
	"dockerfile-inline": "it is this file",
	"inherits":          "write a stage that is built FROM the other one",
	"load":              "a target has no such attribute: write --bake=output=type=docker",
	"matrix":            "write a stage for each variant, FROM app(NAME=value) AS other",
	"name":              "it is the name of the stage",
	"push":              "a target has no such attribute: write --bake=output=type=registry",
	"target":            "it is the stage itself",
}

// scanBake reads an attribute of a bake file.
func (in *Instruction) scanBake(f *Flag) error {
	key, value, ok := strings.Cut(f.Value, "=")
	at := f.span(Span{0, len(key)})
	b := Bake{Key: key, Word: in.Line[f.Raw.Start:f.Raw.End], Span: f.Raw}
	var named bool
	b.Attribute, b.Name, named = strings.Cut(key, ".")
	kind, known := bakeKinds[b.Attribute]
	b.Kind = kind
	switch {
	case !f.HasValue || f.Value == "":
		return errorAt(f.Span.Start, f.Span.End, "--bake needs an attribute: write --bake=tags=name:tag")
	case strings.Contains(key, "$"):
		return errorAt(at.Start, at.End, "a variable in %s: the value of --bake may have them, its key not", key)
	case !known:
		return errorAt(at.Start, at.End, "%w", unknownBake(b.Attribute))
	case named && kind != BakeMap:
		return errorAt(at.Start, at.End, "%s has no keys of its own: write --bake=%s=value", b.Attribute, b.Attribute)
	case kind == BakeMap && b.Name == "":
		return errorAt(at.Start, at.End, "%s has several keys: write --bake=%s.name=value", b.Attribute, b.Attribute)
	case !ok || value == "":
		return errorAt(f.Span.Start, f.Span.End, "%s has no value: write --bake=%s=value", key, key)
	}
	for _, other := range in.Bake {
		// branches between the lines are read together first
		if in.lines == nil && other.Key == key && kind != BakeList && kind != BakeWords {
			return errorAt(at.Start, at.End, "%s stands twice: it has one value", key)
		}
	}
	in.Bake = append(in.Bake, b)
	in.erase(f)
	return nil
}

// unknownBake is the mistake of an attribute that no FROM gives.
func unknownBake(name string) error {
	if why, ok := bakeOwn[name]; ok {
		return fmt.Errorf("%s cannot be given: %s", name, why)
	}
	names := slices.Sorted(maps.Keys(bakeKinds))
	err := fmt.Errorf("bake's targets have no attribute %s", name)
	for _, known := range names { // tag, secrets: as bake's --set takes them
		if strings.TrimSuffix(known, "s") == strings.TrimSuffix(name, "s") {
			return fmt.Errorf("%w (did you mean %s?)", err, known)
		}
	}
	if near, err := suggest.WrapErrorMaybe(err, name, names, true); near {
		return err
	}
	return fmt.Errorf("%w (there are %s)", err, strings.Join(names, ", "))
}
