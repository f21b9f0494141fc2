package plan

import "fmt"

// merge makes the ENVs those of a base to which operands add theirs. What only the images below them
// know, and the PATH of which each has entries, is unknown.
func (s *scope) merge(m Merge) {
	for _, o := range m.Operands {
		if !o.Nothing {
			s.add(m, o)
		}
	}
}

// add adds the ENVs of one operand.
func (s *scope) add(m Merge, o Operand) {
	below := o.below
	if below == nil { // it is built FROM scratch
		below = &scope{}
	}
	if o.names.opened != nil && o.names.opened != below.opened {
		s.open(o.names.opened)
	}
	lost := func(name string) value {
		return value{set: true, declared: true, unknown: &unknown{name: name, base: fmt.Sprintf("what line %d merges", m.In.StartLine)}}
	}
	set := func(name string, v value) {
		s.local[name] = v
		s.setConfig(name, v)
	}
	for name, v := range o.names.config {
		was, had := below.config[name]
		mine, has := s.config[name]
		switch {
		case had && v.unknown == nil && was.unknown == nil && v.text == was.text: // it has not changed it
			continue
		case name == pathName, !had && below.base != "" && has && (mine.unknown != nil || mine.text != v.text):
			v = lost(name)
		}
		if v.arg, v.own = false, false; o.Edge.Sealed && !o.Edge.Open {
			v.deps = nil // all that a call reads is noted where it is planned
		}
		set(name, v)
	}
	for name := range s.config {
		_, had := below.config[name]
		_, has := o.names.config[name]
		if had && !has || !has && o.names.takenBy(name) != nil && below.takenBy(name) == nil {
			set(name, lost(name))
		}
	}
}
