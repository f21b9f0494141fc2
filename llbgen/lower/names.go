package lower

import (
	"slices"
	"strconv"
	"strings"

	"github.com/stagecraft-build/stagecraft/frontend/plan"
)

// Names gives every instance a name for plain Dockerfiles, and takes these names
// out again of all that a user sees.
type Names struct {
	prefix string
	shown  []string // by number
	// instances are those of the numbers that name one.
	instances map[int]*plan.Instance
	// ofInstance are the names of instances, ofOther those of other stages and
	// images by what tells them apart.
	ofInstance map[*plan.Instance]string
	ofOther    map[string]string
	// readable makes the names that people read; nil where none does.
	readable *readableNames
}

// Host is the registry of the images that stand for something else. No name below
// .invalid resolves (RFC 2606), should one ever be asked for.
const Host = "stagecraft.invalid/"

// NewNames takes a prefix that neither a file nor a value of the build holds. It is
// short: what reads the text takes time for each letter.
func NewNames(p *plan.Plan) *Names {
	prefix := "s__"
	avoid := func(text string) {
		for text = strings.ToLower(text); strings.Contains(text, prefix); {
			prefix = "s" + prefix
		}
	}
	for _, f := range p.Files() {
		avoid(string(f.Data))
	}
	for _, inst := range p.Instances {
		for _, value := range inst.Env.Args {
			avoid(value)
		}
		for e := range inst.All() {
			avoid(e.Name)
		}
	}
	return &Names{
		prefix:     prefix,
		instances:  map[int]*plan.Instance{},
		ofInstance: map[*plan.Instance]string{},
		ofOther:    map[string]string{},
	}
}

// suffix ends the number of a name.
const suffix = "_i"

// add returns a new name that users see as shown.
func (n *Names) add(shown string) string {
	if n.readable != nil {
		return n.readable.pick(shown)
	}
	n.shown = append(n.shown, shown)
	return n.prefix + strconv.Itoa(len(n.shown)-1) + suffix
}

// other returns a name that users see as shown. key tells names apart that look
// the same.
func (n *Names) other(key, shown string) string {
	if _, ok := n.ofOther[key]; !ok {
		n.ofOther[key] = n.add(shown)
	}
	return n.ofOther[key]
}

// instance returns the stage name of inst.
func (n *Names) instance(inst *plan.Instance) string {
	if _, ok := n.ofInstance[inst]; !ok {
		n.instances[len(n.shown)] = inst
		n.ofInstance[inst] = n.add(inst.Name)
	}
	return n.ofInstance[inst]
}

// Given returns the stage name of inst, if it has got one.
func (n *Names) Given(inst *plan.Instance) (string, bool) {
	name, ok := n.ofInstance[inst]
	return name, ok
}

// Image returns the reference of the image that stands for the sub-build of inst.
func (n *Names) Image(inst *plan.Instance) string { return Host + n.instance(inst) }

// Changed returns the reference of the image that stands for the base of inst with the
// changes made.
func (n *Names) Changed(inst *plan.Instance) string {
	return Host + n.other("changed "+strconv.Itoa(inst.ID), inst.Base.Title())
}

// token is a name in a text, with what upstream's converter puts around one that
// stands for an image.
type token struct{ start, end, number int }

// next finds the first name in text from an offset on. Upstream writes the first
// word of an instruction in capitals, so a name may stand there in capitals too.
func (n *Names) next(text string, from int) (token, bool) {
	for {
		at := indexEither(text[from:], n.prefix, strings.ToUpper(n.prefix))
		if at < 0 {
			return token{}, false
		}
		t := token{start: from + at, end: from + at + len(n.prefix)}
		digits := t.end
		for t.end < len(text) && '0' <= text[t.end] && text[t.end] <= '9' {
			t.end++
		}
		number, err := strconv.Atoi(text[digits:t.end])
		if err != nil || number >= len(n.shown) || !hasPrefixFold(text[t.end:], suffix) {
			from = t.end
			continue
		}
		t.number = number
		t.end += len(suffix)
		if hasPrefixFold(text[t.end:], ":latest") {
			t.end += len(":latest")
		}
		for _, around := range []string{Host, "docker.io/library/"} {
			if before := text[from:t.start]; len(before) >= len(around) && strings.EqualFold(before[len(before)-len(around):], around) {
				t.start -= len(around)
			}
		}
		return t, true
	}
}

// indexEither returns where the first of two texts stands; negative for none.
func indexEither(text, a, b string) int {
	i, j := strings.Index(text, a), strings.Index(text, b)
	if i < 0 || j >= 0 && j < i {
		return j
	}
	return i
}

func hasPrefixFold(text, prefix string) bool {
	return len(text) >= len(prefix) && strings.EqualFold(text[:len(prefix)], prefix)
}

// Find returns the instance that the first name in text names; nil for none.
func (n *Names) Find(text string) *plan.Instance {
	t, ok := n.next(text, 0)
	if !ok {
		return nil
	}
	return n.instances[t.number]
}

// Show puts the names that users know back into text.
func (n *Names) Show(text string) string {
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

// naming is what the stages of one text are called.
type naming struct {
	*Names
	// own are the stages of which an instance keeps the name.
	own map[*plan.Instance]bool
	// taken are their names.
	taken map[string]bool
}

// newNaming lets a stage keep its name in the instance that the file itself means
// by it.
func newNaming(u *Unit, n *Names) *naming {
	out := &naming{n, map[*plan.Instance]bool{}, map[string]bool{}}
	keep := func(inst *plan.Instance) {
		out.own[inst] = true
		out.taken[inst.Stage.Name] = true
	}
	if u.epoch != nil { // upstream looks for it by its name
		keep(u.epoch)
	}
	for _, inst := range slices.Backward(u.Instances) {
		if inst.Stage.Name != "" && inst.Name == inst.Stage.Name && !out.taken[inst.Name] && u.like(inst) {
			keep(inst)
		}
	}
	return out
}

// name returns the stage name of inst in the text.
func (n *naming) name(inst *plan.Instance) string {
	if n.own[inst] {
		return inst.Stage.Name
	}
	return n.instance(inst)
}
