package report

import "encoding/json"

// Expansion is a build as a plain Dockerfile. Its JSON form is described by
// docs/schemas/expand.json.
type Expansion struct {
	// Text is the Dockerfile.
	Text string `json:"text"`
	// AsItIs says that the file is plain, and was given back but for its syntax line.
	AsItIs bool `json:"asItIs,omitempty"`
	// Target is the last stage, Checks the one that needs all gates.
	Target string `json:"target,omitempty"`
	Checks string `json:"checks,omitempty"`
	// Pass are the options that a build of the text needs as this one did.
	Pass []string `json:"pass,omitempty"`
	// Ignore is the ignore file of the Dockerfile, of which the text needs a copy.
	Ignore string `json:"ignore,omitempty"`
	// Lines say where the instructions of the text come from.
	Lines []ExpandedLine `json:"lines,omitempty"`
}

// ExpandedLine are lines of the text that come from one instruction.
type ExpandedLine struct {
	First int `json:"first"`
	Last  int `json:"last"`
	// File, Line and End are where the instruction stands, Stage is what users call
	// the stage or call that it is part of.
	File  string `json:"file"`
	Line  int    `json:"line"`
	End   int    `json:"end"`
	Stage string `json:"stage,omitempty"`
}

// JSON returns the expansion as docs/schemas/expand.json describes it.
func (e *Expansion) JSON() ([]byte, error) { return json.MarshalIndent(e, "", "  ") }
