package llbgen

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/docker/cli/pkg/kvfile"
	"github.com/moby/buildkit/frontend/dockerfile/command"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
	"github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/util/suggest"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stagecraft-build/stagecraft/frontend/plan"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
	"github.com/stagecraft-build/stagecraft/internal/pattern"
)

// maxValues is how many bytes a file of an ENV --file or LABEL --file has
// (docs/reference/limits.md).
const maxValues = 1 << 20

// pair is a name and its value.
type pair struct{ name, value string }

// available are the values that an ENV --from or LABEL --from may take.
type available struct {
	// names are those that can be taken, env what a word behind an equals sign sees.
	names, env []pair
	// what is what has them, in a message.
	what string
}

// take sets what an ENV --from or LABEL --from takes in an image that an instance is built on.
func (b *build) take(ctx context.Context, of *plan.Instance, img *dockerspec.DockerOCIImage, t plan.Take, created *time.Time) error {
	values, err := b.taken(ctx, of, img, t)
	if err != nil {
		return err
	}
	for _, v := range values {
		if t.In.Values.Env() {
			setEnv(&img.Config, v.name, v.value)
			continue
		}
		if img.Config.Labels == nil {
			img.Config.Labels = map[string]string{}
		}
		img.Config.Labels[v.name] = v.value
	}
	img.History = append(img.History, ocispecs.History{CreatedBy: t.In.Values.String(), Comment: historyComment, EmptyLayer: true, Created: created})
	return nil
}

// taken returns what an instruction sets.
func (b *build) taken(ctx context.Context, of *plan.Instance, img *dockerspec.DockerOCIImage, t plan.Take) ([]pair, error) {
	v := t.In.Values
	var from available
	var err error
	switch {
	case v.File == "":
		from, err = b.valuesOfConfig(ctx, t)
	case b.asks: // no stage is built: the names have values that nobody knows
		b.guessed.Store(true)
		var out []pair
		for _, n := range v.Names {
			out = append(out, pair{n.Name, b.unknown})
		}
		if len(v.Names) == 0 && v.Env() {
			for _, name := range b.mayTake(of, img) {
				out = append(out, pair{name, b.unknown})
			}
		}
		return out, nil
	default:
		from, err = b.valuesOfFile(ctx, t)
	}
	if err != nil {
		return nil, err
	}
	if len(v.Names) == 0 {
		return from.names, nil
	}
	var out []pair
	for _, n := range v.Names {
		value, err := from.value(t.In, n)
		if err == nil {
			err = refuseValue(value)
		}
		if err != nil {
			return nil, t.In.Error(n.Span, err)
		}
		out = append(out, pair{n.Name, value})
	}
	return out, nil
}

// mayTake returns the names that an ENV may take when it takes all that a file has: those in URLs
// below it that nothing else gives a value. The sources of a build hang on no others.
func (b *build) mayTake(of *plan.Instance, img *dockerspec.DockerOCIImage) []string {
	var out []string
	for _, inst := range b.plan.Instances {
		on := inst
		for on != nil && on != of {
			on = on.Base.To
		}
		if on == nil {
			continue
		}
		for _, in := range inst.Instructions {
			if in.Keyword != command.Add {
				continue
			}
			for _, name := range syntax.Variables(in.Line) {
				set := slices.ContainsFunc(img.Config.Env, func(kv string) bool { return strings.HasPrefix(kv, name+"=") })
				if !set && !plan.Predefined(name) && !inst.Declares(syntax.Word{Text: name}) {
					out = append(out, name)
				}
			}
		}
	}
	return out
}

// source converts what values come from.
func (b *build) source(ctx context.Context, t plan.Take) (*converted, error) {
	return b.convert(ctx, b.parts[b.names.Image(t.From.To)])
}

// valuesOfConfig returns those of an image config.
func (b *build) valuesOfConfig(ctx context.Context, t plan.Take) (available, error) {
	from, err := b.source(ctx, t)
	if err != nil {
		return available{}, err
	}
	config := from.result.Image.Config
	out := available{what: t.In.Values.From.Text + " has no ENV"}
	for _, kv := range config.Env {
		name, value, _ := strings.Cut(kv, "=")
		out.env = append(out.env, pair{name, value})
	}
	if out.names = out.env; t.In.Values.Env() {
		return out, nil
	}
	out.what = t.In.Values.From.Text + " has no LABEL"
	out.names = nil
	for name, value := range config.Labels {
		out.names = append(out.names, pair{name, value})
	}
	return out, nil
}

// valuesOfFile returns those of a file of a stage, which is built first.
func (b *build) valuesOfFile(ctx context.Context, t plan.Take) (available, error) {
	v := t.In.Values
	name := v.File + " of " + v.From.Text
	data, err := b.readFile(ctx, t)
	if err != nil {
		return available{}, err
	}
	var all []pair
	for n, line := range strings.Split(data, "\n") {
		one, err := parsePair(strings.TrimSuffix(line, "\r"))
		if err == nil && one != nil && len(v.Names) == 0 {
			if err = refuseValue(one.value); err == nil {
				err = refuseKnown(t, one.name)
			}
		}
		if err != nil {
			return available{}, t.In.Errorf(v.FileSpan, "%s, line %d: %w", name, n+1, err)
		}
		if one != nil { // the last one of a name counts
			all = append(slices.DeleteFunc(all, func(p pair) bool { return p.name == one.name }), *one)
		}
	}
	if len(all) == 0 {
		return available{}, t.In.Errorf(v.FileSpan, "%s has no line of the form KEY=VALUE", name)
	}
	return available{names: all, env: all, what: name + " has no"}, nil
}

// parsePair reads one line of an env file of Docker; nil for an empty one, or a comment.
func parsePair(line string) (*pair, error) {
	without := ""
	list, err := kvfile.ParseFromReader(strings.NewReader(line), func(key string) (string, bool) {
		without = key
		return "", false
	})
	switch {
	case errors.Is(err, bufio.ErrTooLong):
		return nil, errors.New("the line has 64 KiB or more")
	case err != nil:
		return nil, errors.New(strings.ReplaceAll(err.Error(), "at line 1: ", ""))
	case without != "":
		return nil, fmt.Errorf("%s has no value: write the = and a value, or take the line out", shown(without))
	case len(list) == 0:
		return nil, nil
	}
	name, value, _ := strings.Cut(list[0], "=")
	return &pair{name, value}, nil
}

// refuseKnown refuses a name of a file of which all lines are taken where the plan of the stage
// hangs on another value of it.
func refuseKnown(t plan.Take, name string) error {
	if t.In.Values.Env() && plan.Predefined(name) {
		return fmt.Errorf("%s is what every build has an ARG of: write behind that --file which names the line takes", name)
	}
	if t.In.Values.Env() && slices.Contains(t.Declared, name) {
		return fmt.Errorf("%s is an ARG of the stage: write behind that --file which names the line takes, or put it in front of the ARG", name)
	}
	return nil
}

// refuseValue refuses what no line of a Dockerfile could say.
func refuseValue(value string) error {
	switch {
	case !utf8.ValidString(value):
		return fmt.Errorf("the value is not UTF-8: %s", shown(value))
	case strings.ContainsAny(value, "\r\n\x00"):
		return fmt.Errorf("the value is %s, which is not one line of text", shown(value))
	}
	return nil
}

// shown is a value as a message shows it.
func shown(value string) string {
	if len(value) > 60 {
		value = value[:60] + "…"
	}
	return fmt.Sprintf("%q", value)
}

// value returns the value of one name.
func (a available) value(in *syntax.Instruction, n syntax.TakenValue) (string, error) {
	if !n.Computed {
		if value, ok := find(a.names, n.Name); ok {
			return value, nil
		}
		return "", a.missing(n.Name, a.names)
	}
	seen := &environment{pairs: a.env}
	value, _, err := shell.NewLex(in.File().Escape).ProcessWord(n.Expression, seen)
	if err != nil {
		return "", err
	}
	for _, name := range seen.missing {
		if !plan.HasAlternative(n.Expression, name) {
			env := a
			if in.Values.File == "" {
				env.what = in.Values.From.Text + " has no ENV"
			}
			return "", env.missing(name, a.env)
		}
	}
	return value, nil
}

// missing is the mistake of a name that is not there.
func (a available) missing(name string, among []pair) error {
	var names []string
	for _, p := range among {
		names = append(names, p.name)
	}
	slices.Sort(names)
	err := fmt.Errorf("%s %s", a.what, name)
	_, err = suggest.WrapErrorMaybe(err, name, names, true)
	return err
}

func find(list []pair, name string) (string, bool) {
	i := slices.IndexFunc(list, func(p pair) bool { return p.name == name })
	if i < 0 {
		return "", false
	}
	return list[i].value, true
}

// environment gives values to variables, and notes which have none.
type environment struct {
	pairs   []pair
	missing []string
}

// Get implements shell.EnvGetter.
func (e *environment) Get(name string) (string, bool) {
	value, ok := find(e.pairs, name)
	if !ok {
		e.missing = append(e.missing, name)
	}
	return value, ok
}

// Keys implements shell.EnvGetter; nothing here asks for them.
func (e *environment) Keys() []string { return nil }

// mountPoint is where an old engine has the tree that it reads a file of, as its messages show it.
var mountPoint = pattern.New(`/\S*/buildkit-mount\d+`)

// readKey is a file of a part.
type readKey struct {
	part part
	path string
}

// reading is a file that is being read.
type reading struct {
	done chan struct{}
	data string
	err  error
}

// readFile builds what an instruction takes values from, and reads the file, once in a build.
func (b *build) readFile(ctx context.Context, t plan.Take) (string, error) {
	key := readKey{b.parts[b.names.Image(t.From.To)], t.In.Values.File}
	b.mu.Lock()
	r, known := b.files[key]
	if !known {
		r = &reading{done: make(chan struct{})}
		b.files[key] = r
	}
	b.mu.Unlock()
	if !known {
		defer close(r.done)
		r.data, r.err = b.buildFile(ctx, t)
		return r.data, r.err
	}
	<-r.done
	return r.data, r.err
}

func (b *build) buildFile(ctx context.Context, t plan.Take) (string, error) {
	from, err := b.source(ctx, t)
	if err != nil {
		return "", err
	}
	v := t.In.Values
	refuse := func(format string, args ...any) (string, error) {
		return "", t.In.Errorf(v.FileSpan, format, args...)
	}
	aside := b.newLinker()
	aside.aside = true
	def, err := aside.link(ctx, from.def)
	if err != nil {
		return "", err
	}
	if len(def.Def) == 0 {
		return refuse("%s has no files", v.From.Text)
	}
	bc := b.opt.Client
	res, err := bc.GatewayClient().Solve(ctx, client.SolveRequest{Definition: def.ToPB(), CacheImports: bc.CacheImports, Evaluate: true})
	if err != nil {
		return "", err
	}
	ref, err := res.SingleRef()
	if err != nil {
		return "", err
	}
	stat, err := ref.StatFile(ctx, client.StatRequest{Path: v.File})
	if err == nil && !os.FileMode(stat.Mode).IsRegular() { // old engines would open whatever it is
		return refuse("%s of %s is no regular file", v.File, v.From.Text)
	}
	var data []byte
	if err == nil {
		data, err = ref.ReadFile(ctx, client.ReadRequest{Filename: v.File, Range: &client.FileRange{Length: maxValues + 1}})
	}
	switch {
	case err != nil:
		return refuse("%s has no file %s that could be read: %s", v.From.Text, v.File, mountPoint().ReplaceAllString(err.Error(), ""))
	case len(data) > maxValues:
		return refuse("%s of %s is larger than 1 MiB", v.File, v.From.Text)
	case !utf8.Valid(data):
		return refuse("%s of %s is not UTF-8", v.File, v.From.Text)
	}
	return string(data), nil
}
