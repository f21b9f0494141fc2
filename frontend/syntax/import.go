package syntax

import (
	"fmt"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/util/suggest"

	"github.com/stagecraft-build/stagecraft/frontend/condition"
	"github.com/stagecraft-build/stagecraft/internal/pattern"
)

// ImportInstruction makes another file a module: IMPORT ./x.Dockerfile AS x.
const ImportInstruction = "import"

// Import is an IMPORT. Its words may have variables.
type Import struct {
	In *Instruction
	// Path is the file, in the source From when that is not empty.
	Path, From         string
	PathSpan, FromSpan Span
	// Alias is in lower case, Written as it stands.
	Alias, Written string
	AliasSpan      Span
	// Context is what --context gives, empty without.
	Context     string
	ContextSpan Span
	contextFlag Span
	// Args are those of --arg.
	Args []ImportArg
}

// ImportArg is an ARG that an import passes on.
type ImportArg struct {
	Name string
	// Value is the value as written; nil for that which the name has here.
	Value *string
	Span  Span
}

var (
	aliasPattern = pattern.New(`^[a-zA-Z][\w-]*$`)
	argPattern   = pattern.New(`^[a-zA-Z_]\w*$`)
)

// IsData reports whether the import is one of data: a JSON file, by its name as
// written.
func (im *Import) IsData() bool {
	path := im.Path
	if path == "" {
		path, _, _ = strings.Cut(im.From, "#")
		path, _, _ = strings.Cut(path, "?")
	}
	return strings.HasSuffix(strings.ToLower(strings.TrimRight(path, `"'`)), ".json")
}

// refuseData refuses what data does not have.
func (im *Import) refuseData() error {
	alias := im.AliasSpan
	switch {
	case !isName(im.Written):
		return errorAt(alias.Start, alias.End, "%q cannot be the name of data: expressions would read the - as minus, write %s", im.Written, strings.Join(strings.FieldsFunc(im.Written, func(r rune) bool { return r == '-' }), "_"))
	case condition.Reserved(im.Written):
		return errorAt(alias.Start, alias.End, "%s has a meaning in expressions: data needs another name", im.Written)
	case isPlatformArg(im.Written):
		return errorAt(alias.Start, alias.End, "%s is an ARG that every build has: data needs another name", im.Written)
	case im.Context != "":
		return errorAt(im.contextFlag.Start, im.contextFlag.End, "data copies nothing: it takes no --context")
	case len(im.Args) > 0:
		return errorAt(im.Args[0].Span.Start, im.Args[0].Span.End, "data has no ARG: it takes no --arg")
	}
	return nil
}

// checkData refuses names that are those of data and of something else, and
// expressions above the import of data at which they look.
func (f *File) checkData() error {
	data := false
	for _, im := range f.Imports {
		data = data || im.IsData()
	}
	if !data {
		return nil
	}
	check := func(in *Instruction, c *Condition) error {
		if c == nil {
			return nil
		}
		for _, name := range c.Names {
			if im := f.DataOf(name.Name); im != nil && !c.IsData(name.Name) {
				return in.Errorf(c.Span(name.Offset, name.Offset+len(name.Name)), "%s is not known yet: its IMPORT stands on line %d, below this one", name.Name, im.In.StartLine)
			}
		}
		return nil
	}
	for in := range f.All() {
		if err := check(in, in.If); err != nil {
			return err
		}
		blocks := in.Inner()
		for branch := in.Branch; branch != nil; branch = branch.Block.Parent {
			blocks = append(slices.Clip(blocks), branch.Block)
		}
		for _, block := range blocks {
			for _, branch := range block.Branches {
				if err := check(branch.Marker, branch.Marker.If); err != nil {
					return err
				}
			}
		}
		if in.Let != nil {
			if err := check(in, in.Let.Condition); err != nil {
				return err
			}
		}
		cmd, ok := in.Command.(*instructions.ArgCommand)
		if !ok {
			continue
		}
		for _, arg := range cmd.Args {
			if im := f.DataOf(arg.Key); im != nil {
				return im.In.Errorf(im.AliasSpan, "%s is the name of the %s on line %d: data needs another name", arg.Key, strings.ToUpper(in.Keyword), in.StartLine)
			}
		}
	}
	return nil
}

// DataOf returns the import that makes data a name in expressions; nil for none.
func (f *File) DataOf(name string) *Import {
	for _, im := range f.Imports {
		if im.Written == name && im.IsData() {
			return im
		}
	}
	return nil
}

// IsFile reports whether a name is that of a stage in another file:
// ./go.Dockerfile#build, or the file alone for its last stage.
func IsFile(name string) bool {
	return strings.Contains(name, "#") || strings.HasPrefix(name, "./") || strings.HasPrefix(name, "../") || strings.HasPrefix(name, "/")
}

// addImport reads an IMPORT, which stands in line.
func (f *File) addImport(line logicalLine, started bool, open *blocks) error {
	in := &Instruction{file: f, Keyword: ImportInstruction, Line: line.text, logical: line}
	in.StartLine = f.index.position(line.offset(0, false)).Line
	in.EndLine = f.index.position(line.offset(len(line.text), true)).Line
	f.Extended = true
	im, err := in.scanImport()
	if err == nil && started {
		err = errorAt(0, in.keyword.End, "IMPORT stands before the first FROM")
	}
	if err == nil {
		err = open.place(in, ImportInstruction)
	}
	if err == nil && len(f.Imports) == maxImports {
		err = errorAt(0, in.keyword.End, "the file has more than %d imports", maxImports)
	}
	if err != nil {
		return in.Locate(err)
	}
	for _, other := range f.Imports {
		if other.Alias == im.Alias && (!other.In.Conditional() || !in.Conditional() || other.IsData() != im.IsData()) {
			return in.Errorf(im.AliasSpan, "line %d imports a file as %s already", other.In.StartLine, im.Alias)
		}
	}
	f.Imports = append(f.Imports, im)
	return nil
}

// maxImports is how many imports a file has: a build has no more files.
const maxImports = 1000

// importUsage is the form of the instruction.
const importUsage = "write IMPORT ./path/to/file AS name"

func (in *Instruction) scanImport() (*Import, error) {
	r := readLine(in.Line, 0, in.file.Escape)
	in.keyword, in.Flags, in.arguments = r.keyword, r.flags, r.args
	im := &Import{In: in}
	for _, f := range r.flags {
		if err := im.flag(f); err != nil {
			return nil, err
		}
	}
	if err := in.checkArguments(); err != nil {
		return nil, err
	}
	line := in.Line[:r.args.End]
	var words []Span
	for at := r.args.Start; at < len(line); {
		end := skipWord(line, at, in.file.Escape)
		words = append(words, Span{at, end})
		for at = end; at < len(line) && isSpace(line[at]); {
			at++
		}
	}
	text := func(i int) string { return line[words[i].Start:words[i].End] }
	switch {
	case len(words) >= 2 && strings.EqualFold(text(len(words)-2), "as"):
		im.AliasSpan, im.Written = words[len(words)-1], text(len(words)-1)
		im.Alias = strings.ToLower(im.Written)
		if !aliasPattern().MatchString(im.Alias) {
			return nil, errorAt(im.AliasSpan.Start, im.AliasSpan.End, "%q cannot be the name of an import: letters, digits, _ and - are allowed, a letter first", im.Alias)
		}
		words = words[:len(words)-2]
	case len(words) > 0:
		return nil, errorAt(0, len(line), "an import needs a name: %s", importUsage)
	}
	switch {
	case len(words) == 1:
		im.PathSpan, im.Path = words[0], text(0)
	case len(words) > 1:
		return nil, errorAt(words[1].Start, words[len(words)-1].End, "unexpected words: %s", importUsage)
	case im.From == "" || im.Alias == "":
		return nil, errorAt(0, len(line), "an import needs a file and a name: %s", importUsage)
	default:
		im.PathSpan = im.FromSpan
	}
	if im.IsData() {
		return im, im.refuseData()
	}
	return im, nil
}

// skipWord returns the end of a word: a space outside of quotes.
func skipWord(line string, at int, escape rune) int {
	var quote byte
	for ; at < len(line); at++ {
		switch c := line[at]; {
		case rune(c) == escape:
			at++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case isSpace(c):
			return at
		}
	}
	return len(line)
}

// flag reads one flag.
func (im *Import) flag(f *Flag) error {
	if ours, err := im.In.condition(f); ours || err != nil {
		return err
	}
	line := im.In.Line
	value, once := line[f.Raw.Start:f.Raw.End], func(set bool) error {
		if set {
			return errorAt(f.Span.Start, f.Span.End, "a second %s: an import has one", f.Name)
		}
		return nil
	}
	switch f.Name {
	case "--from":
		if err := once(im.From != ""); err != nil {
			return err
		}
		im.From, im.FromSpan = value, f.Raw
	case "--context":
		if err := once(im.Context != ""); err != nil {
			return err
		}
		im.Context, im.ContextSpan, im.contextFlag = f.Value, f.Raw, f.Span
		if f.Value != "." {
			return errorAt(f.Span.Start, f.Span.End, "--context takes a dot: --context=. gives the imported file the build context of this one")
		}
	case "--arg":
		arg, text, bound := strings.Cut(value, "=")
		if !argPattern().MatchString(arg) {
			return errorAt(f.Span.Start, f.Span.End, "--arg needs a name: write --arg=NAME or --arg=NAME=value")
		}
		for _, other := range im.Args {
			if other.Name == arg {
				return errorAt(f.Span.Start, f.Span.End, "%s is passed twice", arg)
			}
		}
		passed := ImportArg{Name: arg, Span: f.Span}
		if bound {
			passed.Value = &text
		}
		im.Args = append(im.Args, passed)
		return nil
	default:
		var names []string
		for _, name := range ours[ImportInstruction] {
			names = append(names, strings.TrimPrefix(name, "--"))
		}
		err := suggest.WrapError(fmt.Errorf("unknown flag: %s", f.Name), strings.TrimPrefix(f.Name, "--"), names, true)
		return im.In.refuse(err)
	}
	if value == "" {
		return errorAt(f.Span.Start, f.Span.End, "%s needs a value", f.Name)
	}
	return nil
}
