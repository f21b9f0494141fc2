package syntax

import (
	"fmt"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
)

// ImportedMount returns a MOUNT of the file as a file that imports it as alias
// writes it: it has to mean there what it means here. apart says that the other file
// has another build context.
func (f *File) ImportedMount(alias, name string, apart bool) (string, error) {
	found, ok := f.mounts.global[name]
	if !ok {
		return "", (&mounts{global: f.mounts.global}).unknown(name)
	}
	if strings.Contains(found.spec.text, "$") {
		return "", fmt.Errorf("MOUNT %s has a variable, which would mean another one here: it cannot be lent", name)
	}
	if m, err := f.readMount(found.spec); apart && err == nil && m.Type == instructions.MountTypeBind && m.From == "" {
		return "", fmt.Errorf("MOUNT %s takes from the build context of its own file, which is another one: give the IMPORT --context=., or name a stage there", name)
	}
	in := &Instruction{file: f, Line: "--mount=" + found.spec.text}
	if err := in.scanMount(readFlag(in.Line, 0, f.Escape)); err != nil {
		return "", err
	}
	spec := in.Line
	for _, ref := range slices.Backward(in.References) {
		if im, _ := f.imports(ref.Target); im != nil || IsFile(ref.Target) || ref.Call {
			return "", fmt.Errorf("MOUNT %s takes from %s, and only stages of its own file can be lent: name one there that is built FROM it", name, ref.Text)
		}
		stage := slices.ContainsFunc(f.Stages, func(stage *Stage) bool { return stage.Name == strings.ToLower(ref.Target) })
		if stage {
			spec = spec[:ref.TargetSpan.Start] + alias + "." + spec[ref.TargetSpan.Start:]
		}
	}
	return strings.TrimPrefix(spec, "--mount="), nil
}

// lentImage is an image from which a lent mount takes.
type lentImage struct {
	mount, image string
	place        diagnostic.Place
}

// lend notes the images from which a mount of an imported file takes: a stage of this
// file may have the name of one.
func (f *File) lend(im *Import, name, spec string, place diagnostic.Place) error {
	in := &Instruction{file: f, Line: "--mount=" + spec}
	if err := in.scanMount(readFlag(in.Line, 0, f.Escape)); err != nil {
		return diagnostic.At(place, err)
	}
	for _, ref := range in.References {
		if !strings.HasPrefix(ref.Target, im.Alias+".") {
			f.lent = append(f.lent, lentImage{name, ref.Target, place})
		}
	}
	return nil
}

// checkLent refuses lent mounts that would take from a stage of this file.
func (f *File) checkLent() error {
	for _, lent := range f.lent {
		for _, stage := range f.Stages {
			if stage.Name == strings.ToLower(lent.image) {
				return diagnostic.Errorf(lent.place, "the mount %s takes from the image %s, and %s is a stage here (line %d): give the stage another name", lent.mount, lent.image, stage, stage.From.StartLine)
			}
		}
	}
	return nil
}
