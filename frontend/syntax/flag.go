package syntax

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/command"
)

// ours are the flags that plain Dockerfiles lack, by instruction; every other
// instruction has --if alone.
var ours = map[string][]string{
	command.From:      {"--after", "--bake", "--max-size", "--mount", "--reset", "--squash", "--with", "--if"},
	command.Copy:      {"--if", "--if-exists", "--needed"},
	command.Add:       {"--from", "--if", "--if-exists"},
	command.Run:       {"--no-cache", "--if"},
	command.Env:       {"--from", "--file", "--if"},
	command.Label:     {"--from", "--file", "--if"},
	command.Arg:       {"--required", "--oneof", "--global", "--if"},
	ImportInstruction: {"--from", "--context", "--arg", "--if"},
}

// repeatable are the flags of which an instruction may have several.
var repeatable = []string{"--after", "--bake", "--mount", "--with", "--exclude", "--arg"}

// oursOf returns the flags of an instruction that plain Dockerfiles lack.
func oursOf(keyword string) []string {
	if list, ok := ours[keyword]; ok {
		return list
	}
	return []string{"--if"}
}

// read takes the line of the instruction apart, with the flags of comments and
// mounts in it.
func (in *Instruction) read() {
	r := readLine(in.Line, 0, in.file.Escape)
	in.keyword = r.keyword
	if in.OnBuild = strings.EqualFold(in.Line[r.keyword.Start:r.keyword.End], command.Onbuild); in.OnBuild {
		in.outer = r.flags
		r = readLine(in.Line, r.args.Start, in.file.Escape)
		in.keyword = r.keyword
	}
	in.Keyword = strings.ToLower(in.Line[in.keyword.Start:in.keyword.End])
	in.Flags, in.arguments, in.Arguments = r.flags, r.args, r.args.Start
	for _, f := range in.Flags {
		at := in.logical.offset(f.Span.Start, false)
		f.Commented = in.leadStart <= at && at < in.start
	}
}

// agree holds what was read of the instruction as it stands in the file against
// upstream's node.
func (in *Instruction) agree() error {
	r := readLine(in.logical.text, 0, in.file.Escape)
	if err := r.agree(in.logical.text, in.Node); err != nil {
		return err
	}
	if strings.EqualFold(in.Node.Value, command.Onbuild) && in.Node.Next != nil && len(in.Node.Next.Children) > 0 {
		return readLine(in.logical.text, r.args.Start, in.file.Escape).agree(in.logical.text, in.Node.Next.Children[0])
	}
	return nil
}

// scan finds the extensions in the flags of the instruction, and its references.
func (in *Instruction) scan() error {
	if in.OnBuild && in.Keyword == letInstruction {
		return errorAt(in.keyword.Start, in.keyword.End, "LET cannot be a trigger: write it into the stage, and ONBUILD ARG where the next build has a value")
	}
	if in.OnBuild && in.Keyword == unsetInstruction {
		return errorAt(in.keyword.Start, in.keyword.End, "UNSET cannot be a trigger: write it into the stage that is built FROM this one, or FROM --reset=ENV")
	}
	if in.OnBuild && (slices.Contains(ownWords[:], in.Keyword) || in.Keyword == mountInstruction || in.Keyword == ImportInstruction) {
		return errorAt(in.keyword.Start, in.keyword.End, "%s cannot be a trigger: write it into the file of the stage that is built FROM this one", strings.ToUpper(in.Keyword))
	}
	for _, f := range in.outer {
		if _, err := in.condition(f); err != nil {
			return err
		}
	}
	for _, f := range in.Flags {
		if in.superseded(f) {
			continue
		}
		if err := in.scanFlag(f); err != nil {
			return err
		}
	}
	if err := in.checkArguments(); err != nil {
		return err
	}
	if in.AddsFrom() || len(in.erased) > 0 || slices.ContainsFunc(in.References, (*Reference).Extends) {
		if err := in.unclosed(); err != nil {
			return err
		}
	}
	if in.AddsFrom() {
		if err := in.checkAddFrom(); err != nil {
			return err
		}
	}
	if in.Needed {
		if err := in.checkNeeded(); err != nil {
			return err
		}
	}
	if in.Keyword == command.From && in.arguments.Start < in.arguments.End {
		return in.scanBase()
	}
	return nil
}

// scanFlag reads one flag.
func (in *Instruction) scanFlag(f *Flag) error {
	if done, err := in.condition(f); done || err != nil {
		return err
	}
	switch {
	case f.Name == "--from" && copies(in.Keyword) && f.HasValue:
		return in.scanFrom(f)
	case f.Name == "--from" && in.Keyword == command.From && f.Commented:
		in.erase(f)
		return in.scanFrom(f)
	case f.Name == "--mount" && in.Keyword == command.Run && f.HasValue:
		return in.scanMount(f)
	case f.Name == "--mount" && in.Keyword == command.From:
		if !f.HasValue || f.Value == "" {
			return errorAt(f.Span.Start, f.Span.End, "--mount needs a mount: write --mount=name or --mount=type=cache,target=/path")
		}
		in.mountFlags = append(in.mountFlags, f.Raw)
		in.erase(f)
	case f.Name == "--after" && in.Keyword == command.From:
		in.erase(f)
		return in.scanList(f, func(ref *Reference) { ref.After = true })
	case f.Name == "--with" && in.Keyword == command.From:
		in.erase(f)
		return in.scanList(f, func(ref *Reference) { ref.With = true })
	case f.Name == "--reset" && in.Keyword == command.From:
		return in.scanReset(f)
	case f.Name == "--squash" && in.Keyword == command.From:
		in.SquashFlag = f.Span
		return in.scanSwitch(f, &in.Squash)
	case f.Name == "--max-size" && in.Keyword == command.From:
		return in.scanMaxSize(f)
	case f.Name == "--bake" && in.Keyword == command.From:
		return in.scanBake(f)
	case f.Name == "--needed" && in.Keyword == command.Copy:
		in.NeededFlag = f.Span
		return in.scanSwitch(f, &in.Needed)
	case f.Name == "--no-cache" && in.Keyword == command.Run:
		return in.scanNoCache(f)
	case isValuesFlag(f.Name) && in.OnBuild && (in.Keyword == command.Env || in.Keyword == command.Label):
		return errorAt(f.Span.Start, f.Span.End, "%s", noTrigger(strings.ToUpper(in.Keyword)))
	case in.Keyword == command.Arg:
		return in.scanArg(f)
	case f.Commented && in.ignoresFlags():
		return in.refuse(fmt.Errorf("unknown flag: %s", f.Name))
	}
	return nil
}

// ignoresFlags reports whether upstream takes any flag of the instruction and does
// nothing with it.
func (in *Instruction) ignoresFlags() bool {
	return in.Keyword == command.Arg || in.Keyword == command.Healthcheck && strings.EqualFold(in.Line[in.arguments.Start:in.arguments.End], "none")
}

func copies(keyword string) bool { return keyword == command.Copy || keyword == command.Add }

// erase takes a flag out of the plain form of the line.
func (in *Instruction) erase(f *Flag) {
	end := f.Span.End
	for end < len(in.Line) && isSpace(in.Line[end]) {
		end++
	}
	in.erased = append(in.erased, Span{f.Span.Start, end})
}

// flag returns the first flag of a name that is on the line itself, or in a
// comment above; nil for none.
func (in *Instruction) flag(name string, commented bool) *Flag {
	i := slices.IndexFunc(in.Flags, func(f *Flag) bool { return f.Name == name && f.Commented == commented })
	if i < 0 {
		return nil
	}
	return in.Flags[i]
}

// combine holds the flags of comments against those of the line and of each
// other: a reader of the line must not be misled.
func (in *Instruction) combine() error {
	for i, f := range in.Flags {
		if !f.Commented || slices.Contains(repeatable, f.Name) {
			continue
		}
		for _, other := range in.Flags[i+1:] {
			if other.Name != f.Name {
				continue
			}
			if other.Commented || f.Name != "--from" {
				return errorAt(f.Span.Start, f.Span.End, "%s stands on line %d too: leave one out", f.Name, in.Ranges(other.Span)[0].Start.Line)
			}
			if err := in.callsThat(f, other.Value); err != nil {
				return err
			}
		}
		if f.Name == "--from" && in.Keyword == command.From {
			base := in.Line[in.arguments.Start:in.arguments.End]
			if gap := spaces().FindStringIndex(base); gap != nil {
				base = base[:gap[0]]
			}
			if err := in.callsThat(f, base); err != nil {
				return err
			}
		}
	}
	return nil
}

// callsThat refuses a --from of a comment that is no call of what the line names.
func (in *Instruction) callsThat(f *Flag, name string) error {
	ref, err := in.reference(f)
	switch {
	case err != nil, ref.Call && strings.EqualFold(ref.Target, name):
		return err
	case strings.EqualFold(ref.Target, name):
		return errorAt(f.Span.Start, f.Span.End, "the line below names %s, and a comment may only call that: write #+ --from=%s(NAME=value)", name, name)
	}
	return errorAt(f.Span.Start, f.Span.End, "the line below names %s, and a comment may only call that: let both name %s", name, cmp.Or(ref.Target, "the same stage"))
}

// superseded reports whether the --from of a comment takes the place of a flag.
func (in *Instruction) superseded(f *Flag) bool {
	if f.Name != "--from" || f.Commented || in.flag("--from", true) == nil {
		return false
	}
	in.erase(f)
	return true
}

// scanArg reads a flag of an ARG.
func (in *Instruction) scanArg(f *Flag) error {
	if !slices.Contains(ours[command.Arg], f.Name) {
		// upstream does not look at flags here
		if err, ok := in.unknownFlag(fmt.Errorf("unknown flag: %s", f.Name)); ok {
			return in.refuse(err)
		}
		if f.Commented {
			return in.refuse(fmt.Errorf("unknown flag: %s", f.Name))
		}
		in.file.doubt(false, in.logical.offset(f.Span.Start, false), in.Line[f.Span.Start:f.Span.End], "%s on ARG does nothing: an ARG takes %s", f.Name, strings.Join(oursOf(command.Arg), ", "))
		return nil
	}
	if in.OnBuild {
		return errorAt(f.Span.Start, f.Span.End, "%s checks nothing in a trigger: put it on an ARG of the stage that needs the value", f.Name)
	}
	if in.Arg.Flags == (Span{}) {
		in.Arg.Flags = f.Span
	}
	switch f.Name {
	case "--required", "--global":
		if f.HasValue {
			return errorAt(f.Span.Start, f.Span.End, "%s takes no value", f.Name)
		}
		in.Arg.Required = in.Arg.Required || f.Name == "--required"
		in.Arg.Global = in.Arg.Global || f.Name == "--global"
	case "--oneof":
		if in.Arg.OneOf != nil {
			return errorAt(f.Span.Start, f.Span.End, "a second --oneof: write all values in one list")
		}
		if list, ok := strings.CutPrefix(f.Value, "["); ok && strings.HasSuffix(list, "]") && !f.isQuoted(0) {
			return errorAt(f.Span.Start, f.Span.End, "the values of --oneof stand without brackets: write --oneof=%s", strings.TrimSuffix(list, "]"))
		}
		for item := range strings.SplitSeq(f.Value, ",") {
			switch {
			case item == "":
				return errorAt(f.Span.Start, f.Span.End, "--oneof needs its values: write --oneof=dev,prod")
			case strings.Contains(item, "$"):
				return errorAt(f.Span.Start, f.Span.End, "--oneof lists the values themselves: a variable means nothing in it")
			}
			in.Arg.OneOf = append(in.Arg.OneOf, item)
		}
	}
	in.erase(f)
	return nil
}

// scanMaxSize reads the limit of a stage's size. What its variables stand for is known later.
func (in *Instruction) scanMaxSize(f *Flag) error {
	if in.MaxSize != "" {
		return errorAt(f.Span.Start, f.Span.End, "a second --max-size: write one")
	}
	if f.Value == "" {
		return errorAt(f.Span.Start, f.Span.End, "--max-size needs a size: write --max-size=20MB")
	}
	in.MaxSize, in.MaxSizeFlag = f.Value, f.Span
	in.erase(f)
	return nil
}

// scanNoCache reads the flag of a RUN that runs in every build.
func (in *Instruction) scanNoCache(f *Flag) error {
	if in.OnBuild {
		return errorAt(f.Span.Start, f.Span.End, "a trigger takes no --no-cache: the image that has it could not say so")
	}
	return in.scanSwitch(f, &in.NoCache)
}

// scanSwitch reads a flag that is true or false.
func (in *Instruction) scanSwitch(f *Flag, to *bool) error {
	*to = true
	if f.HasValue {
		on, err := strconv.ParseBool(f.Value)
		if err != nil {
			return errorAt(f.Span.Start, f.Span.End, "%s is true or false, not %q", f.Name, f.Value)
		}
		*to = on
	}
	in.erase(f)
	return nil
}

// checkAddFrom refuses what ADD --from cannot have.
func (in *Instruction) checkAddFrom() error {
	if in.OnBuild {
		return errorAt(in.keyword.Start, in.keyword.End, "ADD --from cannot be a trigger: write ONBUILD COPY --from")
	}
	in.unpacks = true
	for _, f := range in.Flags {
		switch f.Name {
		case "--checksum", "--keep-git-dir":
			return errorAt(f.Span.Start, f.Span.End, "%s is for sources from the network: leave it out beside --from", f.Name)
		case "--unpack":
			if f.HasValue {
				on, err := strconv.ParseBool(f.Value)
				if err != nil {
					return errorAt(f.Span.Start, f.Span.End, "--unpack is true or false, not %q", f.Value)
				}
				in.unpacks = on
			}
			in.erase(f)
		}
	}
	return nil
}

// checkNeeded refuses what COPY --needed cannot have.
func (in *Instruction) checkNeeded() error {
	at := func(format string, args ...any) error {
		return errorAt(in.NeededFlag.Start, in.NeededFlag.End, format, args...)
	}
	if in.OnBuild {
		return at("COPY --needed cannot be a trigger: write it into the stage")
	}
	if len(in.References) == 0 {
		return at("COPY --needed looks for libraries in the tree that it copies from: write --from=build")
	}
	for _, f := range in.Flags {
		switch f.Name {
		case "--link", "--parents", "--exclude", "--if-exists":
			return errorAt(f.Span.Start, f.Span.End, "%s cannot stand beside --needed: write a COPY of its own", f.Name)
		}
	}
	return nil
}
