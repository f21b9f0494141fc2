package llbgen

import (
	"fmt"

	"github.com/containerd/platforms"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stagecraft-build/stagecraft/frontend/plan"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

// foreignContext is a named context on a platform other than the unit's.
type foreignContext struct {
	name     string
	platform ocispecs.Platform
}

// helperStages writes the stages for images that instances copy from on a
// platform of their own: COPY --from has no flag for it.
func (l *lowerer) helperStages() {
	for _, inst := range l.unit.instances {
		if !l.foreign(inst) {
			continue
		}
		if inst.Base.To == nil && inst.Base.Name == scratch {
			l.helper(inst, scratch, scratchContext, inst.Stage.From)
		}
		for _, in := range inst.Instructions {
			for _, ref := range in.References {
				for _, e := range inst.Edges[ref] {
					switch {
					case e.To != nil || e.Name == scratch:
					case e.Context:
						l.contexts[l.contextOf(inst, e)] = foreignContext{e.Name, inst.Env.Platform}
					default:
						l.helper(inst, e.Name, l.imageOf(e), in)
					}
				}
			}
		}
	}
}

const (
	scratch = "scratch"
	// scratchContext is a named context that gives an empty filesystem of any
	// platform: upstream's FROM scratch ignores --platform.
	scratchContext = "stagecraft-scratch"
)

// imageOf returns what a helper stage for an image is built FROM: a name that
// stands for it without its triggers, which only a FROM runs.
func (l *lowerer) imageOf(e plan.Edge) string {
	token := sealedHost + l.names.stage("image "+e.Name, e.Name)
	l.images[token] = e.Name
	return token
}

// contextOf returns the image that stands for a named context on the platform
// of inst.
func (l *lowerer) contextOf(inst *plan.Instance, e plan.Edge) string {
	return sealedHost + l.names.stage("context "+e.Name+" "+platforms.FormatAll(inst.Env.Platform), e.Name)
}

// helper writes a stage that is an image on the platform of inst.
func (l *lowerer) helper(inst *plan.Instance, key, image string, in *syntax.Instruction) {
	platform := platforms.FormatAll(inst.Env.Platform)
	label := key
	key += " " + platform
	if _, ok := l.helpers[key]; ok {
		return
	}
	name := l.names.stage("helper "+key, label)
	l.helpers[key] = name
	l.stages++
	l.write(fmt.Sprintf("FROM --platform=%s %s AS %s", platform, image, name), in)
	l.origins[len(l.origins)-1].platform = true
}

func (l *lowerer) helperOf(inst *plan.Instance, name string) string {
	return l.helpers[name+" "+platforms.FormatAll(inst.Env.Platform)]
}
