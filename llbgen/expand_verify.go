package llbgen

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/frontend/dockerfile/command"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/solver/pb"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	"github.com/opencontainers/go-digest"

	"github.com/stagecraft-build/stagecraft/frontend/plan"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

// normalForm returns the digest of what a definition gives, and those of the gates in
// it, of all that they are made of but for what changes nothing in the result: the
// order of the environment of a step, which paths of a directory the client has to
// send, and what architecture a copy of files is noted for.
func normalForm(def *llb.Definition) (head string, gates []string, err error) {
	moved := map[string]string{}
	for _, dt := range def.Def {
		var op pb.Op
		if err := op.UnmarshalVT(dt); err != nil {
			return "", nil, fmt.Errorf("failed to read LLB: %w", err)
		}
		for _, in := range op.Inputs {
			in.Digest = moved[in.Digest]
		}
		if op.Op == nil && len(op.Inputs) > 0 {
			head = fmt.Sprintf("%s %d", op.Inputs[0].Digest, op.Inputs[0].Index)
			continue
		}
		if meta := op.GetExec().GetMeta(); meta != nil {
			inputsOnce(&op)
			slices.Sort(meta.Env)
		}
		if source := op.GetSource(); source != nil {
			delete(source.Attrs, pb.AttrFollowPaths)
		}
		if op.GetFile() != nil {
			for _, a := range op.GetFile().Actions {
				if strings.HasPrefix(a.GetCopy().GetSrc(), gatePrefix) && a.SecondaryInput >= 0 {
					in := op.Inputs[a.SecondaryInput]
					gates = append(gates, fmt.Sprintf("%s %d", in.Digest, in.Index))
				}
			}
			inputsOnce(&op)
			if op.Platform != nil {
				op.Platform = &pb.Platform{OS: op.Platform.OS}
			}
		}
		normal, err := marshalOp(&op)
		if err != nil {
			return "", nil, err
		}
		moved[digest.FromBytes(dt).String()] = digest.FromBytes(normal).String()
	}
	slices.Sort(gates)
	return head, slices.Compact(gates), nil
}

// gatePrefix starts the paths of copies that stand for gates, ours and those of a plain
// file.
const gatePrefix = "/.stagecraft-"

// inputsOnce makes equal inputs of an op one.
func inputsOnce(op *pb.Op) {
	var inputs []*pb.Input
	at := make([]int64, len(op.Inputs))
	for i, in := range op.Inputs {
		known := slices.IndexFunc(inputs, func(other *pb.Input) bool { return other.Digest == in.Digest && other.Index == in.Index })
		if known < 0 {
			known = len(inputs)
			inputs = append(inputs, in)
		}
		at[i] = int64(known)
	}
	less := int64(len(op.Inputs) - len(inputs))
	move := func(n int64) int64 {
		switch {
		case n < 0:
			return n
		case n < int64(len(at)):
			return at[n]
		}
		return n - less // what another action gives
	}
	for _, m := range op.GetExec().GetMounts() {
		m.Input = move(m.Input)
	}
	for _, a := range op.GetFile().GetActions() {
		a.Input, a.SecondaryInput = move(a.Input), move(a.SecondaryInput)
	}
	op.Inputs = inputs
}

// configDifference says in what two image configs differ, the words of the history
// aside; empty when they do not.
func configDifference(ours, theirs *dockerspec.DockerOCIImage) string {
	one, two := *ours, *theirs
	for _, img := range []*dockerspec.DockerOCIImage{&one, &two} {
		img.History = slices.Clone(img.History)
		for i := range img.History {
			img.History[i].CreatedBy = ""
		}
	}
	a, err := fields(one)
	if err != nil {
		return err.Error()
	}
	b, err := fields(two)
	if err != nil {
		return err.Error()
	}
	var names []string
	for name, text := range a {
		if b[name] != text {
			names = append(names, name)
		}
	}
	for name := range b {
		if _, ok := a[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// fields returns the fields of an image config as JSON.
func fields(img dockerspec.DockerOCIImage) (map[string]string, error) {
	out := map[string]string{}
	inner := img.Config
	img.Config = dockerspec.DockerOCIImageConfig{}
	for _, v := range []any{img, inner} {
		dt, err := json.Marshal(v)
		if err != nil {
			return nil, fmt.Errorf("failed to write an image config: %w", err)
		}
		var raw map[string]json.RawMessage
		if err := json.Unmarshal(dt, &raw); err != nil {
			return nil, fmt.Errorf("failed to read an image config: %w", err)
		}
		for name, text := range raw {
			out[name] += string(text)
		}
	}
	return out, nil
}

// differenceError says that a plain file would not build to the same.
type differenceError struct{ cause error }

func (e *differenceError) Error() string { return e.cause.Error() }
func (e *differenceError) Unwrap() error { return e.cause }

// plainError returns an error without its place, which is one of the plain file.
func plainError(err error) error {
	var located *parser.LocationError
	if errors.As(err, &located) {
		return errors.New(located.Unwrap().Error())
	}
	return err
}

// whyDifferent places the mistake of a plan whose plain form would build to something
// else at what has no plain form.
func whyDifferent(p *plan.Plan, platforms int, why error) error {
	for _, test := range []func(*plan.Plan, *plan.Instance) error{noPlainForm, foreignImage} {
		for _, inst := range p.Instances {
			if err := test(p, inst); err != nil {
				return &differenceError{err}
			}
		}
	}
	if platforms > 1 {
		why = fmt.Errorf("%w (one platform at a time may have one)", why)
	}
	return &differenceError{p.Root.From.ErrorOfLine(fmt.Errorf("this stage has no plain form: %w; most likely for triggers (ONBUILD) of an image: write out what they do, FROM an image without them", why))}
}

// noPlainForm says what of an instance has no plain form; nil for nothing.
func noPlainForm(p *plan.Plan, inst *plan.Instance) error {
	for use := range inst.Uses() {
		if use.Sealed && use.Kind != plan.KindBase && use.Call != "" && use.To.Env.File().BuildContext == inst.Env.File().BuildContext {
			return use.In.Errorf(use.Reference.Span, "%s has build args on which BuildKit itself acts, or another escape token, and no stage of a plain Dockerfile has those of its own: no plain form", use.Reference.Text)
		}
	}
	if inst == p.Root && inst.Env.Explicit() {
		return inst.From.ErrorOfLine(errors.New("the target binds TARGETPLATFORM, and a plain Dockerfile builds for the platform that the build asks for: pass --platform instead"))
	}
	base := inst.Base
	from := inst.From.References[len(inst.From.References)-1]
	runs := slices.ContainsFunc(inst.Instructions, func(in *syntax.Instruction) bool { return in.Keyword == command.Run })
	if err := refuseTriggers(inst); err != nil && builtOn(p.Root, inst) {
		return err
	}
	switch {
	case inst.Replaced:
		return nil
	case runs && onScratch(inst) && platforms.FormatAll(inst.Env.Platform) != platforms.FormatAll(p.Root.Env.Platform):
		return inst.From.Errorf(from.Span, "the steps of this stage run for %s, and in a plain Dockerfile those on scratch run for the platform of the build: no plain form", platforms.FormatAll(inst.Env.Platform))
	case !base.Sealed || base.To == nil:
		return nil
	case base.Platform != nil && platforms.FormatAll(*base.Platform) != platforms.FormatAll(base.To.Platform()):
		return inst.From.Errorf(from.Span, "%s is built for %s, this stage runs for %s, and in a plain Dockerfile a stage is for the platform of its base: no plain form", from.Text, platforms.FormatAll(base.To.Platform()), platforms.FormatAll(*base.Platform))
	}
	if base.To.HasTriggers() {
		return inst.From.Errorf(from.Span, "%s leaves triggers (ONBUILD) to this stage, which in a plain Dockerfile run under other values: no plain form", from.Text)
	}
	for _, user := range p.Instances {
		if !builtOn(user, inst) {
			continue
		}
		for _, in := range user.Instructions {
			for _, arg := range argsOf(base.To) {
				if in.Keyword == command.Run || in.Uses(arg) {
					return inst.From.Errorf(from.Span, "the ARG %s of %s would be seen on line %d: FROM in a plain Dockerfile hands ARGs down, and a call does not. Copy from the call instead, or have the call do that line", arg, from.Text, in.StartLine)
				}
			}
		}
	}
	return nil
}

// foreignImage says which image an instance copies from that stands in a FROM of the
// plain file: one for another platform than that of the build.
func foreignImage(_ *plan.Plan, inst *plan.Instance) error {
	for use := range inst.Uses() {
		if inst.Replaced && inst.Env.Explicit() {
			return inst.From.ErrorOfLine(fmt.Errorf("the named context %s is wanted for %s, for which a plain Dockerfile needs a FROM of it, and that does more here, as when it is an image with triggers: no plain form", inst.Stage.Name, platforms.FormatAll(inst.Env.Platform)))
		}
		if inst.Env.Explicit() && use.To == nil && use.Kind != plan.KindBase && use.Name != scratch {
			return use.In.Errorf(use.Reference.Span, "%s is copied from for %s, for which a plain Dockerfile needs a FROM of it, and that does more here, as when the image has triggers: no plain form", use.Reference.Text, platforms.FormatAll(inst.Env.Platform))
		}
	}
	return nil
}

// onScratch reports whether an instance is built FROM scratch in the end.
func onScratch(inst *plan.Instance) bool {
	for inst.Base.To != nil {
		inst = inst.Base.To
	}
	return inst.Base.Name == scratch
}

// refuseTriggers refuses triggers of an instance that name what no plain Dockerfile has.
func refuseTriggers(inst *plan.Instance) error {
	for _, in := range inst.Instructions {
		for _, ref := range in.References {
			if in.OnBuild && ref.Extends() {
				return in.Errorf(ref.Span, "the image has this trigger as it is written, and %s means nothing in a plain Dockerfile: no plain form", ref.Text)
			}
		}
	}
	return nil
}

// builtOn reports whether an instance is built FROM another one, or is it.
func builtOn(inst, base *plan.Instance) bool {
	for ; inst != nil; inst = inst.Base.To {
		if inst == base {
			return true
		}
	}
	return false
}

// argsOf returns the ARGs that an instance hands down in a plain Dockerfile.
func argsOf(inst *plan.Instance) []string {
	var names []string
	for ; inst != nil; inst = inst.Base.To {
		for _, in := range inst.Instructions {
			switch {
			case in.Let != nil:
				names = append(names, in.Let.Name)
			case in.Keyword == command.Arg && !in.OnBuild:
				for _, word := range in.Words() {
					name, _, _ := strings.Cut(word, "=")
					names = append(names, name)
				}
			}
		}
		for _, g := range inst.Globals {
			names = append(names, g.Name)
		}
	}
	return names
}
