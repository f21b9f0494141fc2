package llbgen

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/stagecraft-build/stagecraft/frontend/plan"
)

// names gives every instance a name for plain Dockerfiles, and takes these
// names out again of all that a user sees.
type names struct {
	prefix string
	shown  []string // by number
	// instances are those of the numbers that name one.
	instances map[int]*plan.Instance
	// ofInstance are the names of instances, ofOther those of other stages by
	// what tells them apart.
	ofInstance map[*plan.Instance]string
	ofOther    map[string]string
}

// sealedHost is the registry of the images that stand for sealed sub-builds. No
// name below .invalid resolves (RFC 2606), should one ever be asked for.
const sealedHost = "stagecraft.invalid/"

// newNames takes a prefix that no file holds. It is short: what reads
// the text takes time for each letter.
func newNames(p *plan.Plan) *names {
	prefix := "s__"
	for _, f := range p.Files() {
		for bytes.Contains(f.Data, []byte(prefix)) {
			prefix = "s" + prefix
		}
	}
	return &names{
		prefix:     prefix,
		instances:  map[int]*plan.Instance{},
		ofInstance: map[*plan.Instance]string{},
		ofOther:    map[string]string{},
	}
}

// suffix ends the number of a name.
const suffix = "_i"

// add returns a new name that users see as shown.
func (n *names) add(shown string) string {
	n.shown = append(n.shown, shown)
	return n.prefix + strconv.Itoa(len(n.shown)-1) + suffix
}

// stage returns a stage name that users see as shown. key tells names apart
// that look the same.
func (n *names) stage(key, shown string) string {
	if _, ok := n.ofOther[key]; !ok {
		n.ofOther[key] = n.add(shown)
	}
	return n.ofOther[key]
}

// instance returns the stage name of inst.
func (n *names) instance(inst *plan.Instance) string {
	if _, ok := n.ofInstance[inst]; !ok {
		n.instances[len(n.shown)] = inst
		n.ofInstance[inst] = n.add(inst.Name)
	}
	return n.ofInstance[inst]
}

// given returns the stage name of inst, if it has got one.
func (n *names) given(inst *plan.Instance) (string, bool) {
	name, ok := n.ofInstance[inst]
	return name, ok
}

// token is a name in a text, with what upstream's converter puts around one that
// stands for an image.
type token struct{ start, end, number int }

// next finds the first name in text from an offset on.
func (n *names) next(text string, from int) (token, bool) {
	for {
		at := strings.Index(text[from:], n.prefix)
		if at < 0 {
			return token{}, false
		}
		t := token{start: from + at, end: from + at + len(n.prefix)}
		digits := t.end
		for t.end < len(text) && '0' <= text[t.end] && text[t.end] <= '9' {
			t.end++
		}
		number, err := strconv.Atoi(text[digits:t.end])
		if err != nil || number >= len(n.shown) || !strings.HasPrefix(text[t.end:], suffix) {
			from = t.end
			continue
		}
		t.number = number
		t.end += len(suffix)
		if strings.HasPrefix(text[t.end:], ":latest") {
			t.end += len(":latest")
		}
		for _, around := range []string{sealedHost, "docker.io/library/"} {
			if strings.HasSuffix(text[from:t.start], around) {
				t.start -= len(around)
			}
		}
		return t, true
	}
}

// find returns the number of the first name in text.
func (n *names) find(text string) (int, bool) {
	t, ok := n.next(text, 0)
	return t.number, ok
}

// image returns the reference of the image that stands for a sealed sub-build.
func (n *names) image(inst *plan.Instance) string { return sealedHost + n.instance(inst) }

// show puts the names that users know back into text.
func (n *names) show(text string) string {
	t, ok := n.next(text, 0)
	if !ok {
		return text
	}
	var out strings.Builder
	from := 0
	for ; ok; t, ok = n.next(text, from) {
		out.WriteString(text[from:t.start])
		out.WriteString(n.shown[t.number])
		from = t.end
	}
	out.WriteString(text[from:])
	return out.String()
}
