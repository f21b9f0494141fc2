package llbgen

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"

	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

// cloneImage returns an image that changes without src.
func cloneImage(src *dockerspec.DockerOCIImage) *dockerspec.DockerOCIImage {
	img := *src
	img.History = slices.Clone(src.History)
	img.RootFS.DiffIDs = slices.Clone(src.RootFS.DiffIDs)
	c := &img.Config
	c.Env, c.OnBuild = slices.Clone(c.Env), slices.Clone(c.OnBuild)
	c.Labels, c.Volumes, c.ExposedPorts = maps.Clone(c.Labels), maps.Clone(c.Volumes), maps.Clone(c.ExposedPorts)
	return &img
}

// takeAway takes a part out of an image config. It returns the names of u that mean nothing
// there; the part itself where there is none.
func takeAway(c *dockerspec.DockerOCIImageConfig, u syntax.Unset) (missing []string) {
	had := true
	switch u.Of {
	case "ENV":
		var names []string
		for _, kv := range c.Env {
			name, _, _ := strings.Cut(kv, "=")
			names = append(names, name)
		}
		missing = notAmong(u, names)
		c.Env = slices.DeleteFunc(c.Env, func(kv string) bool {
			name, _, _ := strings.Cut(kv, "=")
			return u.Takes(name)
		})
	case "LABEL":
		missing = takeNames(c.Labels, u)
		c.Labels = orNil(c.Labels)
	case "VOLUME":
		missing = takeNames(c.Volumes, u)
		c.Volumes = orNil(c.Volumes)
	case "EXPOSE":
		missing = takePorts(c.ExposedPorts, u)
		c.ExposedPorts = orNil(c.ExposedPorts)
	case "ENTRYPOINT":
		had, c.Entrypoint = c.Entrypoint != nil, nil
	case "CMD":
		had, c.Cmd, c.ArgsEscaped = c.Cmd != nil, nil, false //nolint:staticcheck // it is part of CMD
	case "HEALTHCHECK":
		had, c.Healthcheck = c.Healthcheck != nil, nil
	case "USER":
		had, c.User = c.User != "", ""
	case "WORKDIR":
		had, c.WorkingDir = c.WorkingDir != "" && c.WorkingDir != "/", "/"
	case "STOPSIGNAL":
		had, c.StopSignal = c.StopSignal != "", ""
	case "SHELL":
		had, c.Shell = c.Shell != nil, nil
	case "ONBUILD":
		had, c.OnBuild = c.OnBuild != nil, nil
	}
	if !had {
		return []string{u.Of}
	}
	return missing
}

func orNil[V any](m map[string]V) map[string]V {
	if len(m) == 0 {
		return nil
	}
	return m
}

// takeNames takes the names of u out of a map.
func takeNames[V any](from map[string]V, u syntax.Unset) []string {
	missing := notAmong(u, slices.Collect(maps.Keys(from)))
	maps.DeleteFunc(from, func(name string, _ V) bool { return u.Takes(name) })
	return missing
}

// notAmong returns the names of u that mean none of some names; the part itself where all are
// meant and there are none.
func notAmong(u syntax.Unset, names []string) (missing []string) {
	if len(u.Names) == 0 && len(names) == 0 {
		return []string{u.Of}
	}
	for _, w := range u.Names {
		if !slices.ContainsFunc(names, w.Matches) {
			missing = append(missing, w.Text)
		}
	}
	return missing
}

// takePorts takes ports out of a map, which has each with its protocol.
func takePorts(from map[string]struct{}, u syntax.Unset) (missing []string) {
	if len(u.Names) == 0 {
		return takeNames(from, u)
	}
	for _, w := range u.Names {
		var taken []string
		for port := range from {
			if isPort(w, port) {
				taken = append(taken, port)
			}
		}
		if len(taken) == 0 && !slices.Contains(missing, w.Text) {
			missing = append(missing, w.Text)
		}
		for _, port := range taken {
			delete(from, port)
		}
	}
	return missing
}

// isPort reports whether a word, a port, a range of them or a glob, means a port of a config.
func isPort(w syntax.Word, port string) bool {
	ports, protocol, given := strings.Cut(w.Text, "/")
	if !given {
		protocol = "tcp"
	}
	number, of, _ := strings.Cut(port, "/")
	if first, last, ok := strings.Cut(ports, "-"); ok {
		low, err := strconv.ParseUint(first, 10, 16)
		high, err2 := strconv.ParseUint(last, 10, 16)
		n, err3 := strconv.ParseUint(number, 10, 16)
		if err == nil && err2 == nil && err3 == nil {
			return low <= n && n <= high && syntax.Word{Text: strings.ToLower(protocol)}.Matches(of)
		}
	}
	return syntax.Word{Text: ports + "/" + strings.ToLower(protocol)}.Matches(port)
}
