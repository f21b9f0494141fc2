package frontend

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/report"
	"github.com/stagecraft-build/stagecraft/frontend/source"
)

// bakeResources are the keys of the attribute resources, by the option that clients send.
var bakeResources = map[string]string{
	"memory": "memory", "memswap": "memory-swap", "cpushares": "cpu-shares", "cpuperiod": "cpu-period",
	"cpuquota": "cpu-quota", "cpusetcpus": "cpuset-cpus", "cpusetmems": "cpuset-mems",
}

// bakeAttributes returns the attributes of all targets that the command line gives, as
// far as a frontend gets to know it: not tags, outputs, secrets, SSH sockets, caches and
// attestations.
func (q *query) bakeAttributes(targets []report.BakeTarget) (map[string]any, error) {
	opts := q.client.BuildOpts().Opts
	if opts["cgroup-parent"] != "" {
		return nil, fmt.Errorf("a bake file has no word for --cgroup-parent: leave it out")
	}
	out := map[string]any{}
	put := func(attribute, name string, value any) error {
		m, _ := out[attribute].(map[string]any)
		if m == nil {
			m = map[string]any{}
		}
		if _, ok := m[name]; ok {
			return fmt.Errorf("a bake file has one value for each of %s: %s has several", attribute, name)
		}
		m[name] = value
		out[attribute] = m
		return nil
	}
	for _, key := range slices.Sorted(maps.Keys(opts)) {
		value := opts[key]
		if name, ok := bakeResources[key]; ok {
			_ = put("resources", name, value) // each key once
			continue
		}
		if name, ok := strings.CutPrefix(key, "label:"); ok {
			_ = put("labels", name, value)
			continue
		}
		if name, ok := strings.CutPrefix(key, "context:"); ok && !strings.HasPrefix(name, "stagecraft-") { // which are ours
			context, err := q.bakeContext(name, value, targets)
			if err != nil {
				return nil, err
			}
			if context != nil {
				_ = put("contexts", name, context)
			}
			continue
		}
		switch key {
		case "force-network-mode":
			out["network"] = value
		case "shm-size":
			out["shm-size"] = value
		case "ulimit":
			out["ulimits"] = strings.Split(value, ",")
		case "add-hosts":
			for entry := range strings.SplitSeq(value, ",") {
				name, address, _ := strings.Cut(entry, "=")
				if err := put("extra-hosts", name, address); err != nil {
					return nil, err
				}
			}
		case "no-cache":
			if value == "" {
				out["no-cache"] = true
			} else {
				out["no-cache-filter"] = strings.Split(value, ",")
			}
		case "image-resolve-mode":
			if value == "pull" {
				out["pull"] = true
			}
		}
	}
	return out, nil
}

// bakeContext returns the address of a named context; nil when the targets give it.
func (q *query) bakeContext(name, value string, targets []report.BakeTarget) (any, error) {
	opts := q.client.BuildOpts().Opts
	kind, rest, _ := strings.Cut(value, ":")
	switch kind {
	case "input": // which the client made of a URL
		if url := opts["input:context:"+name]; url != "" {
			return source.WithoutCredentials(url), nil
		}
	case "local":
		if opts[keyLocalDir+rest] != "" && opts[keyLocalDir+keyContext] != "" {
			return q.folder(rest), nil
		}
	case "oci-layout": // the path has become the name of a store
	default:
		return source.WithoutCredentials(value), nil
	}
	for _, t := range targets {
		if !t.Gives("contexts." + name) {
			return nil, diagnostic.Errorf(t.Plans[0].Root.From.Lines(), "docker build does not say where the named context %s is: write --bake=contexts.%s=… on this FROM", name, name)
		}
	}
	return nil, nil
}
