package llbgen

import (
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/pb"
	"github.com/moby/buildkit/util/apicaps"
	"github.com/opencontainers/go-digest"
)

// skipsMissing reports whether a vertex comes from a COPY or ADD --if-exists.
func (u *unit) skipsMissing(source *pb.Source, vertex digest.Digest) bool {
	o := u.originOf(source, vertex)
	return o.In != nil && o.In.IfExists
}

// skipMissing makes the copies of op skip what does not exist. A pattern that
// matches nothing is skipped, so each source becomes a pattern that only itself
// matches. The directory above it has to exist all the same: parents are those
// that do by number of the input.
func skipMissing(op *pb.Op) (parents map[int64][]string) {
	parents = map[int64][]string{}
	for _, action := range op.GetFile().GetActions() {
		c := action.GetCopy()
		if c == nil || !c.AllowWildcard {
			continue
		}
		c.AllowEmptyWildcard, c.RequiredPaths = true, nil
		if path.Clean(c.Src) == "/" {
			continue
		}
		dir, pattern := onlyItself(c.Src)
		c.Src = path.Join(dir, pattern)
		from := action.SecondaryInput
		if dir != "/" && from >= 0 && from < int64(len(op.Inputs)) && !slices.Contains(parents[from], dir) {
			parents[from] = append(parents[from], dir)
		}
	}
	return parents
}

// onlyItself returns the directory above a path, and a pattern that the rest of
// the path alone matches: its last letter becomes a class of one. A path that is
// a pattern stays one, below the directory in front of it.
func onlyItself(src string) (dir, pattern string) {
	at := 0
	for i := 0; i < len(src); i++ {
		switch src[i] {
		case '\\':
			i++
		case '/':
			at = i + 1
		case '*', '?', '[':
			return path.Join("/", src[:at]), src[at:]
		}
	}
	src = strings.TrimRight(src, "/")
	at = strings.LastIndexByte(src, '/') + 1
	r, size := utf8.DecodeLastRuneInString(src)
	head, class := src[at:len(src)-size], string(r)
	if escaped := strings.TrimSuffix(head, `\`); escaped != head && !strings.HasSuffix(escaped, `\`) {
		head, class = escaped, `\`+class
	} else if strings.ContainsRune(`^-]\`, r) {
		class = `\` + class
	}
	return path.Join("/", src[:at]), head + "[" + class + "]"
}

// copyFrom makes the copies of op that take from an input take from another
// vertex instead. What is copied to stays: it may be the same input.
func copyFrom(op *pb.Op, number int64, vertex digest.Digest) {
	actions := op.GetFile().GetActions()
	to := &pb.Input{Digest: string(vertex)}
	if !slices.ContainsFunc(actions, func(a *pb.FileAction) bool { return a.Input == number }) {
		op.Inputs[number] = to
		return
	}
	added := int64(len(op.Inputs))
	op.Inputs = append(op.Inputs, to)
	for _, a := range actions {
		switch {
		case a.SecondaryInput == number:
			a.SecondaryInput = added
		case a.SecondaryInput >= added: // what another action gave
			a.SecondaryInput++
		}
		if a.Input >= added {
			a.Input++
		}
	}
}

// makeParents returns an op that gives the input with directories made, which
// changes nothing where they exist.
func makeParents(op *pb.Op, input *pb.Input, dirs []string) ([]byte, llb.OpMetadata, error) {
	file := &pb.FileOp{}
	for i, dir := range dirs {
		action := &pb.FileAction{Input: 0, SecondaryInput: -1, Output: -1, Action: &pb.FileAction_Mkdir{
			Mkdir: &pb.FileActionMkDir{Path: dir, Mode: 0o755, MakeParents: true, Timestamp: -1},
		}}
		if i > 0 {
			action.Input = int64(i) // what the action before gave
		}
		if i == len(dirs)-1 {
			action.Output = 0
		}
		file.Actions = append(file.Actions, action)
	}
	dt, err := marshalOp(&pb.Op{Inputs: []*pb.Input{input}, Op: &pb.Op_File{File: file}, Platform: op.Platform, Constraints: op.Constraints})
	meta := llb.OpMetadata{
		Description: map[string]string{"llb.customname": "[internal] look into " + strings.Join(dirs, ", ")},
		Caps:        map[apicaps.CapID]bool{pb.CapFileBase: true, pb.CapMetaDescription: true},
	}
	return dt, meta, err
}
