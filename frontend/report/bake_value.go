package report

import (
	"encoding/csv"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/distribution/reference"
	"github.com/docker/go-units"

	"github.com/stagecraft-build/stagecraft/frontend/plan"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

// setBake adds a value to the attributes of a target. An error says what bake would
// not take.
func setBake(attributes map[string]any, b syntax.Bake, value string) error {
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

// resources are the keys of an attribute of which bake knows them all.
var resources = []string{"memory", "memory-swap", "cpu-shares", "cpu-period", "cpu-quota", "cpuset-cpus", "cpuset-mems"}

// annotations are what an annotation may be on, which stands in front of a colon; annotated
// parts it from a platform.
var (
	annotations = []string{"manifest", "index", "manifest-descriptor", "index-descriptor"}
	annotated   = regexp.MustCompile(`^([a-z-]+)(?:\[[A-Za-z0-9_/-]+\])?$`)
)

func checkBakeKey(b syntax.Bake, value string) error {
	switch b.Attribute {
	case "extra-hosts":
		if _, err := netip.ParseAddr(value); err != nil && value != "host-gateway" {
			return fmt.Errorf("%q is no IP address, nor host-gateway", value)
		}
	case "resources":
		if !slices.Contains(resources, b.Name) {
			return fmt.Errorf("there are %s", strings.Join(resources, ", "))
		}
		if slices.Contains(resources[2:5], b.Name) {
			if _, err := strconv.ParseInt(value, 10, 64); err != nil {
				return fmt.Errorf("%q is no number", value)
			}
		}
	}
	return nil
}

func checkBakeText(attribute, value string) error {
	switch attribute {
	case "network":
		if !slices.Contains([]string{"default", "none", "host"}, value) {
			return fmt.Errorf("it is one of default, none and host, not %q", value)
		}
	case "shm-size":
		if _, err := units.RAMInBytes(value); err != nil {
			return fmt.Errorf("%q is no size: write 128m", value)
		}
	}
	return nil
}

func checkBakeEntry(attribute, entry string) error {
	switch attribute {
	case "tags":
		if _, err := reference.ParseNormalizedNamed(entry); err != nil {
			return fmt.Errorf("%q is no name of an image: %w", entry, err)
		}
	case "platforms":
		if entry == "local" {
			return nil
		}
		if _, err := plan.ParsePlatform(entry); err != nil {
			return err
		}
	case "no-cache-filter":
		if entry == "" {
			return errors.New("the name of a stage is missing between commas")
		}
	case "ulimits":
		if _, err := units.ParseUlimit(entry); err != nil {
			return err
		}
	case "annotations":
		key, _, ok := strings.Cut(entry, "=")
		if !ok || key == "" {
			return fmt.Errorf("%q is no annotation: write --bake=annotations=name=value", entry)
		}
		if on, _, ok := strings.Cut(key, ":"); ok {
			for on := range strings.SplitSeq(on, ",") {
				if m := annotated.FindStringSubmatch(on); m == nil || !slices.Contains(annotations, m[1]) {
					return fmt.Errorf("no annotation is on %q: it is on %s, a platform in brackets behind it", on, strings.Join(annotations, ", "))
				}
			}
		}
	case "output", "cache-from", "cache-to", "secret", "attest":
		return checkFields(attribute, entry)
	}
	return nil
}

// checkFields looks at an entry of fields between commas.
func checkFields(attribute, entry string) error {
	r := csv.NewReader(strings.NewReader(entry))
	fields, err := r.Read()
	if err != nil {
		return fmt.Errorf("%q cannot be read: %w", entry, err)
	}
	short := len(fields) == 1 && !strings.Contains(fields[0], "=")
	if short && (attribute == "output" || strings.HasPrefix(attribute, "cache-")) { // a folder, an image
		return nil
	}
	needed := "type"
	if attribute == "secret" {
		needed = "id"
	}
	found := false
	for _, field := range fields {
		key, of, ok := strings.Cut(field, "=")
		if !ok {
			return fmt.Errorf("%q has the field %q without a value: give each entry a --bake=%s of its own, write field=value, or quote a value with a comma in it", entry, field, attribute)
		}
		found = found || strings.EqualFold(strings.TrimSpace(key), needed) && of != ""
	}
	if !found {
		return fmt.Errorf("%q has no %s: write --bake=%s=%s=…", entry, needed, attribute, needed)
	}
	return nil
}
