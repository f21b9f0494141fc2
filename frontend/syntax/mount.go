package syntax

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/command"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/util/suggest"

	"github.com/stagecraft-build/stagecraft/internal/pattern"
)

// mountInstruction names a mount: MOUNT name type=cache,target=/x.
const mountInstruction = "mount"

// mounts are the named mounts at a line of a file. A RUN is read with the mounts
// that it names written out, each part of the line knowing where it stands.
type mounts struct {
	// global are those before the first FROM, stage those of the stage so far,
	// which come first.
	global, stage map[string]mount
	inStage       bool
	// every are those that each RUN of the stage has: FROM --mount.
	every []mount
	// imported returns a mount of an imported file.
	imported func(im *Import, name string) (string, error)
}

// mount is a mount and where it stands.
type mount struct {
	spec logicalLine
	line int
}

func newMounts(imported func(*Import, string) (string, error)) *mounts {
	if imported == nil {
		imported = func(*Import, string) (string, error) { return "", errors.New("no file can be imported here") }
	}
	return &mounts{global: map[string]mount{}, imported: imported}
}

// clone returns the mounts as they are at this line.
func (m *mounts) clone() *mounts {
	out := *m
	out.global, out.stage, out.every = maps.Clone(m.global), maps.Clone(m.stage), slices.Clone(m.every)
	return &out
}

// from starts a stage, whose RUNs have the mounts that its FROM asks for.
func (m *mounts) from(in *Instruction) error {
	m.stage, m.inStage, m.every = map[string]mount{}, true, nil
	for _, span := range in.mountFlags {
		value := in.logical.slice(span.Start, span.End)
		list, err := m.find(in, value)
		if err != nil {
			return err
		}
		m.every = append(m.every, list...)
	}
	return nil
}

// find returns the mounts that the value of a --mount means: itself, or those
// that it names.
func (m *mounts) find(in *Instruction, value logicalLine) ([]mount, error) {
	if strings.Contains(value.text, "=") {
		first, _, more := strings.Cut(value.text, ",")
		if _, named := m.named(first); named && more {
			return nil, in.file.errorAt(value.offset(0, false), value.offset(len(value.text), true), "%s is a named mount and takes no options here: write --mount=%s, or a full mount", first, first)
		}
		return []mount{{spec: value}}, nil
	}
	var out []mount
	at := 0
	for name := range strings.SplitSeq(value.text, ",") {
		found, ok := m.named(name)
		if im, inner := in.file.imports(name); !ok && im != nil {
			spec, err := "", error(nil)
			if im.IsData() {
				err = fmt.Errorf("%s is data, which has no mounts", im.Written)
			} else {
				spec, err = m.imported(im, inner)
			}
			if err != nil {
				return nil, in.file.errorAt(value.offset(at, false), value.offset(at+len(name), true), "%w", err)
			}
			found, ok = mount{line: in.StartLine}, true
			for i := range len(spec) { // all of it stands at the name
				found.spec.add(spec[i:i+1], value.offset(at, false))
			}
			place := in.file.span(value.offset(at, false), value.offset(at+len(name), true))
			if err := in.file.lend(im, name, spec, place); err != nil {
				return nil, err
			}
		}
		if !ok {
			err := m.unknown(name)
			if line := in.file.mountBelow(name, in.end); line > 0 {
				err = fmt.Errorf("MOUNT %s stands on line %d, below: a mount stands above what uses it", name, line)
			}
			return nil, in.file.errorAt(value.offset(at, false), value.offset(at+len(name), true), "%w", err)
		}
		out = append(out, found)
		at += len(name) + 1
	}
	return out, nil
}

// named returns the mount of a name: that of the stage comes first.
func (m *mounts) named(name string) (mount, bool) {
	found, ok := m.stage[name]
	if !ok {
		found, ok = m.global[name]
	}
	return found, ok
}

// imports returns the import that a name with a dot starts with, and the rest.
func (f *File) imports(name string) (*Import, string) {
	alias, inner, ok := strings.Cut(name, ".")
	if !ok {
		return nil, ""
	}
	for _, im := range f.Imports {
		if im.Alias == strings.ToLower(alias) {
			return im, inner
		}
	}
	return nil, ""
}

// mountLine finds the lines of MOUNTs, and the name in each.
var mountLine = pattern.New(`(?mi)^[ \t]*(?:#\+[ \t]+)?MOUNT[ \t]+(\S+)[ \t]`)

// mountBelow returns the line of a MOUNT of a name that stands behind an offset; 0 for none.
func (f *File) mountBelow(name string, from int) int {
	for _, found := range mountLine().FindAllStringSubmatchIndex(f.text[from:], -1) {
		if strings.EqualFold(f.text[from+found[2]:from+found[3]], name) {
			return f.index.position(from + found[0]).Line
		}
	}
	return 0
}

func (m *mounts) unknown(name string) error {
	var names []string
	for known := range m.stage {
		names = append(names, known)
	}
	for known := range m.global {
		names = append(names, known)
	}
	slices.Sort(names)
	err := fmt.Errorf("no MOUNT above names %q", name)
	if ok, err := suggest.WrapErrorMaybe(err, name, names, true); ok {
		return err
	}
	if len(names) == 0 {
		return fmt.Errorf("%w: write MOUNT %s type=cache,target=/path, or a full mount", err, name)
	}
	return fmt.Errorf("%w (there are %s)", err, strings.Join(names, ", "))
}

// define reads a MOUNT, which stands in line.
func (m *mounts) define(f *File, line logicalLine) error {
	at := func(from, to int, format string, args ...any) error {
		return f.errorAt(line.offset(from, false), line.offset(to, true), format, args...)
	}
	r := readLine(line.text, 0, f.Escape)
	if len(r.flags) > 0 {
		flag := r.flags[0]
		if flag.Name == "--if" {
			return at(flag.Span.Start, flag.Span.End, "MOUNT takes no --if: put it on the instruction that uses the mount")
		}
		return at(flag.Span.Start, flag.Span.End, "MOUNT takes no flags: write MOUNT gocache type=cache,target=/root/.cache")
	}
	start := r.args.Start
	nameEnd := start
	for nameEnd < r.args.End && !isSpace(line.text[nameEnd]) {
		nameEnd++
	}
	name := line.text[start:nameEnd]
	if name == "" || strings.ContainsAny(name, "=,\"'") {
		return at(0, max(nameEnd, 1), "MOUNT needs a name and a mount: write MOUNT gocache type=cache,target=/root/.cache")
	}
	if bare, ok := strings.CutSuffix(name, ":"); ok {
		return at(start, nameEnd, "%q cannot be the name of a mount: write MOUNT %s, without the colon", name, bare)
	}
	rest := trim(line.text, Span{nameEnd, r.args.End})
	specStart := rest.Start
	spec := fields(line.slice(rest.Start, rest.End))
	if spec.text == "" {
		return at(start, nameEnd, "MOUNT %s has no mount: write MOUNT %s type=cache,target=/root/.cache", name, name)
	}
	flag := readFlag("--mount="+spec.text, 0, f.Escape)
	if open := flag.open - len("--mount="); open >= 0 {
		at := spec.offset(open, false)
		return f.errorAt(at, at+1, "MOUNT %s: the %c is not closed", name, spec.text[open])
	}
	if flag.Span.End < len("--mount=")+len(spec.text) {
		end := flag.Span.End - len("--mount=")
		more := spec.slice(end, len(spec.text))
		from := more.offset(len(more.text)-len(strings.TrimLeft(more.text, " \t")), false)
		what := "write them into the mount, with commas"
		switch word := strings.TrimSpace(more.text); {
		case strings.HasPrefix(word, "#"):
			what = "a remark stands in a line of its own"
		case strings.HasPrefix(word, "--if="):
			what = "MOUNT takes no --if, put it on the instruction that uses the mount"
		case strings.HasPrefix(word, "--"):
			what = "MOUNT takes no flags, leave them out"
			option := strings.TrimLeft(strings.Fields(word)[0], "-")
			whole := spec.slice(0, end)
			whole.add(","+option, from)
			if f.tryMount(whole) == nil {
				what = "an option stands in the mount, write " + whole.text
			}
		}
		return f.errorAt(from, spec.offset(len(spec.text), true), "MOUNT %s ends with its mount, and more words follow: %s", name, what)
	}
	scope := m.global
	if m.inStage {
		scope = m.stage
	}
	number := f.index.position(line.offset(0, false)).Line
	if other, twice := scope[name]; twice {
		return at(start, nameEnd, "MOUNT %s stands on line %d already", name, other.line)
	}
	if err := f.tryMount(spec); err != nil {
		return at(specStart, len(line.text), "MOUNT %s: %w", name, err)
	}
	scope[name] = mount{spec, number}
	return nil
}

// fields drops the spaces behind commas: the fields of a mount may stand in
// lines of their own.
func fields(spec logicalLine) logicalLine {
	var out logicalLine
	from := 0
	for i := 0; i < len(spec.text); i++ {
		if spec.text[i] != ',' {
			continue
		}
		out.append(spec.slice(from, i+1))
		for from = i + 1; from < len(spec.text) && isSpace(spec.text[from]); from++ {
			i++
		}
	}
	out.append(spec.slice(from, len(spec.text)))
	return out
}

// tryMount has upstream read a mount.
func (f *File) tryMount(spec logicalLine) error {
	_, err := f.readMount(spec)
	return err
}

// readMount returns a mount as upstream reads it; of one with variables little is
// known.
func (f *File) readMount(spec logicalLine) (*instructions.Mount, error) {
	in := &Instruction{file: f, StartLine: 1, EndLine: 1, Node: &parser.Node{}}
	in.logical.add("RUN --mount=", 0)
	in.logical.append(spec)
	in.logical.add(" :", 0)
	in.Line = in.logical.text
	in.read()
	err := in.scan()
	if err == nil {
		err = (&File{Escape: f.Escape, index: f.index}).reparse([]*Instruction{in})
	}
	var cmd any
	if err == nil {
		cmd, err = in.parse()
	}
	mount := &instructions.Mount{}
	if run, ok := cmd.(*instructions.RunCommand); ok && err == nil && !strings.Contains(spec.text, "$") {
		if err = run.Expand(func(word string) (string, error) { return word, nil }); err == nil {
			mount = instructions.GetMounts(run)[0]
		}
	}
	if _, mistake, ok := SpanOf(err); ok {
		err = mistake
	}
	var located *parser.LocationError
	if errors.As(err, &located) {
		err = errors.Unwrap(err)
	}
	return mount, err
}

// expand writes out the mounts of a RUN: those that it names, and those of its
// stage.
func (m *mounts) expand(in *Instruction) error {
	text := in.logical.text
	r, every := readLine(text, 0, in.file.Escape), m.every
	if strings.EqualFold(text[r.keyword.Start:r.keyword.End], command.Onbuild) {
		r, every = readLine(text, r.args.Start, in.file.Escape), nil // a trigger is a step of another stage
	}
	if !strings.EqualFold(text[r.keyword.Start:r.keyword.End], command.Run) {
		return nil
	}
	from := r.args.Start
	if len(r.flags) > 0 {
		from = r.flags[0].Span.Start
	}
	out := in.logical.slice(0, from)
	for _, every := range every {
		out.append(every.flag())
		in.Mounts = append(in.Mounts, "")
	}
	for _, f := range r.flags {
		if f.Name != "--mount" || !f.HasValue {
			continue
		}
		first, _, more := strings.Cut(f.Value, ",")
		_, named := m.named(first)
		if f.Value == "" || strings.Contains(f.Value, "=") && (!named || !more) {
			in.Mounts = append(in.Mounts, text[f.Span.Start:f.Span.End])
			continue
		}
		list, err := m.find(in, in.logical.slice(f.Raw.Start, f.Raw.End))
		if err != nil {
			return err
		}
		out.append(in.logical.slice(from, f.Span.Start))
		for i, named := range list {
			flag := named.flag()
			if i == len(list)-1 {
				flag = flag.slice(0, len(flag.text)-1) // the space stands there
			}
			out.append(flag)
			in.Mounts = append(in.Mounts, "")
			if i == 0 {
				in.Mounts[len(in.Mounts)-1] = text[f.Span.Start:f.Span.End]
			}
		}
		in.flagged = true
		from = f.Span.End
	}
	if !in.flagged && len(every) == 0 {
		in.Mounts = nil
		return nil
	}
	in.flagged = true
	out.append(in.logical.slice(from, len(text)))
	in.logical = out
	return nil
}

// flag returns the flag for a mount, with a space behind it.
func (m mount) flag() logicalLine {
	at := m.spec.offset(0, false)
	var out logicalLine
	out.add("--mount=", at)
	out.append(m.spec)
	out.add(" ", at)
	return out
}
