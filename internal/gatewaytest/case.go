package gatewaytest

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/moby/buildkit/client/llb"
	"golang.org/x/tools/txtar"
)

// Case returns the build that an archive describes. All of its files are the
// build's, in its Dockerfile's folder and its context alike, but for
//
//   - "want", which is not read;
//   - "options", a frontend option a line, as KEY=VALUE. A value in double
//     quotes is a Go string. OLD=1 stands for an engine without the newer ops.
//     A context from an input ("context:x=input:y") gets that input;
//   - "images", what the registry has of some images, a line for each platform:
//     REFERENCE PLATFORM [NAME=VALUE…], with the ENVs that the image has there.
//     ONBUILD=TRIGGER gives it a trigger as well, whose spaces are written +.
//     A reference alone is an image that the registry lacks;
//   - SOURCE!PATH, a file of another source: of a repository
//     (git://host/repository#v1), or of a local directory by its name.
func Case(archive *txtar.Archive) (Build, error) {
	b := Dockerfile("")
	files := map[string]string{}
	b.Files = map[string]map[string]string{"dockerfile": files, "context": files}
	for _, f := range archive.Files {
		var err error
		text := string(f.Data)
		source, name, other := strings.Cut(f.Name, "!")
		switch {
		case f.Name == "want":
		case f.Name == "options":
			err = b.readOptions(text)
		case f.Name == "images":
			b.readImages(text)
		case other:
			if b.Files[source] == nil {
				b.Files[source] = map[string]string{}
			}
			b.Files[source][name] = text
		default:
			files[f.Name] = text
		}
		if err != nil {
			return Build{}, err
		}
	}
	return b, nil
}

func (b *Build) readOptions(text string) error {
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		if !ok {
			return fmt.Errorf("the option %q has no value", key)
		}
		if strings.HasPrefix(value, `"`) {
			var err error
			if value, err = strconv.Unquote(value); err != nil {
				return fmt.Errorf("option %s: %w", key, err)
			}
		}
		if key == "OLD" {
			b.Old = true
			continue
		}
		b.Opts[key] = value
		if input, ok := strings.CutPrefix(value, "input:"); ok && strings.HasPrefix(key, "context:") {
			if b.Inputs == nil {
				b.Inputs = map[string]llb.State{}
			}
			b.Inputs[input] = llb.Scratch().File(llb.Mkfile("/input", 0o644, []byte(input)), llb.WithCustomName("[input "+input+"]"))
		}
	}
	return nil
}

func (b *Build) readImages(text string) {
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		switch {
		case len(words) == 0:
		case len(words) == 1:
			b.Missing = append(b.Missing, words[0])
		default:
			if b.Images == nil {
				b.Images = map[string]map[string][]string{}
			}
			if b.Images[words[0]] == nil {
				b.Images[words[0]] = map[string][]string{}
			}
			b.Images[words[0]][words[1]] = words[2:]
		}
	}
}
