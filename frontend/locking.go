package frontend

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/frontend/dockerfile/command"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/util/suggest"

	"github.com/stagecraft-build/stagecraft/frontend/diagnostic"
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
		for _, word := range []string{"prune", "verify", "loose", "off"} {
			if slices.Contains(l.update, word) {
				l.err = fmt.Errorf("%s=%s: %s stands alone: give it in a call of its own", lockArg, value, word)
			}
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
		if word, _, _ := strings.Cut(value, ":"); !l.asked() && (word == "update" || value == "prune" || value == "verify") {
			l.err = fmt.Errorf("%s=%s is for --target=%s and --call=lock: a build changes no lock", lockArg, value, lockTarget)
		}
	}
	if id := opts[keyRequest]; !l.asked() && id != "" && id != llbgen.ExpandRequest && id != llbgen.SizeRequest && mode == locked.Strict {
		l.mode = locked.Ask
	}
	return l
}

// RuleUnpinnedSyntax warns, in a check, of a locked file whose frontend no digest pins.
var RuleUnpinnedSyntax = diagnostic.NewRule("UnpinnedSyntax", "The image of the syntax line is no source of the build: no lock pins it")

// lintSyntax warns of the syntax line of a locked file.
func lintSyntax(text *diagnostic.Text, pins *locked.Pins, warn llbgen.Warn) {
	ref, _, at, ok := parser.DetectSyntax(text.Data)
	if pins.Line() == nil || !ok || strings.Contains(ref, "@") {
		return
	}
	warn(diagnostic.Warnf(RuleUnpinnedSyntax, diagnostic.Place{Text: text, Ranges: at}, "the build is locked, and %s is what its tag is today: write its digest behind it, as in %s@sha256:…", ref, ref))
}

// lintLockArg warns of the build arg of locks where no file has one. To a plain file it is a
// build arg as any other.
func lintLockArg(opts map[string]string, gen *llbgen.Generator, pins *locked.Pins, warn llbgen.Warn) {
	value, given := opts["build-arg:"+lockArg]
	if !given || gen.File() == nil || pins.Declared() {
		return
	}
	for in := range gen.File().All() {
		if in.Keyword != command.Arg {
			continue
		}
		for _, word := range in.Words() {
			if name, _, _ := strings.Cut(word, "="); name == lockArg {
				return // its own
			}
		}
	}
	warn(diagnostic.Warnf(locked.RuleNotLocked, diagnostic.Place{}, "%s=%s changes nothing: no file of the build has a LOCK", lockArg, value))
}

// prepare makes the lock ready where there is one, and takes its build arg away from the
// files.
func (l *locking) prepare(ctx context.Context, bc *dockerui.Client, pins *locked.Pins) error {
	if pins.Line() == nil && !l.asked() {
		return nil
	}
	delete(bc.BuildArgs, lockArg)
	if line := pins.Line(); l.err != nil && line != nil {
		return diagnostic.At(line.Place, l.err)
	}
	if l.err != nil || l.mode == locked.Off {
		return l.err
	}
	_, err := pins.Lock(ctx)
	return err
}

// lintSources warns of what the lock lacks, in a request that builds nothing: of the target, or
// of all stages when the build names none. It looks nothing up. What has no LLB is for the
// request itself to say.
func (q *query) lintSources(ctx context.Context) {
	if q.locks.mode != locked.Ask || !q.pins.Locks() || q.gen.File() == nil {
		return
	}
	gen := q.gen.With(q.pins.Unasked())
	for _, platform := range q.platforms() {
		if target := q.client.Target; target != "" {
			_ = gen.DefinitionsOf(ctx, platform, target, q.record(ctx))
			continue
		}
		_ = gen.Definitions(ctx, platform, q.record(ctx))
	}
}

// guessed reports whether the source of a line hangs on a value which only a build knows.
func (q *query) guessed(ctx context.Context, at diagnostic.Place) bool {
	found := false
	gen := q.gen.With(q.pins.Unasked())
	for _, platform := range q.platforms() {
		_ = gen.DefinitionsOf(ctx, platform, q.client.Target, func(def *llb.Definition, guessed map[string]bool) error {
			places, err := q.pins.Places(def.ToPB(), guessed)
			found = found || slices.ContainsFunc(places, func(p diagnostic.Place) bool { return p.Text == at.Text && p.Line() == at.Line() })
			return err
		})
	}
	return found
}

// record asks for the pins of what there is to build.
func (q *query) record(ctx context.Context) llbgen.EachDefinition {
	return func(def *llb.Definition, guessed map[string]bool) error {
		return q.pins.Record(ctx, def.ToPB(), guessed)
	}
}

// lock finds what the build asks for, and puts it into the lock.
func (q *query) lock(ctx context.Context) (*report.Lock, error) {
	l := q.locks
	for _, platform := range q.platforms() {
		each := q.record(ctx)
		err := q.gen.Definitions(ctx, platform, each)
		if err == nil && l.target != "" {
			err = q.gen.DefinitionsOf(ctx, platform, l.target, each)
		}
		if err != nil {
			return nil, err
		}
	}
	before, err := q.pins.Lock(ctx)
	if err != nil {
		return nil, err
	}
	reached := q.pins.Reached()
	for _, pattern := range l.update {
		var names []string
		found := false
		for _, e := range before.Entries {
			names, found = append(names, e.String()), found || e.Matches(pattern)
		}
		found = found || slices.ContainsFunc(reached, func(p lock.Pinned) bool { return p.Matches(pattern) })
		if !found {
			return nil, suggest.WrapError(fmt.Errorf("%s=update:%s: %s has no such source", lockArg, pattern, before.Name), pattern, names, true)
		}
	}
	return report.NewLock(before, reached, l.prune, l.mode == locked.Verify), nil
}

// text is the lock file.
func (q *query) text(ctx context.Context, r *report.Lock) string {
	return r.Lock.String(q.file, q.lockCommand(ctx))
}

// writeLock gives the lock file as what is built.
func (q *query) writeLock(ctx context.Context) (*client.Result, error) {
	r, err := q.lock(ctx)
	if err != nil {
		return nil, err
	}
	bc := q.client
	st := llb.Scratch().File(llb.Mkfile("/"+path.Base(r.File), 0o644, []byte(q.text(ctx, r))), llb.WithCustomName("write "+r.File))
	def, err := st.Marshal(ctx, llb.WithCaps(bc.BuildOpts().LLBCaps))
	if err != nil {
		return nil, fmt.Errorf("failed to marshal LLB definition: %w", err)
	}
	return bc.GatewayClient().Solve(ctx, client.SolveRequest{Definition: def.ToPB(), Evaluate: true})
}

// answerLock prints the lock file, or what is stale in it.
func answerLock(ctx context.Context, q *query) (*client.Result, error) {
	r, err := q.lock(ctx)
	if err != nil {
		return nil, err
	}
	if r.Text = q.text(ctx, r); q.locks.mode == locked.Verify {
		r.Text = r.Stale(q.lockCommand(ctx))
	}
	dt, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("failed to write the answer: %w", err)
	}
	res := answerOf(q.version, dt, r.Text)
	if r.Status() != 0 {
		res.AddMeta("result.statuscode", []byte(strconv.Itoa(r.Status())))
	}
	return res, nil
}
