package llbgen

import (
	"maps"
	"slices"
	"strings"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/frontend/dockerfile/command"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/plan"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
	"github.com/stagecraft-build/stagecraft/llbgen/lower"
)

// showTriggers puts the triggers of the unit's root as they stand in the file
// into its config.
func (b *build) showTriggers(u *unit, triggers []string) {
	at := 0
	for _, in := range u.Root.Instructions {
		cmd, ok := in.Command.(*instructions.OnbuildCommand)
		if !ok || at == len(triggers) {
			continue
		}
		if in.Keyword == command.Arg {
			triggers[at] = cmd.Expression
		}
		triggers[at] = b.names.Show(triggers[at])
		at++
	}
}

// describe puts the names and lines of the file into what a user sees of def.
func (b *build) describe(u *unit, def *llb.Definition) {
	for dgst, meta := range def.Metadata {
		changed := false
		from := u.originOf(def.Source, dgst)
		for key, text := range meta.Description {
			if from.In != nil && from.In.Mounts != nil {
				text = shortMounts(text, from.In, envOf(def, dgst))
			}
			if from.Arguments != nil {
				text = withArguments(text, from)
			}
			if from.In != nil && from.In.Needed {
				text = strings.Replace(text, "] COPY ", "] COPY --needed ", 1)
			}
			if from.Shown != "" {
				text = strings.Replace(text, " --from="+from.From+" ", " --from="+from.Shown+" ", 1)
			}
			if u.file.Gates.Any() {
				text = u.withoutGates(text, def.Source, dgst)
			}
			text = b.ofWholeStage(u, text)
			if _, rest, ok := strings.Cut(text, "] FROM "); ok && u.Root.Bare && !u.Root.Goes { // an image that is no stage
				text = "FROM " + rest
			}
			shown, ok := u.file.ShownFrom(text)
			if !ok {
				shown = b.names.Show(text)
			}
			if shown == meta.Description[key] {
				continue
			}
			meta.IgnoreCache = meta.IgnoreCache || !ok && b.ignoreCache(text)
			if !changed { // ops may share it
				meta.Description, changed = maps.Clone(meta.Description), true
			}
			meta.Description[key] = shown
		}
		if group := meta.ProgressGroup; group != nil {
			group = group.CloneVT()
			group.Name = b.names.Show(group.Name)
			meta.ProgressGroup, changed = group, true
		}
		if changed {
			def.Metadata[dgst] = meta
		}
	}
	if def.Source == nil {
		return
	}
	index := b.indexIn(def.Source)
	callers := map[*plan.Instance][]*pb.Location{}
	for dgst, list := range def.Source.Locations {
		inst := u.originOf(def.Source, digest.Digest(dgst)).Instance
		var locations []*pb.Location
		for _, location := range list.Locations {
			found := u.locate(location.Ranges, index)
			if len(found) == 0 {
				found = []*pb.Location{{SourceIndex: location.SourceIndex}}
			}
			locations = append(locations, found...)
		}
		// instances of one stage come from the same lines
		list.Locations = slices.CompactFunc(locations, func(a, b *pb.Location) bool { return len(a.Ranges) > 0 && a.EqualVT(b) })
		if _, ok := callers[inst]; !ok {
			callers[inst] = nil
			for _, site := range b.calls.of(inst) {
				callers[inst] = append(callers[inst], &pb.Location{SourceIndex: index(site.Text), Ranges: rangesPB(site.Ranges)})
			}
		}
		list.Locations = append(list.Locations, callers[inst]...)
	}
}

// indexIn numbers the files of the build among those of a source, which starts
// with the main file; one that is not there is added.
func (b *build) indexIn(source *pb.Source) func(*diagnostic.Text) int32 {
	known := map[*diagnostic.Text]int32{}
	return func(text *diagnostic.Text) int32 {
		if i, ok := known[text]; ok {
			return i
		}
		i := int32(0)
		if sm := b.sourceMap(text); sm != nil {
			i = int32(len(source.Infos))
			source.Infos = append(source.Infos, &pb.SourceInfo{Data: sm.Data, Filename: sm.Filename, Language: sm.Language, Definition: sm.Definition.ToPB()})
		}
		known[text] = i
		return i
	}
}

// originOf returns what a vertex comes from; nothing for one without a place.
// Locations in source are those of the lowered text.
func (u *unit) originOf(source *pb.Source, vertex digest.Digest) lower.Origin {
	locations := source.GetLocations()[string(vertex)].GetLocations()
	if len(locations) == 0 || len(locations[0].Ranges) == 0 {
		return lower.Origin{}
	}
	o, _ := u.file.Of(int(locations[0].Ranges[0].Start.Line))
	return o
}

// withoutGates takes the steps that stand for gates out of the number of steps in the
// name of a vertex. One that several stages share has the name of one of them.
func (u *unit) withoutGates(name string, source *pb.Source, vertex digest.Digest) string {
	head, _, ok := strings.Cut(name, "] ")
	if !ok {
		return name
	}
	words := strings.Fields(head)
	for _, location := range source.GetLocations()[string(vertex)].GetLocations() {
		for _, r := range location.Ranges {
			o, ok := u.file.Of(int(r.Start.Line))
			if ok && o.Instance != nil && len(words) > 1 && strings.TrimPrefix(words[len(words)-2], "[") == u.StageName(o.Instance) {
				return lessSteps(name, u.file.Gates.Steps(o.Instance))
			}
		}
	}
	return name
}

// shortMounts puts the mounts of a RUN as written into the name of its vertex. env are the
// variables that upstream has put into it: a flag may have spaces from them.
func shortMounts(name string, in *syntax.Instruction, env []string) string {
	head, rest, ok := strings.Cut(name, "] RUN ")
	if !ok {
		return name
	}
	lex := shell.NewLex(in.File().Escape)
	lex.RawQuotes, lex.RawEscapes, lex.SkipUnsetEnv = true, true, true // as upstream has it here
	written := in.Mounts
	words := []string{"RUN"}
	for _, text := range in.PlainFlags(func(*syntax.Reference) string { return "x" }) {
		spaces := strings.Count(text, " ")
		if expanded, _, err := lex.ProcessWord(text, shell.EnvsFromSlice(env)); err == nil {
			spaces = strings.Count(expanded, " ")
		}
		flag := ""
		flag, rest = cutWords(strings.TrimLeft(rest, " "), spaces+1)
		if strings.HasPrefix(text, "--mount=") && len(written) > 0 {
			flag, written = written[0], written[1:]
		}
		if flag != "" {
			words = append(words, flag)
		}
	}
	return head + "] " + strings.Join(append(words, strings.TrimLeft(rest, " ")), " ")
}

// cutWords cuts a text behind its first n words.
func cutWords(text string, n int) (before, behind string) {
	at := 0
	for ; n > 0; n-- {
		i := strings.IndexByte(text[at:], ' ')
		if i < 0 {
			return text, ""
		}
		at += i + 1
	}
	return text[:at-1], text[at:]
}

// withArguments puts the arguments of a COPY from a call into the name of its vertex: in
// the text they are escaped, as JSON where they have to be.
func withArguments(name string, from lower.Origin) string {
	head, rest, ok := strings.Cut(name, "] COPY ")
	if !ok {
		return name
	}
	flags, _ := cutWords(rest, len(from.In.PlainFlags(func(*syntax.Reference) string { return "x" })))
	return head + "] COPY " + flags + " " + strings.Join(from.Arguments, " ")
}

// envOf returns the environment of a vertex that runs a program.
func envOf(def *llb.Definition, vertex digest.Digest) []string {
	for _, dt := range def.Def {
		if digest.FromBytes(dt) != vertex {
			continue
		}
		var op pb.Op
		if err := op.UnmarshalVT(dt); err == nil {
			return op.GetExec().GetMeta().GetEnv()
		}
	}
	return nil
}

// ignoreCache reports whether the build wants the stage of which a vertex with
// this name is part to be built anew. Upstream knows the stage by another name.
func (b *build) ignoreCache(vertex string) bool {
	stage, instruction, ok := strings.Cut(vertex, "] ")
	if !ok || !slices.ContainsFunc([]string{"RUN", "COPY", "ADD", "LINK"}, func(word string) bool { return strings.HasPrefix(instruction, word) }) {
		return false
	}
	return b.noCache(b.names.Find(stage))
}

// noCache reports whether the build wants a stage to be built anew: a name means
// every stage of that name, and the one that the progress shows with it.
func (b *build) noCache(inst *plan.Instance) bool {
	if inst == nil || inst.Stage.Name == "" || b.opt.Client == nil {
		return false
	}
	return b.opt.Client.IsNoCache(inst.Stage.Name) || b.opt.Client.IsNoCache(inst.Env.Prefix()+inst.Stage.Name)
}
