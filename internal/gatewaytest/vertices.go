package gatewaytest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"
)

// Vertices tells what a user sees of a definition: for each vertex its name, the
// vertices that it needs, the lines that it comes from, and what of its
// operation the name does not say. Numbers are those of the order in def.
func Vertices(def *pb.Definition) (string, error) {
	var out strings.Builder
	numbers := map[string]int{}
	for i, dt := range def.Def {
		var op pb.Op
		if err := op.UnmarshalVT(dt); err != nil {
			return "", err
		}
		if op.Op == nil {
			break // the last one names the result
		}
		dgst := digest.FromBytes(dt).String()
		if other, twice := numbers[dgst]; twice {
			return "", fmt.Errorf("vertices %d and %d are the same", other, i+1)
		}
		numbers[dgst] = i + 1
		name := def.Metadata[dgst].GetDescription()["llb.customname"]
		fmt.Fprintf(&out, "%d %s", i+1, cmp.Or(name, op.GetSource().GetIdentifier(), "(no name)"))
		var needs []string
		for _, in := range op.Inputs {
			needs = append(needs, fmt.Sprint(numbers[in.Digest]))
		}
		if len(needs) > 0 {
			fmt.Fprintf(&out, " ← %s", strings.Join(needs, " "))
		}
		fmt.Fprintf(&out, "%s\n", linesOf(def, dgst))
		for _, detail := range details(&op) {
			fmt.Fprintf(&out, "    %s\n", detail)
		}
		if def.Metadata[dgst].GetIgnoreCache() {
			out.WriteString("    no cache\n")
		}
	}
	return out.String(), nil
}

// linesOf returns the file's lines of a vertex.
func linesOf(def *pb.Definition, dgst string) string {
	if def.Source == nil {
		return ""
	}
	var parts []string
	for _, loc := range def.Source.Locations[dgst].GetLocations() {
		for _, r := range loc.Ranges {
			text := fmt.Sprintf("%s:%d", def.Source.Infos[loc.SourceIndex].Filename, r.Start.Line)
			if r.End.Line != r.Start.Line {
				text += fmt.Sprintf("-%d", r.End.Line)
			}
			parts = append(parts, text)
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

// details returns what of an operation tests look at.
func details(op *pb.Op) []string {
	var out []string
	if source := op.GetSource(); source != nil {
		if image := strings.HasPrefix(source.Identifier, "docker-image://") || strings.HasPrefix(source.Identifier, "oci-layout://"); image && op.Platform != nil {
			out = append(out, strings.Join(slices.DeleteFunc([]string{op.Platform.OS, op.Platform.Architecture, op.Platform.Variant}, func(s string) bool { return s == "" }), "/"))
		}
		for _, attr := range []string{pb.AttrHTTPChecksum, pb.AttrGitChecksum, pb.AttrGitFetchByCommit} {
			if value, ok := source.Attrs[attr]; ok {
				out = append(out, fmt.Sprintf("%s %s=%s", source.Identifier, attr, value))
			}
		}
		if paths, ok := source.Attrs[pb.AttrFollowPaths]; ok && strings.HasPrefix(source.Identifier, "local://") {
			out = append(out, "paths "+paths)
		}
	}
	if exec := op.GetExec(); exec != nil {
		env := slices.DeleteFunc(slices.Clone(exec.Meta.Env), func(kv string) bool { return strings.HasPrefix(kv, "PATH=") })
		out = append(out, "run "+strings.Join(exec.Meta.Args, " "))
		if len(env) > 0 {
			out = append(out, "env "+strings.Join(env, " "))
		}
		for _, m := range exec.Mounts {
			if m.Dest != "/" {
				out = append(out, fmt.Sprintf("mount %s %s %s", strings.ToLower(m.MountType.String()), m.Dest, m.Selector))
			}
		}
	}
	for _, action := range op.GetFile().GetActions() {
		if c := action.GetCopy(); c != nil {
			text := fmt.Sprintf("copy %s → %s", c.Src, c.Dest)
			if c.AttemptUnpackDockerCompatibility {
				text += " (unpacked)"
			}
			out = append(out, text)
		}
	}
	return out
}
