package report

import (
	"encoding/csv"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/distribution/reference"
	"github.com/docker/go-units"
	"github.com/moby/buildkit/util/suggest"

	"github.com/stagecraft-build/stagecraft/frontend/plan"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
	"github.com/stagecraft-build/stagecraft/internal/pattern"
)

// resources are the keys of an attribute of which bake knows them all.
var resources = []string{"memory", "memory-swap", "cpu-shares", "cpu-period", "cpu-quota", "cpuset-cpus", "cpuset-mems"}

// annotations are what an annotation may be on, which stands in front of a colon; annotated
// parts it from a platform.
var (
	annotations = []string{"manifest", "index", "manifest-descriptor", "index-descriptor"}
	annotated   = pattern.New(`^([a-z-]+)(?:\[([A-Za-z0-9_/-]+)\])?$`)
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
	case "contexts":
		image, ok := strings.CutPrefix(value, "docker-image://")
		if _, err := reference.ParseNormalizedNamed(image); ok && err != nil {
			return fmt.Errorf("%q is no name of an image: %w", image, err)
		}
	}
	return nil
}

// calls are what a bake file may ask of a target: the name of a call of this frontend.
var calls = []string{"build", "bake", "check", "expand", "graph", "graph.dot", "graph.mermaid", "lint", "lock", "outline", "size", "subrequests.describe", "targets"}

// checkCall looks at the value of --call as buildx reads it.
func checkCall(value string) error {
	name := ""
	for field := range strings.SplitSeq(value, ",") {
		key, of, ok := strings.Cut(field, "=")
		switch {
		case !ok && name == "":
			name = field
		case !ok:
			return fmt.Errorf("%q names two calls, and a target has one", value)
		case key == "format" && (of == "json" || of == "text"):
		case key == "format":
			return fmt.Errorf("a format is json or text, not %q", of)
		case key == "ignorestatus":
			if _, err := strconv.ParseBool(of); err != nil {
				return fmt.Errorf("ignorestatus is true or false, not %q", of)
			}
		default:
			return fmt.Errorf("a call has the fields format and ignorestatus, not %q", key)
		}
	}
	if !slices.Contains(calls, name) {
		return suggest.WrapError(fmt.Errorf("there is no call %q: there are %s", name, strings.Join(calls, ", ")), name, calls, true)
	}
	return nil
}

// entitlements are those of BuildKit; a device may have a name.
var entitlements = []string{"network.host", "security.insecure", "device"}

func checkBakeText(attribute, value string) error {
	switch attribute {
	case "call":
		return checkCall(value)
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
	case "entitlements":
		name, _, named := strings.Cut(entry, "=")
		if !slices.Contains(entitlements, name) || named && name != "device" {
			return suggest.WrapError(fmt.Errorf("there is no entitlement %q: there are %s, each in a --bake=entitlements of its own", entry, strings.Join(entitlements, ", ")), entry, entitlements, true)
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
				m := annotated().FindStringSubmatch(on)
				if m == nil || !slices.Contains(annotations, m[1]) {
					return fmt.Errorf("no annotation is on %q: it is on %s, a platform in brackets behind it", on, strings.Join(annotations, ", "))
				}
				if m[2] == "" {
					continue
				}
				if _, err := plan.ParsePlatform(m[2]); err != nil {
					return err
				}
			}
		}
	case "output", "cache-from", "cache-to", "secret", "attest", "policy":
		return checkFields(attribute, entry)
	}
	return nil
}

// form is what the fields of an entry may be.
type form struct {
	// key is the field that every entry needs; empty for none. kinds are its values, nil
	// for any.
	key   string
	kinds []string
	// needs are fields that a kind cannot do without.
	needs map[string]string
	// only are all fields, nil for any.
	only []string
}

var forms = map[string]form{
	"output":     {key: "type", kinds: []string{"cacheonly", "docker", "image", "local", "oci", "registry", "tar"}, needs: map[string]string{"local": "dest"}},
	"cache-from": {key: "type", kinds: []string{"azblob", "gha", "inline", "local", "registry", "s3"}, needs: map[string]string{"local": "src", "registry": "ref"}},
	"cache-to":   {key: "type", kinds: []string{"azblob", "gha", "inline", "local", "registry", "s3"}, needs: map[string]string{"local": "dest", "registry": "ref"}},
	"secret":     {key: "id", only: []string{"id", "type", "src", "source", "env"}},
	"attest":     {key: "type", kinds: []string{"provenance", "sbom"}},
	"policy":     {only: []string{"filename", "reset", "disabled", "strict", "log-level"}},
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
	f := forms[attribute]
	values := map[string]string{}
	for _, field := range fields {
		key, of, ok := strings.Cut(field, "=")
		if !ok {
			return fmt.Errorf("%q has the field %q without a value: give each entry a --bake=%s of its own, write field=value, or quote a value with a comma in it", entry, field, attribute)
		}
		key = strings.ToLower(strings.TrimSpace(key))
		values[key] = of
		if f.only != nil && !slices.Contains(f.only, key) {
			return suggest.WrapError(fmt.Errorf("%q has the field %q, and there are %s", entry, key, strings.Join(f.only, ", ")), key, f.only, true)
		}
		if err := checkField(attribute, key, of); err != nil {
			return err
		}
	}
	kind := values[f.key]
	switch {
	case f.key == "":
		return nil
	case kind == "":
		return fmt.Errorf("%q has no %s: write --bake=%s=%s=…", entry, f.key, attribute, f.key)
	case f.kinds != nil && !slices.Contains(f.kinds, strings.ToLower(kind)):
		return suggest.WrapError(fmt.Errorf("%q is no type of %s: there are %s", kind, attribute, strings.Join(f.kinds, ", ")), kind, f.kinds, true)
	}
	if needed := f.needs[kind]; needed != "" && values[needed] == "" {
		return fmt.Errorf("%q has no %s, which type=%s needs", entry, needed, kind)
	}
	return nil
}

// logLevels are those of a policy.
var logLevels = []string{"trace", "debug", "info", "warn", "warning", "error", "fatal", "panic"}

// checkField looks at the value of one field.
func checkField(attribute, key, value string) error {
	isBool := key == "disabled" || attribute == "policy" && (key == "reset" || key == "strict") || attribute == "output" && key == "push"
	switch {
	case isBool:
		if _, err := strconv.ParseBool(value); err != nil {
			return fmt.Errorf("%s is true or false, not %q", key, value)
		}
	case attribute == "policy" && key == "filename" && value == "":
		return errors.New("the filename of the policy is empty")
	case attribute == "policy" && key == "log-level" && !slices.Contains(logLevels, strings.ToLower(value)):
		return fmt.Errorf("a log-level is one of %s, not %q", strings.Join(logLevels, ", "), value)
	case attribute == "secret" && key == "type" && value != "file" && value != "env":
		return fmt.Errorf("a secret is of the type file or env, not %q", value)
	}
	return nil
}
