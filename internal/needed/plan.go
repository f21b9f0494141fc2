package needed

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
)

// A planner decides what a destination has to get so that paths lead in it to what they
// lead to in the source.
type planner struct {
	src, dst *tree
	entries  []Entry
}

// plan returns what dst lacks, each directory before what is in it, and notes it in dst.
func plan(src, dst *tree, needs []Need) ([]Entry, error) {
	p := planner{src: src, dst: dst}
	for _, n := range needs {
		if err := p.bring(n); err != nil {
			return nil, err
		}
	}
	return p.entries, nil
}

// bring walks a path in both trees at once. Where the destination has another way to a
// directory (a link, or a directory for a link), the walk goes it.
func (p *planner) bring(n Need) error {
	s, d := "/", "/" // where the walk stands in each
	links := 0
	for todo := split(n.Path); len(todo) > 0; {
		c := todo[0]
		todo = todo[1:]
		if c == ".." {
			s, d = path.Dir(s), path.Dir(d)
			continue
		}
		s, d = path.Join(s, c), path.Join(d, c)
		from, err := p.src.lstat(s)
		if err != nil {
			return err
		}
		to, err := p.dst.lstat(d)
		if err != nil {
			return err
		}
		switch {
		case !from.exists:
			return fmt.Errorf("%s: %s leads nowhere", n.By, show(n.Path))
		case !to.exists:
			p.add(n, s, d, from)
		case from.isDir() && to.isDir():
			continue
		case from.isLink() && to.isLink() && from.target == to.target:
		default:
			if s, d, err = p.part(n, s, d, len(todo) == 0); err != nil {
				return err
			}
			continue
		}
		if !from.isLink() {
			continue
		}
		if links++; links > maxLinks {
			return fmt.Errorf("%s: %s has too many links", n.By, show(n.Path))
		}
		todo = append(split(from.target), todo...)
		if s, d = path.Dir(s), path.Dir(d); path.IsAbs(from.target) {
			s, d = "/", "/"
		}
	}
	return nil
}

func (p *planner) add(n Need, s, d string, from node) {
	p.entries = append(p.entries, Entry{Path: d, Source: s, Mode: from.mode, Target: from.target, By: n.By})
	from.planned, from.source = true, s
	p.dst.nodes[d] = from
}

// part goes on where the trees differ: each follows its own links, to two directories,
// or at the end of the path to files of the same content.
func (p *planner) part(n Need, s, d string, last bool) (string, string, error) {
	real, from, err := p.src.resolve(s)
	if err != nil {
		return "", "", err
	}
	toReal, to, err := p.dst.resolve(d)
	if err != nil && !absent(err) {
		return "", "", err
	}
	if from.isDir() && to.isDir() {
		return real, toReal, nil
	}
	conflict := fmt.Errorf("the destination has another %s than %s needs", show(d), n.By)
	if n.Config {
		conflict = fmt.Errorf("the destination has another %s than %s needs: only the source's leads to its libraries", show(d), n.By)
	}
	if !last || !from.isFile() || !to.isFile() {
		return "", "", conflict
	}
	same, err := p.same(real, toReal, from, to)
	if err == nil && !same {
		err = conflict
	}
	return real, toReal, err
}

// same reports whether two files have the same content.
func (p *planner) same(s, d string, from, to node) (bool, error) {
	if from.size != to.size || to.source == s {
		return to.source == s, nil
	}
	a, err := p.src.open(s)
	if err != nil {
		return false, err
	}
	defer a.Close()
	of := p.dst
	if to.source != "" {
		of, d = p.src, to.source
	}
	b, err := of.open(d)
	if err != nil {
		return false, fmt.Errorf("destination: %w", err)
	}
	defer b.Close()
	return sameText(a, b)
}

// sameText reports whether two files have the same content.
func sameText(a, b io.Reader) (bool, error) {
	x, y := make([]byte, 1<<16), make([]byte, 1<<16)
	for {
		n, more, err := fill(a, x)
		if err != nil {
			return false, err
		}
		m, _, err := fill(b, y)
		if err != nil {
			return false, err
		}
		if !more || !bytes.Equal(x[:n], y[:m]) {
			return bytes.Equal(x[:n], y[:m]), nil
		}
	}
}

// fill reads as much as a buffer takes, and reports whether there may be more.
func fill(r io.Reader, buffer []byte) (int, bool, error) {
	n, err := io.ReadFull(r, buffer)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return n, false, nil
	}
	if err != nil {
		err = fmt.Errorf("comparing with the destination: %w", plainError(err))
	}
	return n, true, err
}
