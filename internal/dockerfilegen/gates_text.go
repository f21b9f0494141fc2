package dockerfilegen

import (
	"fmt"
	"strings"
)

// text writes a file.
func (g *gates) text(file int) string {
	var out strings.Builder
	for _, s := range g.files[file] {
		out.WriteString("FROM ")
		if s.pinned {
			out.WriteString("--platform=$BUILDPLATFORM ")
		}
		if s.limit != "" {
			fmt.Fprintf(&out, "--max-size=%s ", s.limit)
		}
		for _, ref := range s.after {
			fmt.Fprintf(&out, "--after=%s ", ref.text(s))
		}
		base := "scratch"
		switch {
		case s.image != "":
			base = s.image
		case s.base != nil:
			base = s.base.text(s)
		}
		fmt.Fprintf(&out, "%s AS %s\n", base, s.name)
		for _, ref := range s.triggers {
			fmt.Fprintf(&out, "ONBUILD COPY --from=%s / /t/\n", ref.text(s))
		}
		if s.trigger {
			fmt.Fprintf(&out, "ONBUILD RUN step t%s\n", s.name)
		}
		if s.takes {
			out.WriteString("ARG V=0\n")
		}
		for i, ref := range s.copies {
			fmt.Fprintf(&out, "COPY --from=%s / /c%d/\n", ref.text(s), i)
		}
		if s.values != nil {
			fmt.Fprintf(&out, "LABEL --from=%s path=$PATH\n", s.values.text(s))
		}
		if s.runs {
			mount := ""
			if s.mount != nil {
				mount = "--mount=from=" + s.mount.text(s) + ",target=/m "
			}
			fmt.Fprintf(&out, "RUN %sstep %s $V\n", mount, s.name)
		}
	}
	return out.String()
}

// text writes a reference of s.
func (ref *gatedRef) text(s *gatedStage) string {
	name := ref.to.name
	if ref.to.file != s.file {
		name = []string{"sh.", "lib.", ""}[ref.to.file] + name
	}
	if !ref.call {
		return name
	}
	set := func(values []string) string {
		if len(values) == 1 {
			return values[0]
		}
		return "[" + strings.Join(values, ",") + "]"
	}
	var bindings []string
	if len(ref.values) > 0 {
		bindings = append(bindings, "V="+set(ref.values))
	}
	if len(ref.platforms) > 0 {
		bindings = append(bindings, "TARGETPLATFORM="+set(ref.platforms))
	}
	return name + "(" + strings.Join(bindings, ",") + ")"
}
