package syntax

import (
	"bytes"
	"slices"
	"unicode"
)

// Plain reports whether data surely holds no extension, not even one in a
// variable, by looking line by line for what each needs. It costs a fraction of
// Parse: a plain Dockerfile is upstream's to parse.
func Plain(data []byte) bool {
	if bytes.Contains(data, []byte(extensionPrefix)) {
		return false // a comment
	}
	for _, name := range machineArgs {
		if bytes.Contains(data, []byte(name)) {
			return false
		}
	}
	data = bytes.TrimPrefix(data, []byte(byteOrderMark))
	// where each line starts an instruction as far as is known
	surely := bytes.Contains(data, []byte("escape")) || bytes.Contains(data, []byte("<<"))
	continued := false
	for line := range bytes.Lines(data) {
		starts := surely || !continued
		if trimmed := bytes.TrimFunc(line, unicode.IsSpace); len(trimmed) > 0 && trimmed[0] != '#' {
			continued = goesOn(line) && (continued || len(trimmed) > 1) // nothing has started before a lone token
		}
		line = bytes.TrimFunc(line, unicode.IsSpace)
		switch {
		case starts && slices.ContainsFunc(ownWords[:], func(word string) bool { return startsWith(line, word) }):
			return false
		case hidesSource(line), cutsWord(line), hidesCondition(line), hasMisplaced(line), quotesFlag(line):
			return false
		case hasWord(line, "MOUNT"), hasWord(line, "IMPORT"):
			return false
		case hasWord(line, "FROM"):
			if bytes.ContainsAny(line, hiding+"#") || startsPath(line) || bytes.Contains(bytes.ReplaceAll(line, []byte("--platform"), nil), []byte("--")) {
				return false
			}
		case hasWord(line, "ARG"):
			if bytes.Contains(line, []byte("--")) || continues(line) {
				return false
			}
		case hasWord(line, "ADD"), hasWord(line, "ONBUILD"):
			if bytes.Contains(line, []byte("--from")) || holdsOwn(line) || continues(line) {
				return false
			}
		case hasWord(line, "ENV"), hasWord(line, "LABEL"), hasWord(line, "--f"):
			if bytes.Contains(line, []byte("--f")) {
				return false
			}
		}
	}
	return true
}

// ownWords start instructions that Dockerfile lacks, and are too short for a look at
// whatever starts with them.
var ownWords = [...]string{letInstruction, lockInstruction, unsetInstruction, ifWord, elseWord, endWord}

// hiding are the bytes of calls and variables, and those that may hide them.
const hiding = "({$\"'\\`"

// hidesSource reports whether a from= in line, of a flag or of the field of a
// mount, may have more than a name behind it.
func hidesSource(line []byte) bool {
	for rest := line; ; {
		at := bytes.IndexByte(rest, '=')
		if at < 0 {
			return false
		}
		before, value := rest[:at], rest[at+1:]
		rest = value
		if bytes.HasSuffix(before, []byte("--mount")) && namesMount(value) {
			return true
		}
		if len(before) < 4 || !bytes.EqualFold(before[len(before)-4:], []byte("from")) {
			continue
		}
		ends := " \t,"
		if bytes.HasSuffix(before, []byte("--from")) { // a flag; else the field of a mount
			ends = " \t"
		}
		if end := bytes.IndexAny(value, ends); end >= 0 {
			value = value[:end]
		}
		if len(value) == 0 || bytes.ContainsAny(value, hiding+"#") || value[0] == '.' || value[0] == '/' {
			return true
		}
		if behind := bytes.TrimLeft(rest[len(value):], " \t"); len(behind) > 0 && behind[0] == '(' {
			return true // a call with a space in it
		}
	}
}

// hidesCondition reports whether line may hold --if, or a part of a flag that the
// next line ends.
func hidesCondition(line []byte) bool {
	if bytes.Contains(line, []byte("--if")) || bytes.Contains(line, []byte("--IF")) {
		return true
	}
	if !continues(line) {
		return false
	}
	line = line[:len(line)-1]
	word := line[bytes.LastIndexAny(line, " \t")+1:]
	return len(word) > 0 && word[0] == '-'
}

// holdsOwn reports whether line may hold an instruction of ours that is no trigger.
func holdsOwn(line []byte) bool {
	lower := bytes.ToLower(line)
	return slices.ContainsFunc(append(ownWords[:], mountInstruction, ImportInstruction), func(word string) bool { return bytes.Contains(lower, []byte(word)) })
}

// misplaced are flags of ours that stand on few instructions only.
var misplaced = [][]byte{[]byte("--no-cache"), []byte("--NO-CACHE"), []byte("--after"), []byte("--bake"), []byte("--max-size"), []byte("--needed"), []byte("--reset"), []byte("--squash"), []byte("--with"), []byte("--else"), []byte("--required"), []byte("--oneof"), []byte("--global")}

// hasMisplaced reports whether line may hold such a flag.
func hasMisplaced(line []byte) bool {
	return slices.ContainsFunc(misplaced, func(flag []byte) bool { return bytes.Contains(line, flag) })
}

// quotesFlag reports whether line may hold a flag with a quote or an escape in its name,
// which upstream takes away.
func quotesFlag(line []byte) bool {
	for _, rest := range bytes.Split(line, []byte("--"))[1:] {
		end := bytes.IndexFunc(rest, func(r rune) bool { return r != '-' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') })
		if end > 0 && bytes.IndexByte([]byte("\"'\\`"), rest[end]) >= 0 {
			return true
		}
	}
	return false
}

// namesMount reports whether the value of a --mount may be a name: a mount has an
// equals sign in its first field.
func namesMount(value []byte) bool {
	if end := bytes.IndexAny(value, " \t,"); end >= 0 {
		value = value[:end]
	}
	return !bytes.Contains(value, []byte("="))
}

// hasWord reports whether line starts with a keyword.
func hasWord(line []byte, word string) bool {
	return len(line) >= len(word) && bytes.EqualFold(line[:len(word)], []byte(word))
}

// startsPath reports whether a word of line may be a path to a file.
func startsPath(line []byte) bool {
	return slices.ContainsFunc(bytes.Fields(line), func(word []byte) bool { return word[0] == '.' || word[0] == '/' })
}

// startsWith reports whether the first word of line is a keyword.
func startsWith(line []byte, word string) bool {
	return hasWord(line, word) && (len(line) == len(word) || isSpace(line[len(word)]) || continues(line))
}

// goesOn reports whether the next line is surely part of this one, under the default
// escape token.
func goesOn(line []byte) bool {
	line = bytes.TrimRight(bytes.TrimRight(line, "\r\n"), " \t")
	return bytes.HasSuffix(line, []byte("\\")) && !bytes.HasSuffix(line, []byte("\\\\"))
}

// continues reports whether the next line may be part of this one.
func continues(line []byte) bool {
	return len(line) > 0 && (line[len(line)-1] == '\\' || line[len(line)-1] == '`')
}

// cutsWord reports whether line may end in the middle of a word looked for here.
func cutsWord(line []byte) bool {
	if !continues(line) {
		return false
	}
	line = line[:len(line)-1]
	word := line[bytes.LastIndexAny(line, " \t,-")+1:]
	return len(word) > 0 && (hasWord([]byte("from"), string(word)) || hasWord([]byte("file"), string(word)) || hasWord([]byte("add"), string(word)) || hasWord([]byte("arg"), string(word)) || hasWord([]byte("mount"), string(word)) || hasWord([]byte("import"), string(word)) || hasWord([]byte(letInstruction), string(word)) || hasWord([]byte(unsetInstruction), string(word)) || hasWord([]byte(ifWord), string(word)))
}
