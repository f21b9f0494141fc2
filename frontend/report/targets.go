package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/moby/buildkit/frontend/subrequests/targets"
	"github.com/moby/buildkit/solver/pb"

	"github.com/stagecraft-build/stagecraft/frontend/plan"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

// TargetsVersion is the version of Targets. Clients that know an older one
// only print the text.
const TargetsVersion = "1.1.0"

// Targets lists the stages of a file with what they are called with: upstream's
// list, with parameters added to each stage. Its JSON form is described by
// docs/schemas/targets.json.
type Targets struct {
	Targets []Target `json:"targets"`
	Sources [][]byte `json:"sources"`
}

// Target is a stage.
type Target struct {
	targets.Target
	// Condition is that of the FROM as written, without the quotes.
	Condition  string      `json:"condition,omitempty"`
	Parameters []Parameter `json:"parameters,omitempty"`
}

// Parameter is an ARG that a stage, or a stage that it uses, reads.
type Parameter struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	// Default is the default as written; nil when the ARG has none.
	Default *string `json:"default,omitempty"`
	// Value is what the ARG has in this build, as the outline shows it; nil when it
	// has none, or the stage is not planned.
	Value *string `json:"value,omitempty"`
	// Required asks for a value, OneOf are those that are allowed.
	Required bool         `json:"required,omitempty"`
	OneOf    []string     `json:"oneof,omitempty"`
	Location *pb.Location `json:"location,omitempty"`

	text string // the description in the table
}

// NewTargets lists the stages of file. p, a plan of all stages, tells what they
// read; without one only the ARGs of the stage itself count.
func NewTargets(file *syntax.File, p *plan.Plan) *Targets {
	out := &Targets{Sources: [][]byte{file.Data}}
	instances := map[*syntax.Stage]*plan.Instance{}
	var env *plan.Environment
	if p != nil {
		env = p.Root.Env
		for _, inst := range append([]*plan.Instance{p.Root}, p.Kept...) {
			instances[inst.Stage] = inst
		}
	}
	for _, stage := range file.Stages {
		st, refs := stage.From.Stage(), stage.From.References
		parameters := plan.StageParameters(stage, env)
		if inst, ok := instances[stage]; ok {
			parameters = plan.Parameters(inst)
		}
		out.Targets = append(out.Targets, Target{
			Target: targets.Target{
				Name:        stage.Name,
				Default:     defaultStage(p, file) == stage,
				Description: stage.From.Description(),
				Base:        refs[len(refs)-1].Text,
				Platform:    st.Platform,
				Location:    lines(stage.From),
			},
			Condition:  conditionOf(stage),
			Parameters: parametersOf(parameters),
		})
	}
	return out
}

func conditionOf(stage *syntax.Stage) string {
	return stage.From.When()
}

// defaultStage returns the stage that a build without a target gives.
func defaultStage(p *plan.Plan, file *syntax.File) *syntax.Stage {
	if p != nil {
		return p.Default
	}
	return file.Stages[len(file.Stages)-1]
}

func lines(in *syntax.Instruction) *pb.Location {
	loc := &pb.Location{}
	for _, r := range in.Location() {
		loc.Ranges = append(loc.Ranges, &pb.Range{Start: &pb.Position{Line: int32(r.Start.Line)}, End: &pb.Position{Line: int32(r.End.Line)}})
	}
	return loc
}

func parametersOf(list []plan.Parameter) []Parameter {
	out := make([]Parameter, 0, len(list))
	for _, p := range list {
		var v *string
		if p.Set {
			v = &p.Value
		}
		out = append(out, Parameter{p.Name, p.Description, p.Default, v, p.Flags.Required, p.Flags.OneOf, lines(p.In), p.Describe()})
	}
	return out
}

// JSON returns the list as docs/schemas/targets.json describes it.
func (t *Targets) JSON() ([]byte, error) { return json.MarshalIndent(t, "", "  ") }

// Text returns the list as a table, the parameters of a stage below it.
func (t *Targets) Text() string {
	var out bytes.Buffer
	w := tabwriter.NewWriter(&out, 0, 0, 3, ' ', 0)
	fmt.Fprint(w, "TARGET\tDEFAULT\tDESCRIPTION\n")
	for _, target := range t.Targets {
		name := target.Name
		if target.Default {
			name = strings.TrimSpace(name + " (default)")
		}
		if name == "" {
			name = "(no name)"
		}
		description := target.Description
		if target.Condition != "" {
			description = strings.TrimSpace(description + " (if " + target.Condition + ")")
		}
		fmt.Fprintf(w, "%s\t\t%s\n", name, description)
		for _, p := range target.Parameters {
			value := ""
			switch {
			case p.Value != nil:
				value = *p.Value
			case p.Default != nil:
				value = *p.Default
			}
			fmt.Fprintf(w, "  %s\t%s\t%s\n", p.Name, value, p.text)
		}
	}
	_ = w.Flush() // to memory
	var text strings.Builder
	for line := range strings.Lines(out.String()) {
		text.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	return text.String()
}
