package lower

import (
	"strconv"
	"strings"

	"github.com/stagecraft-build/stagecraft/internal/pattern"
)

// readableNames gives stages names that people read: build(PKG=./cmd/api) is
// build-cmd-api.
type readableNames struct {
	// taken are the names that stand for something: of stages, images and contexts.
	taken map[string]bool
	// picked are the names of all platforms: what is shown alike, the same often, has
	// one. seen is how often it was asked for.
	picked map[string]string
	seen   map[string]int
}

// newReadableNames takes the names that are taken.
func newReadableNames(taken map[string]bool) *readableNames {
	out := &readableNames{taken: map[string]bool{"": true, scratch: true, "context": true}}
	for name := range taken {
		out.taken[strings.ToLower(name)] = true
	}
	return out
}

var (
	bindingName = pattern.New(`[(,]\w+=`)
	noName      = pattern.New(`[^a-z0-9.]+|\.(\D|$)|(^|\D)\.`)
)

// maxName is how long a name is before it gets its number.
const maxName = 60

// pick returns a new name for what users see as shown.
func (r *readableNames) pick(shown string) string {
	key := shown
	if r.picked != nil {
		r.seen[shown]++
		key += " " + strconv.Itoa(r.seen[shown])
		if name, ok := r.picked[key]; ok {
			return name
		}
	}
	shown, _ = strings.CutPrefix(shown, "./")
	shown = strings.ReplaceAll(shown, "Dockerfile#", "#")
	name := bindingName().ReplaceAllString(shown, "-")
	name = strings.ToLower(name)
	for next := ""; next != name; { // a dot stands between digits only
		next = name
		name = noName().ReplaceAllStringFunc(name, func(part string) string {
			return strings.Map(func(c rune) rune {
				if 'a' <= c && c <= 'z' || '0' <= c && c <= '9' {
					return c
				}
				return '-'
			}, part)
		})
	}
	name = strings.Join(strings.FieldsFunc(name, func(c rune) bool { return c == '-' }), "-")
	if name == "" || name[0] < 'a' || name[0] > 'z' {
		name = strings.TrimRight("stage-"+name, "-")
	}
	name = strings.TrimRight(name[:min(len(name), maxName)], "-.")
	unique := name
	for n := 2; r.taken[unique]; n++ {
		unique = name + "-" + strconv.Itoa(n)
	}
	r.taken[unique] = true
	if r.picked != nil {
		r.picked[key] = unique
	}
	return unique
}
