package lower

import (
	"github.com/containerd/platforms"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stagecraft-build/stagecraft/frontend/plan"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

// StandIn is what an image of a text stands for, when it is not the image of that
// name: an Image, a Context or a Changed.
type StandIn interface{ standIn() }

// Image is an image that something is copied from on a platform of its own. The
// stage that is built FROM it runs none of its triggers.
type Image struct{ Name string }

// Context is a named context for a platform of its own.
type Context struct {
	Name     string
	Platform ocispecs.Platform
}

// Changed is the base of an instance with the changes made.
type Changed struct{ Of *plan.Instance }

func (Image) standIn()   {}
func (Context) standIn() {}
func (Changed) standIn() {}

// standIn returns the image that stands for something. key tells it apart, name is
// what users see.
func (l *lowerer) standIn(key, name string, what StandIn) string {
	ref := Host + l.names().other(key, name)
	l.file.StandIns[ref] = what
	return ref
}

// context returns the image that stands for a named context on a platform.
func (l *lowerer) context(name string, platform ocispecs.Platform) string {
	return l.standIn("context "+name+" "+platforms.FormatAll(platform), name, Context{name, platform})
}

// bare returns a name that stands for an image without its triggers, which only a FROM runs.
func (l *lowerer) bare(image string) string {
	return l.standIn("image "+image, image, Image{image})
}

// changed returns the image that stands for the base of an instance with the changes made.
func (l *lowerer) changed(inst *plan.Instance) string {
	ref := l.names().Changed(inst)
	l.file.StandIns[ref] = Changed{inst}
	return ref
}

// ScratchContext is a named context that gives an empty filesystem of any platform:
// upstream's FROM scratch ignores --platform.
const ScratchContext = "stagecraft-scratch"

const scratch = "scratch"

// helpers writes the stages for images that instances copy from on a platform of
// their own: COPY --from has no flag for it.
func (l *lowerer) helpers() error {
	for _, inst := range l.unit.Instances {
		if !l.unit.foreign(inst) {
			continue
		}
		if !l.unit.whole && !inst.Replaced && inst.Base.To == nil && inst.Base.Name == scratch {
			if err := l.helper(inst, scratch, scratch, ScratchContext, inst.From); err != nil {
				return err
			}
		}
		for _, in := range inst.Instructions {
			for _, ref := range in.References {
				for _, e := range inst.Edges[ref] {
					if e.To != nil || e.Name == scratch || e.Context && !l.unit.whole {
						continue
					}
					if l.unit.whole {
						if err := l.helper(inst, e.Image(), e.Name, l.outside(e.Image()), in); err != nil {
							return err
						}
						continue
					}
					if err := l.helper(inst, e.Image(), e.Name, l.bare(e.Image()), in); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}

// helper writes a stage that is an image on the platform of inst; users see it as shown.
func (l *lowerer) helper(inst *plan.Instance, key, shown, image string, in *syntax.Instruction) error {
	key += " " + platforms.FormatAll(inst.Env.Platform)
	if _, ok := l.ofHelper[key]; ok {
		return nil
	}
	if l.expanding != nil {
		shown += " " + platforms.FormatAll(inst.Env.Platform)
	}
	l.ofHelper[key] = l.names().other("helper "+key, shown)
	if l.expanding != nil {
		platform := inst.Env.Platform
		l.expanding.add(&part{name: l.ofHelper[key], title: key, in: in, file: inst.Env.File(), write: func(l *lowerer) error {
			from := newFrom("FROM", image, l.expanding.as)
			from.on(platform)
			return l.from(in, from)
		}})
		return nil
	}
	from := newFrom("FROM", image, l.ofHelper[key])
	from.on(inst.Env.Platform)
	return l.from(in, from)
}

// helperOf returns the stage that is an image on the platform of inst.
func (l *lowerer) helperOf(inst *plan.Instance, name string) string {
	return l.ofHelper[name+" "+platforms.FormatAll(inst.Env.Platform)]
}
