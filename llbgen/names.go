package llbgen

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"

	"github.com/stagecraft-build/stagecraft/frontend/plan"
)

// names gives every instance a name for plain Dockerfiles, and takes these
// names out again of all that a user sees.
type names struct {
	prefix  string
	pattern *regexp.Regexp
	shown   []string // by number
	// instances are those of the numbers that name one.
	instances map[int]*plan.Instance
	numbers   map[string]int
}

// sealedHost is the registry of the images that stand for sealed sub-builds. No
// name below .invalid resolves (RFC 2606), should one ever be asked for.
const sealedHost = "stagecraft.invalid/"

// newNames takes a prefix that the file does not hold.
func newNames(p *plan.Plan) *names {
	prefix := "stagecraft-"
	for bytes.Contains(p.File.Data, []byte(prefix)) {
		prefix += "x-"
	}
	return &names{
		prefix:    prefix,
		pattern:   regexp.MustCompile(`(?:(?:docker\.io/library/)?` + regexp.QuoteMeta(sealedHost) + `)?` + regexp.QuoteMeta(prefix) + `(\d+)-i(?::latest)?`),
		instances: map[int]*plan.Instance{},
		numbers:   map[string]int{},
	}
}

// stage returns a stage name that users see as shown. key tells names apart
// that look the same.
func (n *names) stage(key, shown string) string {
	number, ok := n.numbers[key]
	if !ok {
		number = len(n.shown)
		n.shown = append(n.shown, shown)
		n.numbers[key] = number
	}
	return n.prefix + strconv.Itoa(number) + "-i"
}

// instance returns the stage name of inst.
func (n *names) instance(inst *plan.Instance) string {
	key := "instance " + strconv.Itoa(inst.ID)
	name := n.stage(key, inst.Name)
	n.instances[n.numbers[key]] = inst
	return name
}

// given returns the stage name of inst, if it has got one.
func (n *names) given(inst *plan.Instance) (string, bool) {
	number, ok := n.numbers["instance "+strconv.Itoa(inst.ID)]
	return n.prefix + strconv.Itoa(number) + "-i", ok
}

// find returns the number of the first name in text.
func (n *names) find(text string) (int, bool) {
	if !strings.Contains(text, n.prefix) {
		return 0, false
	}
	match := n.pattern.FindStringSubmatch(text)
	if match == nil {
		return 0, false
	}
	number, err := strconv.Atoi(match[1])
	return number, err == nil && number < len(n.shown)
}

// image returns the reference of the image that stands for a sealed sub-build.
func (n *names) image(inst *plan.Instance) string { return sealedHost + n.instance(inst) }

// show puts the names that users know back into text.
func (n *names) show(text string) string {
	if !strings.Contains(text, n.prefix) {
		return text
	}
	return n.pattern.ReplaceAllStringFunc(text, func(token string) string {
		number, err := strconv.Atoi(n.pattern.FindStringSubmatch(token)[1])
		if err != nil || number >= len(n.shown) {
			return token
		}
		return n.shown[number]
	})
}
