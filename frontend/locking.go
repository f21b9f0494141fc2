package frontend

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/util/suggest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stagecraft-build/stagecraft/frontend/lock"
	"github.com/stagecraft-build/stagecraft/frontend/locked"
	"github.com/stagecraft-build/stagecraft/frontend/report"
	"github.com/stagecraft-build/stagecraft/llbgen"
)

const (
	// lockTarget is the target that is the lock file.
	lockTarget = ":lock"
	// lockCall is the request that prints it.
	lockCall = "frontend.lock"
	// lockArg is the build arg that says how a lock is used. It is none of a file's.
	lockArg = "STAGECRAFT_LOCK"
)

// locking is what a build says about its lock.
type locking struct {
	mode   locked.Mode
	update []string
	prune  bool
	// writes and prints say that the lock is what is asked for.
	writes, prints bool
	// err is a mistake in the build arg, which counts where there is a lock.
	err error
	// target is one that is locked beside all stages: --call=lock --target=lib.tool.
	target string
}

func (l *locking) asked() bool { return l.writes || l.prints }

// lockingOf reads the options of a build.
func lockingOf(opts map[string]string) *locking {
	l := &locking{prints: opts[keyRequest] == lockCall, writes: opts[keyRequest] == "" && opts["target"] == lockTarget}
	if l.prints {
		l.target = opts["target"]
	}
	value := opts["build-arg:"+lockArg]
	if patterns, ok := strings.CutPrefix(value, "update:"); ok && l.asked() {
		l.mode = locked.Write
		l.update = strings.Split(patterns, ",")
		if slices.Contains(l.update, "") {
			l.err = fmt.Errorf("%s=%s has an empty name: write update:NAME, with commas between several, or update:*", lockArg, value)
		}
		return l
	}
	words := map[string]locked.Mode{"": locked.Strict, "loose": locked.Loose, "off": locked.Off}
	what := "a build"
	switch {
	case l.writes:
		words = map[string]locked.Mode{"": locked.Write, "prune": locked.Write}
		what = "--target=" + lockTarget
	case l.prints:
		words = map[string]locked.Mode{"": locked.Write, "prune": locked.Write, "verify": locked.Verify}
		what = "--call=lock"
	}
	mode, ok := words[value]
	l.mode, l.prune = mode, value == "prune"
	if !ok {
		known := []string{"update:NAME"}
		if !l.asked() {
			known = nil
		}
		for word := range words {
			if word != "" {
				known = append(known, word)
			}
		}
		slices.Sort(known)
		l.err = suggest.WrapError(fmt.Errorf("%s=%s means nothing to %s, which knows %s", lockArg, value, what, strings.Join(known, ", ")), value, known, true)
	}
	if !l.asked() && opts[keyRequest] != "" && mode == locked.Strict {
		l.mode = locked.Loose // it builds nothing
	}
	return l
}

// lockCommand is what writes the lock of a Dockerfile.
func lockCommand(opts map[string]string) string {
	file := ""
	if name := opts["filename"]; name != "" && name != dockerui.DefaultDockerfileName {
		file = "-f " + name + " "
	}
	if target := opts["target"]; strings.ContainsAny(target, ".(/#") { // which may be none of the file's stages
		return "docker build " + file + "--call=lock --target='" + target + "' . (into a file, then move that)"
	}
	return "docker build " + file + "--target=" + lockTarget + " -o . ."
}

// prepare makes the lock ready where there is one, and takes its build arg away from the
// files.
func (l *locking) prepare(ctx context.Context, bc *dockerui.Client, pins *locked.Pins) error {
	if pins.Line() == nil && !l.asked() {
		return nil
	}
	delete(bc.BuildArgs, lockArg)
	if l.err != nil || l.mode == locked.Off {
		return l.err
	}
	_, err := pins.Lock(ctx)
	return err
}

// lockFile answers with the lock file: as what is built, or as an answer.
func lockFile(ctx context.Context, bc *dockerui.Client, gen *llbgen.Generator, pins *locked.Pins, l *locking, filename string) (*client.Result, error) {
	wanted := []*ocispecs.Platform{nil}
	if len(bc.TargetPlatforms) > 0 {
		wanted = nil
		for i := range bc.TargetPlatforms {
			wanted = append(wanted, &bc.TargetPlatforms[i])
		}
	}
	for _, platform := range wanted {
		err := gen.Definitions(ctx, platform, l.target, func(def *llb.Definition) error {
			_, err := pins.Definition(ctx, def.ToPB())
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	before, err := pins.Lock(ctx)
	if err != nil {
		return nil, err
	}
	for _, pattern := range l.update {
		matches := func(s lock.Source) bool { return s.Matches(pattern) }
		if !slices.ContainsFunc(before.Entries, func(e lock.Entry) bool { return matches(e.Source) }) &&
			!slices.ContainsFunc(pins.Reached(), func(p lock.Pinned) bool { return matches(p.Source) }) {
			var names []string
			for _, e := range before.Entries {
				names = append(names, e.String())
			}
			return nil, suggest.WrapError(fmt.Errorf("%s=update:%s: %s has no such source", lockArg, pattern, before.Name), pattern, names, true)
		}
	}
	r := report.NewLock(before, pins.Reached(), l.prune, l.mode == locked.Verify)
	text := r.Lock.String(filename, lockCommand(bc.BuildOpts().Opts))
	if l.writes {
		st := llb.Scratch().File(llb.Mkfile("/"+before.Name, 0o644, []byte(text)), llb.WithCustomName("write "+before.Name))
		def, err := st.Marshal(ctx, llb.WithCaps(bc.BuildOpts().LLBCaps))
		if err != nil {
			return nil, fmt.Errorf("failed to marshal LLB definition: %w", err)
		}
		return bc.GatewayClient().Solve(ctx, client.SolveRequest{Definition: def.ToPB(), Evaluate: true})
	}
	r.Text = text
	if l.mode == locked.Verify {
		r.Text = r.Stale(lockCommand(bc.BuildOpts().Opts))
	}
	dt, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return nil, err
	}
	res := answerOf("1.0.0", dt, r.Text)
	if r.Status() != 0 {
		res.AddMeta("result.statuscode", []byte(fmt.Sprint(r.Status())))
	}
	return res, nil
}
