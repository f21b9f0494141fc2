package report

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/containerd/platforms"

	"github.com/stagecraft-build/stagecraft/frontend/plan"
	"github.com/stagecraft-build/stagecraft/internal/tree"
)

// Size is how large what a build makes is, and what makes it so. Sizes are in bytes, unpacked:
// the lengths of regular files, holes counted, a file with several names once. Its JSON form is described
// by docs/schemas/size.json.
type Size struct {
	// Builds has an entry for each platform that the build asks for.
	Builds []SizeBuild `json:"builds"`
}

// SizeBuild is the size of the target for one platform.
type SizeBuild struct {
	Platform string `json:"platform"`
	// Stage is the target.
	Stage string `json:"stage"`
	Size  int64  `json:"size"`
	// Before is the size in the sizes compared with; nil where these do not have it.
	Before      *int64 `json:"before,omitempty"`
	Files       int    `json:"files"`
	Directories int    `json:"directories"`
	// Hidden are the bytes of files that later lines change or remove: they are in the layers.
	Hidden int64 `json:"hidden"`
	// LeftBehind are the bytes of all that was built or pulled for the image and is not part
	// of what it is built FROM; an image that several stages are built FROM counts once.
	LeftBehind int64 `json:"leftBehind"`
	// Lines are what the image consists of, in the order of its layers.
	Lines []SizeLine `json:"lines"`
	// Stages are the target and all stages that it needs, each behind those that it needs.
	Stages             []SizeStage  `json:"stages"`
	LargestDirectories []tree.Entry `json:"largestDirectories"`
	LargestFiles       []tree.Entry `json:"largestFiles"`

	// alone says that it was to be compared, and there is nothing of its platform.
	alone bool
}

// SizeLine is what a line of a file adds to an image.
type SizeLine struct {
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
	// Text is the line, the first one of an instruction.
	Text  string `json:"text"`
	Adds  int64  `json:"adds"`
	Hides int64  `json:"hides"`
}

// SizeStage is the size of a finished stage.
type SizeStage struct {
	Name     string `json:"name"`
	Platform string `json:"platform,omitempty"`
	File     string `json:"file,omitempty"`
	Line     int    `json:"line,omitempty"`
	Size     int64  `json:"size"`
	Before   *int64 `json:"before,omitempty"`
	// InImage says that it is the target, or what that is built FROM.
	InImage bool `json:"inImage"`
}

// Measured is a stage with its measurement; nil for one without files. Lines made the states of it;
// stages with one Image are built FROM the same one.
type Measured struct {
	*plan.Instance
	Report *tree.Report
	Lines  []SizeLine
	Image  string
}

// NewSizeBuild returns the size of the target of a plan, the root among the stages.
func NewSizeBuild(root *plan.Instance, stages []Measured, file string) SizeBuild {
	b := SizeBuild{Platform: platforms.FormatAll(root.Env.Platform), Stage: root.Name, Lines: []SizeLine{}, LargestDirectories: []tree.Entry{}, LargestFiles: []tree.Entry{}}
	inImage := map[*plan.Instance]bool{}
	addLayers(inImage, root)
	names := &builder{file: file}
	sizes := map[*plan.Instance]int64{}
	images := map[string]bool{}
	for _, m := range stages {
		if inImage[m.Instance] {
			images[m.Image] = true
		}
	}
	for _, m := range stages {
		name := m.Name
		if m.Bare {
			name = m.Base.Name
		}
		stage := SizeStage{Name: name, Platform: platforms.FormatAll(m.Platform()), File: names.fileOf(m.Instance), Line: m.From.StartLine, InImage: inImage[m.Instance]}
		if m.Report != nil {
			stage.Size = m.Report.Size()
		}
		sizes[m.Instance] = stage.Size
		b.Stages = append(b.Stages, stage)
		if m.Report != nil && !stage.InImage {
			b.LeftBehind += max(0, stage.Size-below(m, sizes))
			if !images[m.Image] && wholeBase(m) == nil {
				images[m.Image] = true
				b.LeftBehind += m.Report.Steps[0].Size
			}
		}
		if m.Instance == root && m.Report != nil {
			b.ofTarget(m)
		}
	}
	return b
}

// addLayers notes the stages whose layers a stage has: those that it is built FROM, and what a FROM
// --with adds to any of them.
func addLayers(all map[*plan.Instance]bool, inst *plan.Instance) {
	if inst == nil || all[inst] {
		return
	}
	all[inst] = true
	for use := range inst.Uses() {
		if use.Kind == plan.KindBase || use.Kind == plan.KindOperand {
			addLayers(all, use.To)
		}
	}
}

// below returns how much of a stage is what it is built FROM.
func below(m Measured, sizes map[*plan.Instance]int64) int64 {
	if base := wholeBase(m); base != nil {
		return sizes[base]
	}
	if len(m.Report.Steps) == 1 { // what it is built FROM is all that it is
		return m.Report.Size()
	}
	return m.Report.Steps[0].Size
}

// wholeBase returns the stage that a stage is built FROM; nil where that is an image.
func wholeBase(m Measured) *plan.Instance {
	for inst := m.Base.To; inst != nil; inst = inst.Base.To {
		if !inst.Goes && !inst.Bare {
			return inst
		}
	}
	return nil
}

func (b *SizeBuild) ofTarget(m Measured) {
	r := m.Report
	b.Size, b.Files, b.Directories = r.Size(), r.Files, r.Directories
	b.LargestDirectories, b.LargestFiles = append(b.LargestDirectories, r.LargestDirectories...), append(b.LargestFiles, r.LargestFiles...)
	for i, line := range m.Lines {
		line.Adds, line.Hides = r.Steps[i].Adds, r.Steps[i].Hides
		b.Hidden += line.Hides
		b.Lines = append(b.Lines, line)
	}
}

// Compare notes what the sizes were before.
func (s *Size) Compare(before *Size) {
	for i := range s.Builds {
		now := &s.Builds[i]
		now.alone = true
		for _, old := range before.Builds {
			if old.Platform != now.Platform {
				continue
			}
			now.Before, now.alone = &old.Size, false
			for j := range now.Stages {
				stage := &now.Stages[j]
				for _, was := range old.Stages {
					if was.Name == stage.Name && was.Platform == stage.Platform {
						stage.Before = &was.Size
					}
				}
			}
		}
	}
}

// ReadSize reads sizes from their JSON form.
func ReadSize(data []byte) (*Size, error) {
	var s Size
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, err
	}
	if len(s.Builds) == 0 {
		return nil, fmt.Errorf("it has no sizes")
	}
	return &s, nil
}

// JSON returns the sizes as docs/schemas/size.json describes them.
func (s *Size) JSON() ([]byte, error) { return json.MarshalIndent(s, "", "  ") }

// Text returns the sizes as tables that fit a terminal.
func (s *Size) Text() string {
	var out strings.Builder
	for i := range s.Builds {
		if i > 0 {
			out.WriteByte('\n')
		}
		s.Builds[i].write(&out)
	}
	return out.String()
}
