package syntax

import (
	"fmt"
	"slices"
)

// Uses reports whether the instruction has $NAME or ${NAME.
func (in *Instruction) Uses(name string) bool {
	if in.Values != nil { // the variables are those of what it takes from
		return false
	}
	return usesVariable(in.Line, name) || usesVariable(in.Heredocs(), name)
}

// Conditional reports whether an instruction below the FROM, or a line of one, has
// a condition.
func (s *Stage) Conditional() bool {
	return slices.ContainsFunc(s.Instructions, func(in *Instruction) bool { return in.Conditional() || in.lines != nil })
}

func usesVariable(text, name string) bool {
	for _, match := range variables().FindAllStringSubmatch(text, -1) {
		if match[1] == name {
			return true
		}
	}
	return false
}

// Stage is a FROM with the instructions up to the next one.
type Stage struct {
	// Index counts from 0.
	Index int
	// Name is in lower case; empty without AS.
	Name         string
	From         *Instruction
	Instructions []*Instruction
}

// String returns the stage's name as upstream shows it in the progress.
func (s *Stage) String() string {
	if s.Name == "" {
		return fmt.Sprintf("stage-%d", s.Index)
	}
	return s.Name
}
