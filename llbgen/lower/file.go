package lower

import (
	"slices"
	"strings"
	"sync"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/stagecraft-build/stagecraft/frontend/plan"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
	"github.com/stagecraft-build/stagecraft/internal/guard"
	"github.com/stagecraft-build/stagecraft/llbgen/lower/text"
)

// File is a unit as a plain Dockerfile: all its instances are stages of one text,
// which costs what a file costs in which a user writes out each copy by hand. What
// differs between instances is written into their lines.
type File struct {
	out *text.Writer
	// check holds the text against what was written, once.
	check func() error
	// Target is the stage of the unit's root, Args are the build args.
	Target string
	Args   map[string]string
	Lines
	// StandIns are the images that stand for something else, by reference.
	StandIns map[string]StandIn
	Gates    Gates
	// froms are the FROMs of the files by what stands for them.
	froms map[string]string
	// numbered are the instances that have the number of their stage in the file.
	numbered map[int]bool
}

// KeepsNumber reports whether a stage's number means in the text what it means in the
// main file.
func (f *File) KeepsNumber(n int) bool { return f.numbered[n] }

// Options are what a text depends on beside its unit.
type Options struct {
	// Check is the check directive with its line end; empty for none.
	Check string
	// Wait says that a stage can wait for its gates. Else one stage at the end of
	// the text needs them all.
	Wait bool
	// Plain writes what is an extension to LLB as plain Dockerfiles can say it.
	Plain bool
	// Undeclared writes build args too that no line declares, for triggers of images.
	Undeclared bool
	// Pin returns how a line of a part says what a lock pins it to.
	Pin func(part string, in *syntax.Instruction) (Pin, bool)
}

// Pin is what a lock pins an ADD to: the checksum of a file, or the URL of a repository that
// names the commit.
type Pin struct{ Checksum, URL string }

// lowerer writes one unit.
type lowerer struct {
	unit *Unit
	opt  Options
	out  *text.Writer
	file *File
	// ofHelper are the stages for images on platforms other than the unit's.
	ofHelper map[string]string
	// current is the instance being written, index says where each one is.
	current *plan.Instance
	index   map[*plan.Instance]int
	// expanding is set for a text that people read, in which the values of given stand.
	expanding *expanding
	given     map[string]bool
}

// Lower writes the unit.
func (u *Unit) Lower(opt Options) (*File, error) {
	l := &lowerer{
		unit: u, opt: opt, out: text.NewWriter(u.file().Escape, opt.Check),
		file: &File{
			Target:   u.naming.name(u.Root),
			Args:     u.values.args(u.Root),
			StandIns: map[string]StandIn{},
			Gates:    Gates{steps: map[*plan.Instance]int{}},
			froms:    map[string]string{},
			numbered: map[int]bool{},
		},
		ofHelper: map[string]string{},
		index:    map[*plan.Instance]int{},
	}
	lines := 0
	for _, inst := range u.Instances {
		lines += 1 + len(inst.Instructions)
	}
	l.file.origins = make([]Origin, 0, lines)
	for _, step := range []func() error{l.global, l.helpers, l.nothing, l.pad, l.stages, l.gateStage} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	l.file.out = l.out
	l.file.check = sync.OnceValue(func() (err error) {
		defer guard.Recover(&err)
		return l.out.Check()
	})
	return l.file, nil
}

// Use calls use with the text, and checks beside it that upstream reads in the text
// what was written: if not, that is the error, whatever came of the use.
func (f *File) Use(use func(text []byte) error) error {
	checked := make(chan error, 1)
	go func() { checked <- f.check() }()
	err := use(f.out.Bytes())
	if wrong := <-checked; wrong != nil {
		return wrong
	}
	return err
}

func (l *lowerer) names() *Names { return l.unit.naming.Names }

// note says where lines that were written come from.
func (l *lowerer) note(in *syntax.Instruction, span text.Span) {
	l.file.add(Origin{Span: span, In: in, Instance: l.current})
}

// global writes the global ARGs.
func (l *lowerer) global() error {
	for _, name := range l.unit.file().MachineArgs() {
		// upstream does not know them
		if v, ok := l.unit.Root.Env.Global(name); ok {
			word, err := text.Arg(name, v)
			if err != nil {
				return err
			}
			l.out.Args(nil, []text.Word{word})
		}
	}
	for _, in := range l.unit.file().Args {
		if l.unit.values.env.Off(in) {
			if err := l.wide(in); err != nil {
				return err
			}
			continue
		}
		l.out.Lead(in)
		in = l.unit.values.env.Line(in)
		l.note(in, l.out.Edit(in, nil, nil))
	}
	return nil
}

// wide writes the value of an ARG that does not stand in the text, and that the
// converter looks at by itself.
func (l *lowerer) wide(in *syntax.Instruction) error {
	for _, word := range in.Words() {
		name, _, _ := strings.Cut(word, "=")
		v, ok := l.unit.Root.Env.Global(name)
		if !ok || !plan.BuildWide(name) || l.unit.Root.Env.Off(in) {
			continue
		}
		word, err := text.Arg(name, v)
		if err != nil {
			return in.Locate(err)
		}
		l.note(in, l.out.Args(nil, []text.Word{word}))
	}
	return nil
}

// pad writes a stage that nothing needs where a stage would be alone in the
// text but is not in the file: upstream leaves the name of an only stage out of
// the progress. An image that a part of the stage copies from counts as one, and so does
// what a mount without one has.
func (l *lowerer) pad() error {
	alone := len(l.unit.Instances) == 1 && len(l.ofHelper) == 0
	root := l.unit.Root
	copies := (root.Goes || root.Base.Within) && slices.ContainsFunc(root.Stage.Instructions, func(in *syntax.Instruction) bool {
		run, ok := in.Command.(*instructions.RunCommand)
		return len(in.References) > 0 || ok && len(instructions.GetMounts(run)) > 0
	})
	if alone && (len(l.unit.file().Stages) > 1 || !l.unit.file().Main || strings.Contains(root.Name, "(") || copies) {
		return l.from(nil, newFrom("FROM", scratch, l.names().other("pad", "")))
	}
	return nil
}

// ShownFrom returns the FROM of a file for which a line of the text stands.
func (f *File) ShownFrom(line string) (string, bool) {
	from, ok := f.froms[line]
	return from, ok
}

// Has reports whether the unit has an instruction that the test holds
// for.
func (u *Unit) Has(test func(*syntax.Instruction) bool) bool {
	for _, inst := range u.Instances {
		for _, in := range inst.Instructions {
			if !inst.Replaced && test(in) {
				return true
			}
		}
	}
	return false
}
