package llbgen

import (
	"maps"
	"slices"
	"strings"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/frontend/dockerfile/command"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
)

// showTriggers puts the triggers of the unit's root as they stand in the file
// into its config.
func (b *build) showTriggers(u *unit, triggers []string) {
	at := 0
	for _, in := range u.root.Instructions {
		cmd, ok := in.Command.(*instructions.OnbuildCommand)
		if !ok || at == len(triggers) {
			continue
		}
		if in.Keyword == command.Arg {
			triggers[at] = cmd.Expression
		}
		triggers[at] = b.names.show(triggers[at])
		at++
	}
}

// describe puts the names and lines of the file into what a user sees of def.
func (b *build) describe(u *unit, def *llb.Definition) {
	for dgst, meta := range def.Metadata {
		changed := false
		var from origin
		if u.lowered.mounts || len(u.lowered.gates) > 0 {
			from = u.originOf(def.Source, dgst)
		}
		for key, text := range meta.Description {
			if from.in != nil && from.in.Mounts != nil {
				text = shortMounts(text, from.in.Mounts)
			}
			if gates := u.lowered.count[from.inst]; gates > 0 { // which are no steps
				text = lessSteps(text, gates)
			}
			shown, ok := u.lowered.froms[text]
			if !ok {
				shown = b.names.show(text)
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
			group.Name = b.names.show(group.Name)
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
	for dgst, list := range def.Source.Locations {
		asked := b.asked[u.originOf(def.Source, digest.Digest(dgst)).inst]
		var locations []*pb.Location
		for _, location := range list.Locations {
			found := u.lowered.locatePB(location.Ranges, index)
			if len(found) == 0 {
				found = []*pb.Location{{SourceIndex: location.SourceIndex}}
			}
			locations = append(locations, found...)
		}
		// instances of one stage come from the same lines
		list.Locations = slices.CompactFunc(locations, func(a, b *pb.Location) bool { return len(a.Ranges) > 0 && a.EqualVT(b) })
		for _, site := range asked {
			list.Locations = append(list.Locations, &pb.Location{SourceIndex: index(site.Text), Ranges: rangesPB(site.Ranges)})
		}
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
func (u *unit) originOf(source *pb.Source, vertex digest.Digest) origin {
	locations := source.GetLocations()[string(vertex)].GetLocations()
	if len(locations) == 0 || len(locations[0].Ranges) == 0 {
		return origin{}
	}
	o, _ := u.lowered.original(int(locations[0].Ranges[0].Start.Line))
	return o
}

// shortMounts puts the mounts of a RUN as written into the name of its vertex.
func shortMounts(name string, written []string) string {
	head, rest, ok := strings.Cut(name, "] RUN ")
	if !ok {
		return name
	}
	var flags []string
	for strings.HasPrefix(rest, "--") {
		flag, behind, _ := strings.Cut(rest, " ")
		if strings.HasPrefix(flag, "--mount=") && len(written) > 0 {
			flag, written = written[0], written[1:]
		}
		if flag != "" {
			flags = append(flags, flag)
		}
		rest = strings.TrimLeft(behind, " ")
	}
	return head + "] " + strings.Join(append(append([]string{"RUN"}, flags...), rest), " ")
}

// ignoreCache reports whether the build wants the stage of which a vertex with
// this name is part to be built anew. Upstream knows the stage by another name.
func (b *build) ignoreCache(vertex string) bool {
	stage, instruction, ok := strings.Cut(vertex, "] ")
	if !ok || !slices.ContainsFunc([]string{"RUN", "COPY", "ADD", "LINK"}, func(word string) bool { return strings.HasPrefix(instruction, word) }) {
		return false
	}
	number, ok := b.names.find(stage)
	inst := b.names.instances[number]
	return ok && inst != nil && inst.Stage.Name != "" && b.opt.Client != nil && b.opt.Client.IsNoCache(inst.Env.Prefix()+inst.Stage.Name)
}
