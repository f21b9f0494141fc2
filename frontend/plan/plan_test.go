package plan

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/containerd/platforms"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
	"github.com/stagecraft-build/stagecraft/frontend/module"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

// build is a build to plan. Files are those of the context; contexts are named
// contexts, as NAME or NAME::PLATFORM.
type build struct {
	text      string
	files     map[string]string
	args      map[string]string
	target    string
	platform  string
	requested []string
	contexts  []string
	all       bool
	apart     bool
}

// Lock implements module.Fetcher.
func (b build) Lock(*module.File, *syntax.Lock) {}

// Open implements module.Fetcher.
func (b build) Open(context.Context, string) (*module.Source, error) { return nil, fs.ErrNotExist }

// Read implements module.Fetcher.
func (b build) Read(_ context.Context, _ *module.Source, path string) (*diagnostic.Text, error) {
	if text, ok := b.files[path]; ok {
		return &diagnostic.Text{Name: path, Data: []byte(text)}, nil
	}
	return nil, fs.ErrNotExist
}

func (b build) plan(t *testing.T) (*Plan, error) {
	t.Helper()
	dir := &module.Source{Name: "the build context", Kind: module.Context}
	set := module.NewSet(b, dir, dir, "Dockerfile")
	main, err := set.Parse(t.Context(), &diagnostic.Text{Data: []byte(b.text)})
	if err != nil {
		return nil, main.Locate(err)
	}
	opt := Options{Target: b.target, BuildArgs: b.args, BuildPlatform: platform("linux/amd64"), Files: set, AllStages: b.all}
	if b.platform != "" {
		p := platform(b.platform)
		opt.TargetPlatform = &p
	}
	for _, name := range b.requested {
		opt.Requested = append(opt.Requested, platform(name))
	}
	if b.contexts != nil {
		opt.HasContext = func(name string, platform ocispecs.Platform) bool {
			return slices.Contains(b.contexts, name) || slices.Contains(b.contexts, name+"::"+platforms.FormatAll(platform))
		}
	}
	p := newPlanner(t.Context(), main, opt)
	p.apart = b.apart
	return p.out, p.plan()
}

func platform(name string) ocispecs.Platform { return platforms.MustParse(name) }

// tell writes out what an instance is, and all that it needs.
func tell(t *testing.T, i *Instance) string {
	t.Helper()
	var out strings.Builder
	fmt.Fprintf(&out, "%s#%d %s", i.Env.File(), i.Stage.Index, platforms.FormatAll(i.Platform()))
	edge := func(e Edge) string {
		to := fmt.Sprintf("%s %s", e.Name, e.Call)
		if e.To != nil {
			to = strings.ReplaceAll(tell(t, e.To), "\n", "\n  ")
		} else {
			to += platforms.FormatAll(*e.Platform)
		}
		return fmt.Sprintf("\n%d sealed=%t context=%t %s", e.Kind, e.Sealed, e.Context, to)
	}
	out.WriteString(edge(i.Base))
	waits := map[string]bool{}
	for _, w := range i.Waits() {
		waits["\nwait"+edge(w.Edge)] = true
	}
	for _, w := range slices.Sorted(maps.Keys(waits)) {
		out.WriteString(w)
	}
	if i.Replaced {
		return out.String()
	}
	fmt.Fprintf(&out, "\nglobals %v", i.Globals)
	names, err := i.scopeBefore(nil, len(i.Instructions))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(names.local)) {
		v := names.local[name]
		fmt.Fprintf(&out, "\n%s=%q set=%t known=%t", name, v.text, v.set, v.unknown == nil)
	}
	for _, in := range i.Instructions {
		fmt.Fprintf(&out, "\nline %d", in.StartLine)
		for _, ref := range in.References {
			for _, e := range i.Edges[ref] {
				out.WriteString(edge(e))
			}
		}
	}
	return out.String()
}

func TestErrors(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		build
		want string
	}{
		"a name out of a variable holds a line end": {
			build{text: "ARG S=busybox\nFROM alpine\nCOPY --from=$S /a /b", args: map[string]string{"S": "alpine /x /y\nRUN echo\nCOPY --from=alpine"}},
			`line 3, column 13: $S stands for "alpine /x /y\nRUN echo\nCOPY --from=alpine", which is not one name`,
		},
		"a name out of a variable holds a comma": {
			build{text: "ARG S=busybox\nFROM alpine\nRUN --mount=type=bind,from=$S,target=/t make", args: map[string]string{"S": "alpine,target=/m"}},
			`line 3, column 28: $S stands for "alpine,target=/m", which is not one name`,
		},
		"a base out of a variable is a flag": {
			build{text: "ARG S\nFROM alpine AS x\nFROM $S\nCOPY --from=x() / /", args: map[string]string{"S": "--platform=linux/arm64"}},
			`which is not one name`,
		},
		"a call out of a variable has a rest": {
			build{text: "ARG S\nFROM alpine AS x\nARG A\nFROM alpine\nCOPY --from=$S / /", args: map[string]string{"S": "x(A=1) /y"}},
			`line 5, column 13: $S stands for "x(A=1) /y": unexpected`,
		},
		"a call out of a variable reads names of the caller": {
			build{text: "ARG S\nARG SECRET=1\nFROM alpine AS x\nARG A\nFROM alpine\nCOPY --from=$S / /", args: map[string]string{"S": "x(A=$SECRET)"}},
			`which is not one name`,
		},
		"a set out of a variable": {
			build{text: "ARG S\nFROM alpine AS x\nARG A\nFROM alpine\nCOPY --from=$S / /", args: map[string]string{"S": "x(A=[1,2])"}},
			`which is not one name`,
		},
		"a platform out of a variable holds a line end": {
			build{text: "ARG P\nFROM --platform=$P alpine AS x\nFROM alpine\nCOPY --from=x() / /", args: map[string]string{"P": "linux/amd64 alpine AS q\nRUN x"}},
			`line 2, column 6: failed to parse platform $P`,
		},
		"a processor that nobody knows": {
			build{text: "FROM alpine AS x\nFROM alpine\nCOPY --from=x(TARGETPLATFORM=linux/arm46) / /"},
			`line 3, column 30: nobody knows the platform linux/arm46 (did you mean linux/arm64?)`,
		},
		"a part of the platform is bound": {
			build{text: "FROM alpine AS x\nARG TARGETARCH\nFROM alpine\nCOPY --from=x(TARGETARCH=arm64) / /"},
			`line 4, column 15: TARGETARCH follows from the platform: bind TARGETPLATFORM=linux/arm64`,
		},
		"an alias with a typo": {
			build{text: "IMPORT ./go.Dockerfile AS go\nFROM og.build", files: map[string]string{"go.Dockerfile": "FROM alpine AS build"}},
			`line 2, column 6: "og.build" is neither a stage nor an import (did you mean go.build?)`,
		},
		"an unknown binding of an imported stage with a required ARG": {
			build{text: "IMPORT ./go.Dockerfile AS go\nFROM alpine\nCOPY --from=go.build(PGK=1) / /", files: map[string]string{"go.Dockerfile": "FROM alpine AS build\nARG --required PKG"}},
			`line 3, column 22: no ARG of go.Dockerfile declares PGK, so go.build cannot be called with it (did you mean PKG?)`,
		},
		"an import passes an ARG that the file lacks": {
			build{text: "IMPORT --arg=PGK=1 ./go.Dockerfile AS go\nFROM go.build", files: map[string]string{"go.Dockerfile": "FROM alpine AS build\nARG PKG"}},
			`line 1, column 8: no ARG of go.Dockerfile declares PGK (did you mean PKG?)`,
		},
		"a value that the base image decides, in a condition": {
			build{text: "FROM alpine\nARG SRC=$JAVA_HOME/src.zip\nRUN --if=SRC x"},
			`line 3, column 10: the value of SRC is not known here: JAVA_HOME, of which it is made, may be set by the base image alpine, whose ENV is not known before the build`,
		},
		"a value that the base image decides, in a binding": {
			build{text: "FROM alpine AS b\nARG V\nFROM golang\nENV GOBIN=$GOPATH/bin\nCOPY --from=b(V=$GOBIN) / /"},
			`line 5, column 17: the value of GOBIN is not known here: GOPATH, of which it is made, may be set by the base image golang`,
		},
		"a value that the base of an imported stage decides": {
			build{text: "FROM ./x.Dockerfile#x\nRUN --if=A x", files: map[string]string{"x.Dockerfile": "FROM golang AS x\nENV A=$B"}},
			`line 2, column 10: the value of A is not known here: B, of which it is made, may be set by the base image golang`,
		},
		"PATH under scratch": {
			build{text: "FROM scratch\nENV P=$PATH:/x\nCOPY --if=P x y"},
			`PATH, of which it is made, may be set by the builder`,
		},
		"a name without a value in a reference": {
			build{text: "FROM alpine AS x\nFROM scratch\nCOPY --from=x() / /\nCOPY --from=$NOPE / /"},
			`line 4, column 13: NOPE has no value here`,
		},
		"a condition on a global ARG below": {
			build{text: "ARG --if=LIBC TAG=1\nARG LIBC=musl\nFROM alpine:$TAG"},
			`line 1, column 10: LIBC has no value yet: ARG LIBC stands on line 2, below this one`,
		},
		"a condition on an ARG of the stage below": {
			build{text: "FROM alpine\nRUN --if=DEBUG x\nARG DEBUG"},
			`line 2, column 10: DEBUG has no value yet: ARG DEBUG stands on line 3, below this one`,
		},
		"all ARGs of a base are off": {
			build{text: "ARG V=3\nARG --if='V == \"1\"' IMAGE=a\nARG --if='V == \"2\"' IMAGE=b\nFROM $IMAGE"},
			`line 4, column 6: IMAGE has no value here: its ARG is off in all its lines: line 2 has --if='V == "1"', where V is "3"; line 3 has`,
		},
		"a stage of an imported file is off": {
			build{text: "FROM ./b/x.Dockerfile#x", files: map[string]string{"b/x.Dockerfile": "ARG DBG\nFROM --if=DBG alpine AS x"}},
			`stage ./b/x.Dockerfile#x is off: b/x.Dockerfile: line 2 has --if='DBG', where DBG is ""`,
		},
		"a trigger behind a call names a stage": {
			build{text: "FROM alpine AS o\nFROM alpine AS b\nONBUILD COPY --from=o / /\nFROM b() AS m\nFROM m()"},
			`line 4, column 6: b() has a trigger that names o, a stage of its own file (line 3): it cannot run here`,
		},
		"a trigger behind a call counts stages": {
			build{text: "FROM alpine AS o\nFROM alpine AS b\nONBUILD COPY --from=0 / /\nFROM b()"},
			`b() has a trigger that names 0`,
		},
		"a trigger of another file names an image that is a stage here": {
			build{text: "FROM alpine AS busybox\nFROM ./x.Dockerfile#x", files: map[string]string{"x.Dockerfile": "FROM alpine AS x\nONBUILD COPY --from=busybox / /"}},
			`line 2, column 6: ./x.Dockerfile#x has a trigger that names the image busybox (line 2), which is a stage here`,
		},
		"the stage of an epoch differs where its call is one": {
			build{text: "ARG SOURCE_DATE_EPOCH=e\nFROM alpine AS e\nARG V\nFROM busybox AS b\nFROM b() AS m\nARG V\nFROM scratch\nCOPY --from=m(V=1) / /1\nCOPY --from=m(V=2) / /2"},
			`line 5, column 6: SOURCE_DATE_EPOCH of b is the stage e, which is another one in two calls: e(V=1) and e(V=2)`,
		},
		"calls of a build are bounded": {
			build{text: "FROM alpine AS b\nARG V\nFROM scratch\n" + strings.Repeat("COPY --from=b(V=["+strings.TrimSuffix(strings.Repeat("x,", 1000), ",")+"]) / /d/\n", 11)},
			`line 14, column 15: the build has more than 10000 calls`,
		},
		"a target that is no stage": {
			build{text: strings.Repeat("FROM alpine AS stage\nFROM stage AS stag\nFROM alpine AS b\nCOPY --from=b() / /\n", 2), target: "nothing"},
			`target stage "nothing" could not be found (the stages are stage, stag, b)`,
		},
		"a binding of a target": {
			build{text: "FROM alpine AS b\nARG V", target: "b(W=1)"},
			`target "b(W=1)", column 3: no ARG of the file declares W, so b cannot be called with it (did you mean V?)`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := test.plan(t)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
}

func TestValues(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		build
		call string // that of the last COPY
	}{
		"an ARG without a value keeps the ENV above": {build{text: "FROM alpine AS b\nARG V\nFROM alpine\nENV X=env\nARG X\nCOPY --from=b(V=$X) / /"}, "b(V=env)"},
		"and the ENV of the stage below":             {build{text: "FROM alpine AS b\nARG V\nFROM alpine AS base\nENV X=env\nFROM base\nARG X\nCOPY --from=b(V=$X) / /"}, "b(V=env)"},
		"and the ARG above":                          {build{text: "FROM alpine AS b\nARG V\nFROM alpine\nARG X=5\nARG X\nCOPY --from=b(V=$X) / /"}, "b(V=5)"},
		"a build arg wins":                           {build{text: "FROM alpine AS b\nARG V\nFROM alpine\nENV X=env\nARG X\nCOPY --from=b(V=$X) / /", args: map[string]string{"X": "arg"}}, "b(V=arg)"},
		"a global ARG wins over the ENV above":       {build{text: "ARG X=g\nFROM alpine AS b\nARG V\nFROM alpine\nENV X=env\nARG X\nCOPY --from=b(V=$X) / /"}, "b(V=g)"},
		"ENV comes through a call":                   {build{text: "FROM alpine AS e\nENV X=env\nFROM alpine AS b\nARG V\nFROM e() AS os\nARG S=$X/s\nCOPY --from=b(V=$S) / /"}, "b(V=env/s)"},
		"ENV comes through a call with its binding":  {build{text: "FROM alpine AS e\nARG A\nENV X=$A\nFROM alpine AS b\nARG V\nFROM e(A=1)\nCOPY --from=b(V=$X) / /"}, "b(V=1)"},
		"an ARG does not come through a call":        {build{text: "FROM scratch AS e\nENV X=env\nARG X=arg\nFROM alpine AS b\nARG V\nFROM e()\nCOPY --from=b(V=$X) / /"}, "b(V=env)"},
		"ENV comes through an import":                {build{text: "FROM alpine AS b\nARG V\nFROM ./x.Dockerfile#x\nCOPY --from=b(V=$X) / /", files: map[string]string{"x.Dockerfile": "FROM golang AS x\nENV X=env"}}, "b(V=env)"},
		"ENV of a trigger":                           {build{text: "FROM alpine AS b\nARG V\nFROM alpine AS e\nONBUILD ENV X=t\nFROM e\nCOPY --from=b(V=$X) / /"}, "b(V=t)"},
		"a name under scratch is unset":              {build{text: "FROM scratch AS b\nARG V\nFROM scratch\nARG S=${X:-no}\nCOPY --from=b(V=$S) / /"}, "b(V=no)"},
		"a call out of a variable":                   {build{text: "ARG S\nFROM scratch AS b\nARG V\nFROM scratch\nCOPY --from=$S / /", args: map[string]string{"S": `b(V="x y")`}}, `b(V="x y")`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := test.plan(t)
			if err != nil {
				t.Fatal(err)
			}
			list := p.Root.Instructions
			last := list[len(list)-1]
			if got := p.Root.Edges[last.References[0]][0].Call; got != test.call {
				t.Errorf("got %s, want %s", got, test.call)
			}
		})
	}
}

func TestGatesOfGates(t *testing.T) {
	t.Parallel()
	const stages = "FROM alpine AS test\nARG GO\nRUN test\nFROM alpine AS lint\nRUN lint\n"
	for name, test := range map[string]struct {
		text string
		want string
	}{
		"a stage of gates":        {"FROM --after=test scratch AS c\nFROM --after=c alpine", "c(test)"},
		"of sets":                 {"FROM --after=test(GO=[1,2]),lint scratch AS c\nFROM --after=c,lint alpine", "c(test(GO=1) test(GO=2) lint) lint"},
		"by a call":               {"FROM --after=test(GO=1) scratch AS c\nFROM --after=c() alpine", "c(test(GO=1))"},
		"along the base":          {"FROM --after=test scratch AS c\nFROM c AS d\nENV A=1\nFROM --after=d alpine", "d"},
		"through a sealed base":   {"FROM --after=test scratch AS c\nFROM c() AS d\nFROM --after=d alpine", "d"},
		"of stages of gates":      {"FROM --after=test scratch AS c\nFROM --after=c,lint scratch AS d\nFROM --after=d alpine", "d(c(test) lint)"},
		"with steps of its own":   {"FROM --after=test busybox AS c\nFROM --after=c alpine", "c(test)"},
		"nothing to build at all": {"FROM scratch AS c\nFROM --after=c scratch AS d\nFROM --after=d alpine", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := build{text: stages + test.text}.plan(t)
			if err != nil {
				t.Fatal(err)
			}
			if got := gatesOf(p.Root); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// gatesOf names what an instance waits for, and what that waits for.
func gatesOf(i *Instance) string {
	var out []string
	for _, w := range i.Waits() {
		name := w.To.Name
		if inner := gatesOf(w.To); inner != "" {
			name += "(" + inner + ")"
		}
		out = append(out, name)
	}
	return strings.Join(out, " ")
}

func TestContextsByPlatform(t *testing.T) {
	t.Parallel()
	const text = "FROM alpine AS tool\nRUN x\nFROM --platform=$BUILDPLATFORM alpine AS pinned\nRUN x\nFROM alpine AS context\nRUN x\n" +
		"FROM scratch AS build\nCOPY --from=tool / /\nCOPY --from=pinned / /\nCOPY --from=context / /\n" +
		"FROM scratch\nCOPY --from=build(TARGETPLATFORM=[linux/amd64,linux/arm64]) / /d/"
	for name, test := range map[string]struct {
		contexts []string
		want     string // contexts that stand for stages, by build
	}{
		"for every platform":         {[]string{"tool"}, "tool linux/amd64; tool linux/arm64"},
		"for one":                    {[]string{"tool::linux/arm64"}, "; tool linux/arm64"},
		"of a stage with a platform": {[]string{"pinned::linux/arm64"}, "; "},
		"for that platform":          {[]string{"pinned::linux/amd64"}, "pinned linux/amd64; pinned linux/amd64"},
		"a name left out":            {[]string{"context"}, "; "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := build{text: text, contexts: test.contexts}.plan(t)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, e := range p.Root.Edges[p.Root.Instructions[0].References[0]] {
				var one []string
				for below := range e.To.All() {
					if below.To != nil && below.To.Replaced {
						one = append(one, below.To.Base.Name+" "+platforms.FormatAll(*below.To.Base.Platform))
					}
				}
				got = append(got, strings.Join(one, " "))
			}
			if joined := strings.Join(got, "; "); joined != test.want {
				t.Errorf("got %q, want %q", joined, test.want)
			}
		})
	}
}

func TestWarningsOfNames(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		"FROM alpine AS build\nFROM --after=build alpine\nCOPY --from=biuld / /":       1,
		"FROM alpine AS node20\nFROM --after=node20 alpine\nCOPY --from=node / /":      0,
		"FROM alpine AS build\nFROM --after=build alpine\nCOPY --from=biuld:1 / /":     0,
		"FROM node AS nodes\nFROM --after=nodes alpine":                                0,
		"FROM alpine AS build\nFROM alpine\nCOPY --from=biuld / /":                     0, // plain
		"FROM b AS t\nRUN t\nFROM --after=t b AS one\nFROM --after=t b AS two\nFROM b": 0,
		"FROM b AS t\nRUN t\nFROM b AS unit\nRUN u\nFROM --after=t b":                  1,
		"FROM b AS t\nRUN t\nFROM b AS dev\nRUN u\nFROM --after=t b":                   0, // a target
	} {
		p, err := build{text: text, all: true}.plan(t)
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Warnings) != want {
			t.Errorf("%s\ngives %v", text, p.Warnings)
		}
	}
}

func TestFilesKeepTheNameOfTheirWay(t *testing.T) {
	t.Parallel()
	b := build{
		text:  "IMPORT --if='TARGETARCH == \"amd64\"' ./x.Dockerfile AS amd\nIMPORT --if='TARGETARCH == \"arm64\"' ./x.Dockerfile AS arm\nFROM scratch\nCOPY --if='TARGETARCH == \"amd64\"' --from=amd.x / /\nCOPY --if='TARGETARCH == \"arm64\"' --from=arm.x / /",
		files: map[string]string{"x.Dockerfile": "FROM alpine AS x"},
	}
	for platform, want := range map[string]string{"linux/amd64": "amd.x", "linux/arm64": "arm.x"} {
		b.platform = platform
		p, err := b.plan(t)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Instances[0].Name; got != want {
			t.Errorf("%s: got %s, want %s", platform, got, want)
		}
	}
}

func TestTargetOfAFileIsItsLastStage(t *testing.T) {
	t.Parallel()
	for last, want := range map[string]string{"FROM alpine AS two": "two", "FROM alpine": "default"} {
		p, err := build{text: "FROM ./x.Dockerfile", files: map[string]string{"x.Dockerfile": "FROM alpine AS one\n" + last + "\nARG TARGETSTAGE"}}.plan(t)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Root.Base.To.Env.Stage; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
