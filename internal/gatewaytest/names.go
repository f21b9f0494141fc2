package gatewaytest

import (
	"fmt"
	"iter"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/errdefs"
	"github.com/moby/buildkit/solver/pb"
)

// madeUp are what names have in them that a frontend makes up for its own use. A
// user must never see one, and no registry be asked for one.
var madeUp = []string{"s__", "stagecraft.invalid", "stagecraft-scratch"}

// Surprises returns what a user must never see of a run, from its result or
// error: names that the frontend made up, in any text that reaches a user, and
// look-ups of such a name, or of a stage's name as if it were an image.
func (c *Client) Surprises(res *client.Result, err error) []string {
	var out []string
	// one that a user wrote is the user's own
	names := slices.DeleteFunc(slices.Clone(madeUp), c.build.mentions)
	for where, text := range c.shown(res, err) {
		for _, name := range names {
			if at := strings.Index(text, name); at >= 0 {
				out = append(out, fmt.Sprintf("%s holds a made-up name: …%s…", where, text[max(0, at-60):min(len(text), at+60)]))
			}
		}
	}
	for _, ref := range c.lookedUp() {
		if !strings.HasPrefix(ref, "docker.io/library/") {
			continue
		}
		name := strings.TrimSuffix(strings.TrimPrefix(ref, "docker.io/library/"), ":latest")
		if c.build.onlyStage(name) {
			out = append(out, fmt.Sprintf("%s is looked up, which is a stage", ref))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// mentions reports whether a user wrote text somewhere.
func (b *Build) mentions(text string) bool {
	for _, files := range b.Files {
		for name, data := range files {
			if strings.Contains(name, text) || strings.Contains(data, text) {
				return true
			}
		}
	}
	for key, value := range b.Opts {
		if strings.Contains(key, text) || strings.Contains(value, text) {
			return true
		}
	}
	return false
}

// shown returns all texts that may reach a user, with where they stand.
func (c *Client) shown(res *client.Result, err error) iter.Seq2[string, string] {
	return func(yield func(where, text string) bool) {
		more := true
		show := func(where string, texts ...string) {
			for _, text := range texts {
				more = more && yield(where, text)
			}
		}
		info := func(where string, info *pb.SourceInfo) { show(where, info.GetFilename(), string(info.GetData())) }
		definition := func(def *pb.Definition) {
			for _, dt := range def.GetDef() {
				show("an op", string(dt))
			}
			for _, meta := range def.GetMetadata() {
				for _, text := range meta.GetDescription() {
					show("a vertex", text)
				}
				show("a vertex", meta.GetProgressGroup().GetName())
			}
			for _, source := range def.GetSource().GetInfos() {
				info("a source of a vertex", source)
			}
		}
		for _, req := range c.Solved {
			definition(req.Definition)
			for name, def := range req.FrontendInputs {
				show("an input", name)
				definition(def)
			}
			for key, value := range req.FrontendOpt {
				show("an option of another frontend", key, value)
			}
		}
		show("a look-up", c.Shown...)
		for call := range c.Calls {
			show("a look-up", call)
		}
		for _, w := range c.Warnings {
			show("a warning", w.Message, w.detail())
			info("the source of a warning", w.SourceInfo)
		}
		if err != nil {
			show("the error", err.Error())
			for _, s := range errdefs.Sources(err) {
				info("a source of the error", s.Info)
			}
		}
		if res == nil {
			return
		}
		for key, value := range res.Metadata {
			show("metadata", key, string(value))
		}
		for _, list := range res.Attestations {
			for _, a := range list {
				show("an attestation", fmt.Sprint(a.InToto, a.Metadata))
			}
		}
	}
}

// detail returns the details of a warning.
func (w Warning) detail() string {
	var out strings.Builder
	for _, line := range w.Detail {
		out.Write(append(line, '\n'))
	}
	return out.String()
}

// lookedUp returns the references of all images that were asked for or that an op
// pulls.
func (c *Client) lookedUp() []string {
	refs := map[string]bool{}
	for call := range c.Calls {
		if words := strings.Fields(call); len(words) > 1 && words[0] == "ResolveImageConfig" {
			refs[words[1]] = true
		}
	}
	for _, req := range c.Solved {
		if req.Definition == nil {
			continue
		}
		for _, dt := range req.Definition.Def {
			var op pb.Op
			if err := op.UnmarshalVT(dt); err != nil {
				continue
			}
			if ref, ok := strings.CutPrefix(op.GetSource().GetIdentifier(), "docker-image://"); ok {
				ref, _, _ = strings.Cut(ref, "@")
				refs[ref] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(refs))
}

// comment is one that is no extension.
var comment = regexp.MustCompile(`(?m)^[ \t]*#([^+\n].*)?$`)

// onlyStage reports whether name is that of a stage and nothing that the build has
// says that it may be an image too: it stands neither above the stage, as
// in FROM alpine AS alpine, nor in an option or a file without such a stage; and no
// FROM takes the name of the target, which upstream gives every file in TARGETSTAGE.
func (b *Build) onlyStage(name string) bool {
	if !b.named(name) || b.mentions("TARGETSTAGE") {
		return false
	}
	word := regexp.MustCompile(`(?i)(?:^|[^a-z0-9_.#-])` + regexp.QuoteMeta(name) + `(?:[^a-z0-9_.-]|$)`)
	stage := false
	for _, files := range b.Files {
		for _, text := range files {
			above, found := aboveStage(text, name)
			stage = stage || found
			if word.MatchString(comment.ReplaceAllString(above, "")) {
				return false
			}
		}
	}
	for key, value := range b.Opts {
		if key == "target" { // of which the values are the user's own
			_, value, _ = strings.Cut(value, "(")
		}
		if word.MatchString(key + " " + value) {
			return false
		}
	}
	return stage
}

// named reports whether there may be a stage of a name.
func (b *Build) named(name string) bool {
	for _, files := range b.Files {
		for _, text := range files {
			as := false
			for word := range strings.FieldsSeq(text) {
				if as && strings.EqualFold(word, name) {
					return true
				}
				as = strings.EqualFold(word, "as")
			}
		}
	}
	return false
}

// aboveStage returns what of a file stands above the first stage of a name, its FROM
// included but for the name; all of it when there is none.
func aboveStage(text, name string) (string, bool) {
	parsed, err := parser.Parse(strings.NewReader(text))
	if err != nil {
		return text, false
	}
	for _, node := range parsed.AST.Children {
		words := strings.Fields(node.Original)
		n := len(words)
		if !strings.EqualFold(node.Value, "from") || n < 4 || !strings.EqualFold(words[n-2], "as") || !strings.EqualFold(words[n-1], name) {
			continue
		}
		lines := strings.SplitAfter(text, "\n")
		return strings.Join(lines[:node.StartLine-1], "") + strings.Join(words[:n-2], " "), true
	}
	return text, false
}
