package syntax

import (
	"regexp"
	"strings"
	"unicode"

	"github.com/moby/buildkit/util/suggest"
)

// importInstruction makes another file a module: IMPORT ./x.Dockerfile AS x.
const importInstruction = "import"

// Import is an IMPORT. Its words may have variables.
type Import struct {
	In *Instruction
	// Path is the file, in the source From when that is not empty.
	Path, From         string
	PathSpan, FromSpan Span
	// Alias is in lower case.
	Alias     string
	AliasSpan Span
	// Context is what --context gives, empty without.
	Context     string
	ContextSpan Span
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
	aliasPattern = regexp.MustCompile(`^[a-zA-Z][\w-]*$`)
	argPattern   = regexp.MustCompile(`^[a-zA-Z_]\w*$`)
)

// IsFile reports whether a name is that of a stage in another file:
// ./go.Dockerfile#build, or the file alone for its last stage.
func IsFile(name string) bool {
	return strings.Contains(name, "#") || strings.HasPrefix(name, "./") || strings.HasPrefix(name, "../") || strings.HasPrefix(name, "/")
}

// addImport reads an IMPORT, which stands in line.
func (f *File) addImport(line logicalLine, started bool) error {
	in := &Instruction{file: f, Keyword: importInstruction, Line: line.text, logical: line}
	in.StartLine = f.index.position(line.offset(0, false)).Line
	in.EndLine = f.index.position(line.offset(len(line.text), true)).Line
	f.Extended = true
	im, err := in.scanImport()
	if err == nil && started {
		err = errorAt(0, in.keyword.End, "IMPORT stands before the first FROM")
	}
	if err == nil && len(f.Imports) == maxImports {
		err = errorAt(0, in.keyword.End, "the file has more than %d imports", maxImports)
	}
	if err != nil {
		return in.Locate(err)
	}
	for _, other := range f.Imports {
		if other.Alias == im.Alias && (other.In.If == nil || in.If == nil) {
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
	s := &scanner{line: strings.TrimRightFunc(in.Line, unicode.IsSpace), escape: in.file.Escape}
	s.word()
	in.keyword = Span{s.pos - len(importInstruction), s.pos}
	im := &Import{In: in}
	for s.skipSpaces(); strings.HasPrefix(s.line[s.pos:], "--"); s.skipSpaces() {
		start := s.pos
		s.skipFlag()
		if err := im.flag(Span{start, s.pos}); err != nil {
			return nil, err
		}
	}
	var words []Span
	for ; s.pos < len(s.line); s.skipSpaces() {
		start := s.pos
		s.skipFlag() // to a space outside of quotes
		words = append(words, Span{start, s.pos})
	}
	text := func(i int) string { return s.line[words[i].Start:words[i].End] }
	switch {
	case len(words) >= 2 && strings.EqualFold(text(len(words)-2), "as"):
		im.AliasSpan, im.Alias = words[len(words)-1], strings.ToLower(text(len(words)-1))
		if !aliasPattern.MatchString(im.Alias) {
			return nil, errorAt(im.AliasSpan.Start, im.AliasSpan.End, "%q cannot be the name of an import: letters, digits, _ and - are allowed, a letter first", im.Alias)
		}
		words = words[:len(words)-2]
	case len(words) > 0:
		return nil, errorAt(0, len(s.line), "an import needs a name: %s", importUsage)
	}
	switch {
	case len(words) == 1:
		im.PathSpan, im.Path = words[0], text(0)
	case len(words) > 1:
		return nil, errorAt(words[1].Start, words[len(words)-1].End, "unexpected words: %s", importUsage)
	case im.From == "" || im.Alias == "":
		return nil, errorAt(0, len(s.line), "an import needs a file and a name: %s", importUsage)
	default:
		im.PathSpan = im.FromSpan
	}
	return im, nil
}

// flag reads one flag.
func (im *Import) flag(span Span) error {
	name, value, _ := strings.Cut(im.In.Line[span.Start:span.End], "=")
	at := Span{span.Start + len(name) + 1, span.End}
	if ours, err := im.In.condition(name, span); ours || err != nil {
		return err
	}
	switch name {
	case "--from":
		im.From, im.FromSpan = value, at
	case "--context":
		im.Context, im.ContextSpan = value, at
		if value != "." {
			return errorAt(span.Start, span.End, "--context takes a dot: --context=. gives the imported file the build context of this one")
		}
	case "--arg":
		arg, text, bound := strings.Cut(value, "=")
		if !argPattern.MatchString(arg) {
			return errorAt(span.Start, span.End, "--arg needs a name: write --arg=NAME or --arg=NAME=value")
		}
		passed := ImportArg{Name: arg, Span: span}
		if bound {
			passed.Value = &text
		}
		im.Args = append(im.Args, passed)
		return nil
	default:
		if near, ok := suggest.Search(name, []string{"--from", "--context", "--arg", "--if"}, true); ok {
			return errorAt(span.Start, span.Start+len(name), "unknown flag of IMPORT: %s (did you mean %s?)", name, near)
		}
		return errorAt(span.Start, span.Start+len(name), "unknown flag of IMPORT: %s (there are --from, --context, --arg and --if)", name)
	}
	if value == "" {
		return errorAt(span.Start, span.End, "%s needs a value", name)
	}
	return nil
}
