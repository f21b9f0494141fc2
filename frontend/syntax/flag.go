package syntax

import (
	"strings"
	"unicode"

	"github.com/moby/buildkit/frontend/dockerfile/command"
	"github.com/moby/buildkit/util/suggest"
)

// scan finds the references of the instruction.
func (in *Instruction) scan() error {
	s := &scanner{line: in.Line, escape: in.file.Escape}
	in.Keyword = strings.ToLower(s.word())
	if in.Keyword == command.Onbuild {
		in.OnBuild = true
		if err := in.scanCondition(s); err != nil {
			return err
		}
		in.Keyword = strings.ToLower(s.word())
	}
	in.keyword = Span{s.pos - len(in.Keyword), s.pos}
	switch in.Keyword {
	case command.From, command.Copy, command.Add, command.Run:
	case command.Arg:
		return in.scanArg(s)
	default:
		return in.scanCondition(s)
	}
	network := Span{} // a flag for sources from the network
	for {
		s.skipSpaces()
		if !strings.HasPrefix(s.line[s.pos:], "--") {
			break
		}
		start := s.pos
		ref, name, err := s.flag(in.Keyword)
		if err != nil {
			return err
		}
		in.References = append(in.References, ref...)
		if ours, err := in.condition(name, Span{start, s.pos}); err != nil {
			return err
		} else if ours {
			s.skipSpaces()
			in.erased = append(in.erased, Span{start, s.pos})
			continue
		}
		switch name {
		case "--unpack":
			s.skipSpaces()
			in.unpack = Span{start, s.pos}
		case "--checksum", "--keep-git-dir":
			network = Span{start, s.pos}
		case "--mount":
			if in.Keyword != command.From {
				break
			}
			value := start + len("--mount=")
			if value >= s.pos {
				return errorAt(start, s.pos, "--mount needs a mount: write --mount=name or --mount=type=cache,target=/path")
			}
			in.mountFlags = append(in.mountFlags, Span{value, s.pos})
			s.skipSpaces()
			in.erased = append(in.erased, Span{start, s.pos})
		case "--after":
			s.skipSpaces()
			in.erased = append(in.erased, Span{start, s.pos})
		}
	}
	in.Arguments = s.pos
	switch {
	case !in.AddsFrom():
	case in.OnBuild:
		return errorAt(in.keyword.Start, in.keyword.End, "ADD --from cannot be a trigger: write ONBUILD COPY --from")
	case network != Span{}:
		return errorAt(network.Start, network.End, "%s is for sources from the network: leave it out beside --from", s.line[network.Start:network.End])
	}
	if in.Keyword == command.From && s.pos < len(s.line) {
		ref, err := s.reference(isSpace)
		if err != nil {
			return err
		}
		ref.Base = true
		in.References = append(in.References, ref)
	}
	return nil
}

// scanCondition finds the --if of an instruction that has no other flag of ours.
func (in *Instruction) scanCondition(s *scanner) error {
	for {
		s.skipSpaces()
		if !strings.HasPrefix(s.line[s.pos:], "--") {
			return nil
		}
		start := s.pos
		s.skipFlag()
		name, _, _ := strings.Cut(s.line[start:s.pos], "=")
		ours, err := in.condition(name, Span{start, s.pos})
		if err != nil {
			return err
		}
		s.skipSpaces()
		if ours {
			in.erased = append(in.erased, Span{start, s.pos})
		}
	}
}

// scanArg finds the flags of an ARG.
func (in *Instruction) scanArg(s *scanner) error {
	for {
		s.skipSpaces()
		if !strings.HasPrefix(s.line[s.pos:], "--") {
			return nil
		}
		start := s.pos
		s.skipFlag()
		name, value, hasValue := strings.Cut(s.line[start:s.pos], "=")
		span := Span{start, s.pos}
		ours, err := in.condition(name, span)
		if err != nil {
			return err
		}
		if !ours && in.Arg.Flags == (Span{}) {
			in.Arg.Flags = span
		}
		switch name {
		case "--if":
		case "--required", "--global":
			if hasValue {
				return errorAt(start, s.pos, "%s takes no value", name)
			}
			in.Arg.Required = in.Arg.Required || name == "--required"
			in.Arg.Global = in.Arg.Global || name == "--global"
		case "--oneof":
			for item := range strings.SplitSeq(strings.Trim(value, `"'`), ",") {
				if item == "" {
					return errorAt(start, s.pos, "--oneof needs its values: write --oneof=dev,prod")
				}
				in.Arg.OneOf = append(in.Arg.OneOf, item)
			}
		default:
			if near, ok := suggest.Search(name, []string{"--required", "--oneof", "--global", "--if"}, true); ok {
				return errorAt(start, s.pos, "unknown flag of ARG: %s (did you mean %s?)", name, near)
			}
			continue // upstream's to refuse
		}
		s.skipSpaces()
		span.End = s.pos
		in.erased = append(in.erased, span)
	}
}

// word reads a word.
func (s *scanner) word() string {
	start, end := firstWord(s.line[s.pos:])
	start, end = start+s.pos, end+s.pos
	s.pos = end
	return s.line[start:end]
}

// skipSpaces skips what upstream's flag parser takes for space.
func (s *scanner) skipSpaces() {
	rest := s.line[s.pos:]
	s.pos = len(s.line) - len(strings.TrimLeftFunc(rest, unicode.IsSpace))
}

// flag reads one flag and returns the references in its value, and its name.
func (s *scanner) flag(keyword string) (refs []*Reference, name string, err error) {
	name = s.line[s.pos:]
	if i := strings.IndexFunc(name, func(r rune) bool { return r == '=' || unicode.IsSpace(r) }); i >= 0 {
		name = name[:i]
	}
	switch {
	case name == "--from" && (keyword == command.Copy || keyword == command.Add) && s.at(len(name)) == '=':
		s.pos += len(name) + 1
		refs, err = s.fromFlag()
	case name == "--mount" && keyword == command.Run && s.at(len(name)) == '=':
		start := s.pos
		s.pos += len(name) + 1
		refs, err = s.mountFlag()
		cache := strings.Contains(strings.ToLower(s.line[start:s.pos]), "type=cache")
		for _, ref := range refs {
			ref.Cache = cache
		}
	case name == "--after" && keyword == command.From:
		refs, err = s.afterFlag(len(name))
	default:
		if near, ok := suggest.Search(name, []string{"--after", "--mount", "--if"}, true); ok && keyword == command.From && near != name {
			return nil, name, errorAt(s.pos, s.pos+len(name), "unknown flag of FROM: %s (did you mean %s?)", name, near)
		}
		s.skipFlag()
	}
	return refs, name, err
}

func (s *scanner) at(offset int) byte {
	if s.pos+offset < len(s.line) {
		return s.line[s.pos+offset]
	}
	return 0
}

// skipFlag skips to the end of a flag, as upstream's parser finds it: a space
// outside quotes.
func (s *scanner) skipFlag() {
	var quote byte
	for ; s.pos < len(s.line); s.pos++ {
		c := s.line[s.pos]
		switch {
		case rune(c) == s.escape:
			s.pos++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case isSpace(c):
			return
		}
	}
	s.pos = len(s.line)
}

// fromFlag reads the value of --from=.
func (s *scanner) fromFlag() ([]*Reference, error) {
	stop := isSpace
	if quote := s.peek(); quote == '"' || quote == '\'' {
		s.pos++
		stop = func(c byte) bool { return c == quote }
	}
	ref, err := s.reference(stop)
	if err != nil {
		return nil, err
	}
	s.skipFlag()
	return []*Reference{ref}, nil
}

// afterFlag reads --after=, whose references stand between commas.
func (s *scanner) afterFlag(name int) ([]*Reference, error) {
	start := s.pos
	s.pos += name
	if s.peek() != '=' {
		return nil, errorAt(start, s.pos, "--after needs the stages to build first: write --after=test")
	}
	stop := func(c byte) bool { return c == ',' || isSpace(c) }
	var refs []*Reference
	for {
		s.pos++ // the equals sign or a comma
		ref, err := s.reference(stop)
		if err != nil {
			return nil, err
		}
		if ref.Target == "" {
			return nil, errorAt(start, max(s.pos, start+name+1), "a name is missing in the list of --after: write --after=test,lint without spaces")
		}
		ref.After = true
		refs = append(refs, ref)
		if s.peek() != ',' {
			return refs, nil
		}
	}
}

// mountFlag reads the value of --mount=, whose fields stand between commas.
func (s *scanner) mountFlag() ([]*Reference, error) {
	var (
		refs   []*Reference
		quotes []byte // those that are open
	)
	field := s.pos
	for s.pos < len(s.line) {
		c := s.line[s.pos]
		if s.pos == field && len(s.line)-s.pos > len("from=") && strings.EqualFold(s.line[s.pos:s.pos+len("from=")], "from=") {
			s.pos += len("from=")
			ref, err := s.reference(func(c byte) bool { return c == ',' || isSpace(c) || c == '"' || c == '\'' })
			if err != nil {
				return nil, err
			}
			ref.Mount = true
			refs = append(refs, ref)
			continue
		}
		switch {
		case rune(c) == s.escape:
			s.pos++
		case len(quotes) > 0 && c == quotes[len(quotes)-1]:
			quotes = quotes[:len(quotes)-1]
		case c == '"' || c == '\'':
			quotes = append(quotes, c)
			if s.pos == field {
				field++ // a quoted field
			}
		case c == ',':
			field = s.pos + 1
		case isSpace(c) && len(quotes) == 0:
			return refs, nil
		}
		s.pos++
	}
	s.pos = min(s.pos, len(s.line))
	return refs, nil
}
