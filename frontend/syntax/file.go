// Package syntax reads Dockerfiles with Stagecraft's extensions. It finds the
// extensions (references, the comments that start with #+, the instructions)
// and where they stand, byte by byte; all else it leaves to BuildKit's parser,
// so that a call inside the body of a heredoc stays text.
package syntax

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"unicode"

	"github.com/moby/buildkit/frontend/dockerfile/command"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
)

// File is a parsed Dockerfile.
type File struct {
	*diagnostic.Text
	Escape rune
	// Imports are the IMPORT instructions.
	Imports []*Import
	// Args are the ARG instructions before the first FROM.
	Args   []*Instruction
	Stages []*Stage
	// Extended tells a file with extensions from a plain Dockerfile.
	Extended bool
	// EmptyContinuations are the empty lines between continued ones.
	EmptyContinuations []parser.Range
	// Warnings are those about the file's own spelling.
	Warnings []*diagnostic.Diagnostic

	// Lock is its LOCK; nil for none.
	Lock *Lock

	text  string // Data
	index *lineIndex
	// masked are the first lines of the instructions that upstream's parser does not see as
	// they are.
	masked map[int]bool
	// header is where the directives end.
	header int
	// doubts are the warnings of comments that may be nothing else in a file without
	// extensions; in one with them they hold.
	doubts []*diagnostic.Diagnostic
	// lent are the images of mounts of imported files.
	lent []lentImage
	// mounts are the named mounts.
	mounts *mounts
	// machineArgs are the platform ARGs that the file takes from us.
	machineArgs []string
}

// Options are what a file's text does not say.
type Options struct {
	// Mount returns a named mount of an imported file, for a RUN that names
	// it. Its error is a mistake at that name.
	Mount func(im *Import, name string) (string, error)
	// Lock is called for the LOCK of the file, before anything is imported.
	Lock func(*Lock)
}

// Parse parses a text. With an error, which is located (parser.LocationError), it
// returns what it came to know: when File.Extended is not set, the mistake is
// one of a plain Dockerfile and upstream words it best.
func Parse(text *diagnostic.Text, opt Options) (*File, error) {
	data := text.Data
	f := &File{Text: text, text: string(data), Escape: parser.DefaultEscapeToken, index: newLineIndex(data), header: directives(data)}
	parsed, err := f.parse()
	if err != nil {
		return f, f.refusedFrom(err)
	}
	f.Escape = parsed.EscapeToken
	for _, w := range parsed.Warnings {
		if w.URL == linter.RuleNoEmptyContinuation.URL {
			f.EmptyContinuations = append(f.EmptyContinuations, *w.Location)
		}
	}
	all, err := f.instructions(parsed.AST.Children, opt)
	if err != nil {
		return f, err
	}
	for _, in := range all {
		if err := f.add(in); err != nil {
			return f, err
		}
	}
	if err := f.checkData(); err != nil {
		return f, err
	}
	if err := f.checkLent(); err != nil {
		return f, err
	}
	f.findMachineArgs()
	f.Extended = f.Extended || len(f.machineArgs) > 0
	if f.Extended {
		f.Warnings = append(f.Warnings, f.doubts...)
		if err := f.CutOff(); err != nil {
			return f, err
		}
	}
	if len(f.Stages) == 0 {
		end := f.index.position(len(f.text))
		return f, diagnostic.At(f.at([]parser.Range{{Start: parser.Position{Line: end.Line}, End: parser.Position{Line: end.Line}}}), errors.New("dockerfile contains no stages to build"))
	}
	return f, nil
}

// instructions cuts the file at the nodes of upstream's parser and finds the
// extensions.
func (f *File) instructions(nodes []*parser.Node, opt Options) ([]*Instruction, error) {
	r := &fileReader{file: f, locked: opt.Lock, join: newJoiner(f.index, f.Escape), named: newMounts(opt.Mount), blocks: &blocks{file: f}}
	f.mounts = r.named
	behind := f.header
	for _, node := range nodes {
		in := &Instruction{file: f, Node: node, StartLine: node.StartLine, EndLine: node.EndLine, leadStart: behind}
		_, in.start = f.index.line(node.StartLine)
		in.end = f.index.end(node.EndLine)
		behind = in.end
		if err := r.read(in); err != nil {
			f.Extended = true
			return nil, unnamed(err, nodes)
		}
	}
	err := f.trailingComments(behind, r)
	if err == nil {
		err = r.finish()
	}
	if err != nil {
		f.Extended = true
		return nil, err
	}
	return r.all, f.reparse(r.changed)
}

// fileReader reads the instructions of a file one after the other.
type fileReader struct {
	file   *File
	join   *joiner
	named  *mounts
	blocks *blocks
	locked func(*Lock)
	all    []*Instruction
	// changed are those of which upstream has to read the plain form.
	changed []*Instruction
}

func (r *fileReader) read(in *Instruction) error {
	var next int
	in.logical, next, in.dangling = r.join.join(in.StartLine, in.EndLine)
	same := in.unmask()
	err := in.agree()
	if !same {
		err = fmt.Errorf("internal error: the line was read as %q, not as %q", in.logical.text, in.Node.Original)
	}
	if err != nil {
		return in.Locate(err)
	}
	flags, err := in.readComments(r)
	if err != nil {
		return err
	}
	switch word := in.Node.Value; {
	case strings.EqualFold(word, letInstruction):
		in.insert(flags)
		return r.let(in)
	case strings.EqualFold(word, unsetInstruction):
		in.insert(flags)
		return r.unset(in)
	case in.takesValues(flags):
		in.insert(flags)
		return r.values(in, strings.ToLower(word))
	case strings.EqualFold(word, mountInstruction), strings.EqualFold(word, ImportInstruction), strings.EqualFold(word, lockInstruction), r.blocks.isMarker(word):
		r.file.Extended = true
		if err := r.file.refuseInner(in); err != nil {
			return err
		}
		if flags.text != "" && r.blocks.isMarker(word) {
			at := flags.offset(0, false)
			return r.file.errorAt(at, at+len(strings.TrimSpace(flags.text)), "%s takes no flags: write them above an instruction", strings.ToUpper(word))
		}
		in.insert(flags)
		in.Line = in.logical.text
		return r.module(word, in.logical)
	}
	in.heredocs = in.end
	if next <= in.EndLine {
		_, in.heredocs = r.file.index.line(next)
	}
	if err := in.findLines(next); err != nil {
		return err
	}
	if in.lines != nil {
		in.lines.flags, in.lines.mounts = flags, r.named.clone()
	}
	if err := in.take(flags, r.named); err != nil {
		return err
	}
	keyword := in.Keyword
	if in.OnBuild {
		keyword = command.Onbuild
	}
	if err := r.blocks.place(in, keyword); err != nil {
		return in.Locate(err)
	}
	if keyword == command.From {
		if err := r.named.from(in); err != nil {
			return err
		}
	}
	if in.Changed() {
		r.file.Extended = r.file.Extended || in.extends()
		if !in.patch() {
			r.changed = append(r.changed, in)
		}
	}
	r.all = append(r.all, in)
	return nil
}

// take puts the flags of comments and the mounts that the instruction names into
// its line, and finds the extensions in it.
func (in *Instruction) take(flags logicalLine, named *mounts) error {
	in.insert(flags)
	if err := named.expand(in); err != nil {
		return err
	}
	in.Line = in.logical.text
	in.read()
	err := in.combine()
	if err == nil {
		err = in.scan()
	}
	if err != nil {
		return in.Locate(err)
	}
	return nil
}

// module reads a line that is a MOUNT, an IMPORT or the marker of a block.
func (r *fileReader) module(word string, line logicalLine) error {
	switch strings.ToLower(word) {
	case mountInstruction:
		if r.blocks.open != nil {
			return r.file.errorAt(line.offset(0, false), line.offset(len(word), true), "MOUNT stands outside of blocks: put the condition on the instruction that uses the mount")
		}
		return r.named.define(r.file, line)
	case ImportInstruction:
		return r.file.addImport(line, r.named.inStage, r.blocks)
	case lockInstruction:
		err := r.file.addLock(line, r.named.inStage, r.blocks)
		if err == nil && r.locked != nil {
			r.locked(r.file.Lock)
		}
		return err
	}
	return r.blocks.marker(line)
}

// parse has upstream read the plain form of the instruction.
func (in *Instruction) parse() (any, error) {
	return instructions.ParseInstructionWithLinter(in.Node, linter.New(&linter.Config{}))
}

// add gives the instruction its command and its place.
func (f *File) add(in *Instruction) error {
	if in.Let != nil || in.Unset != nil || in.Values != nil {
		return f.put(in)
	}
	cmd, err := in.parse()
	if err != nil && in.lines != nil { // all its branches together need be none
		v, err := in.firstVariant()
		if err != nil {
			return err
		}
		in.Command, in.References = v.Command, v.References
		return f.put(in)
	}
	if err != nil {
		return in.refuseParsed(err)
	}
	in.Command = cmd
	if err := in.checkSources(); err != nil {
		return err
	}
	return f.put(in)
}

// put gives the instruction its place.
func (f *File) put(in *Instruction) error {
	if stage, ok := in.Command.(*instructions.Stage); ok {
		f.Stages = append(f.Stages, &Stage{Index: len(f.Stages), Name: stage.Name, From: in})
		return nil
	}
	if len(f.Stages) > 0 {
		if in.Arg.Global {
			return in.Errorf(in.keyword, "ARG --global stands before the first FROM")
		}
		stage := f.Stages[len(f.Stages)-1]
		stage.Instructions = append(stage.Instructions, in)
		return nil
	}
	if in.Unset != nil {
		return in.Errorf(in.keyword, "UNSET stands in a stage, behind a FROM")
	}
	if in.Values != nil {
		return in.Errorf(in.keyword, "%s --from stands in a stage, behind a FROM", in.Values.Of)
	}
	if _, ok := in.Command.(*instructions.ArgCommand); !ok {
		return parser.WithLocation(errors.New("no build stage in current context"), in.Location())
	}
	in.global = true
	f.Args = append(f.Args, in)
	return nil
}

// Global yields the ARG and IMPORT instructions before the first FROM in the order
// of the text.
func (f *File) Global() iter.Seq[*Instruction] {
	return func(yield func(*Instruction) bool) {
		args, imports := f.Args, f.Imports
		for len(args)+len(imports) > 0 {
			var in *Instruction
			if len(imports) == 0 || len(args) > 0 && args[0].StartLine < imports[0].In.StartLine {
				in, args = args[0], args[1:]
			} else {
				in, imports = imports[0].In, imports[1:]
			}
			if !yield(in) {
				return
			}
		}
	}
}

// All yields the instructions of the file, IMPORT included.
func (f *File) All() iter.Seq[*Instruction] {
	return func(yield func(*Instruction) bool) {
		lists := [][]*Instruction{f.Args}
		for _, im := range f.Imports {
			lists = append(lists, []*Instruction{im.In})
		}
		for _, stage := range f.Stages {
			lists = append(lists, []*Instruction{stage.From}, stage.Instructions)
		}
		for _, list := range lists {
			for _, in := range list {
				if !yield(in) {
					return
				}
			}
		}
	}
}

// refuse turns an error of upstream's instruction parser into that of its file
// parser.
func (in *Instruction) refuse(err error) error {
	place := in.Lines()
	if _, rest, ok := strings.Cut(err.Error(), "unknown flag: "); ok {
		name, _, _ := strings.Cut(rest, " ")
		if i := slices.IndexFunc(in.Flags, func(f *Flag) bool { return f.Name == name }); i >= 0 {
			place = in.Place(in.Flags[i].Span)
		}
	}
	return diagnostic.Worded(place, fmt.Errorf("dockerfile parse error on line %d: %w", place.Line(), err))
}

// directives returns where the parser directives at the top of data end; a byte
// order mark counts as one.
func directives(data []byte) int {
	var (
		parse parser.DirectiveParser
		end   int
	)
	if bytes.HasPrefix(data, []byte(byteOrderMark)) {
		end = len(byteOrderMark)
	}
	for line := range bytes.Lines(data[end:]) {
		trimmed := bytes.TrimLeftFunc(bytes.TrimRight(line, "\r\n"), unicode.IsSpace)
		if d, err := parse.ParseLine(trimmed); d == nil || err != nil {
			break
		}
		end += len(line)
	}
	return end
}

const byteOrderMark = "\ufeff"
