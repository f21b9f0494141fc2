package frontend

import (
	"context"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/moby/buildkit/frontend/gateway/client"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/stagecraft-build/stagecraft/frontend/plan"
	"github.com/stagecraft-build/stagecraft/frontend/report"
	"github.com/stagecraft-build/stagecraft/frontend/source"
	"github.com/stagecraft-build/stagecraft/frontend/syntax"
)

// bake writes a bake file: its text is the file itself.
func bake(ctx context.Context, q *query) (*client.Result, error) {
	build := report.BakeBuild{Args: q.client.BuildArgs}
	var err error
	if build.Targets, err = q.bakeTargets(ctx); err != nil {
		return nil, err
	}
	// known once all files are
	if value, given := q.client.BuildOpts().Opts["build-arg:"+lockArg]; given && q.pins.Declared() {
		build.Always = map[string]string{lockArg: value}
	}
	if build.Place, err = q.bakePlace(ctx); err != nil {
		return nil, err
	}
	if build.Attributes, err = q.bakeAttributes(build.Targets); err != nil {
		return nil, err
	}
	file, err := report.NewBake(build)
	if err != nil {
		return nil, err
	}
	dt, err := file.JSON()
	if err != nil {
		return nil, err
	}
	return answerOf(q.version, dt, string(dt)), nil
}

// bakeTargets returns what the build gives, then each other stage that nothing uses, that
// is described or that has attributes of a target, unless it is off.
func (q *query) bakeTargets(ctx context.Context) ([]report.BakeTarget, error) {
	all, err := q.allStages(ctx)
	if err != nil {
		return nil, err
	}
	if err := q.gen.Warn(all[0], plan.RuleBakeNotRead); err != nil {
		return nil, err
	}
	main := all[0].File
	first := q.client.Target
	if first == "" {
		first = defaultName(all)
	}
	target, err := q.bakeTarget(ctx, first, all)
	if err != nil {
		return nil, err
	}
	out := []report.BakeTarget{target}
	used := usedStages(all)
	for _, stage := range main.Stages {
		name := stage.Name
		named := slices.ContainsFunc(out, func(t report.BakeTarget) bool { return strings.EqualFold(t.Target, name) })
		if name == "" || named || used[name] && stage.From.Description() == "" && len(stage.From.Bake) == 0 {
			continue
		}
		target, err := q.bakeTarget(ctx, name, all)
		if err != nil {
			return nil, err
		}
		if len(target.Plans) > 0 {
			out = append(out, target)
		}
	}
	return out, refuseNoTarget(all, out)
}

// allStages plans all stages, whatever the target, for each platform that the build asks
// for.
func (q *query) allStages(ctx context.Context) ([]*plan.Plan, error) {
	return q.each(ctx, q.platforms(), func(ctx context.Context, platform *ocispecs.Platform) (*plan.Plan, error) {
		return q.gen.PlanTarget(ctx, "", platform, true)
	})
}

// defaultName returns the name of the stage that a build without a target gives; empty
// when it has none, or is not the same one for each platform.
func defaultName(all []*plan.Plan) string {
	for _, p := range all {
		if p.Root.Stage.Name != all[0].Root.Stage.Name {
			return ""
		}
	}
	return all[0].Root.Stage.Name
}

// usedStages are the names of the stages of the main file that others use.
func usedStages(all []*plan.Plan) map[string]bool {
	used := map[string]bool{}
	for _, p := range all {
		for _, inst := range p.Instances {
			for e := range inst.All() {
				if e.To != nil && e.To.Env.File().Main {
					used[e.To.Stage.Name] = true
				}
			}
		}
		for _, epoch := range p.Epochs {
			used[epoch.Stage.Name] = true
		}
	}
	return used
}

// bakeTarget plans a target for each platform: those that the build asks for, else those
// that the attributes of its stage name. It has no plan where its stage is off, and what
// the build gives has one for each.
func (q *query) bakeTarget(ctx context.Context, name string, all []*plan.Plan) (report.BakeTarget, error) {
	ref, err := syntax.ParseReference(name, all[0].File.Escape)
	isStage := func(s *syntax.Stage) bool { return strings.EqualFold(s.Name, name) }
	out := report.BakeTarget{Target: name, Stage: name == "" || err == nil && !ref.Call && slices.ContainsFunc(all[0].File.Stages, isStage)}
	wanted := q.platforms()
	out.Platforms = len(q.client.TargetPlatforms) > 0
	if !out.Platforms && out.Stage {
		if wanted, err = bakePlatforms(name, all[0]); err != nil {
			return out, err
		}
		out.Platforms = wanted[0] != nil
	}
	out.Plans, err = q.each(ctx, wanted, func(ctx context.Context, platform *ocispecs.Platform) (*plan.Plan, error) {
		p, err := q.gen.PlanTarget(ctx, name, platform, false)
		if plan.IsOff(err) && name != q.client.Target {
			return nil, nil
		}
		return p, err
	})
	return out, err
}

// bakePlatforms returns the platforms that the attributes of a stage name; nil alone when
// they name none.
func bakePlatforms(name string, p *plan.Plan) ([]*ocispecs.Platform, error) {
	var out []*ocispecs.Platform
	for _, stage := range p.File.Stages {
		if stage.Name != name || name == "" && stage != p.Default {
			continue
		}
		from := stage.From
		if i := slices.IndexFunc(p.Kept, func(i *plan.Instance) bool { return i.Stage == stage }); i >= 0 {
			from = p.Kept[i].From
		}
		list, err := report.BakePlatforms(p.Root.Env, from)
		if err != nil {
			return nil, err
		}
		for _, text := range list {
			platform := p.Root.Env.BuildPlatform()
			if text != "local" {
				if platform, err = plan.ParsePlatform(text); err != nil {
					return nil, from.Locate(err)
				}
			}
			out = append(out, &platform)
		}
	}
	if len(out) == 0 {
		return []*ocispecs.Platform{nil}, nil
	}
	return out, nil
}

// refuseNoTarget refuses attributes of a stage that is there and that no target builds.
func refuseNoTarget(all []*plan.Plan, targets []report.BakeTarget) error {
	built := map[*syntax.Stage]bool{}
	for _, t := range targets {
		for _, p := range t.Plans {
			built[p.Root.Stage] = built[p.Root.Stage] || t.Stage
		}
	}
	for _, p := range all {
		for _, inst := range p.Kept {
			bake := inst.From.Bake
			switch {
			case len(bake) == 0 || built[inst.Stage]:
			case inst.Stage.Name == "":
				return inst.From.Errorf(bake[0].Span, "--bake=%s: the stage has no name, so nothing can build it as a target: write FROM … AS name", bake[0].Key)
			default:
				return inst.From.Errorf(bake[0].Span, "--bake=%s: another stage is what --target=%s builds: give this one a name of its own", bake[0].Key, inst.Stage.Name)
			}
		}
	}
	return nil
}

// keyContext is the option that names a build context which is no folder of the client,
// keyInput the one that keeps its name when the client hands over the context itself.
const (
	keyContext = dockerui.DefaultLocalNameContext
	keyInput   = "input:" + keyContext
	// keyLocalDir, with the name of a folder of the client behind it, is where that
	// lies in a git repository.
	keyLocalDir = "vcs:localdir:"
	// keyRepository is the address from which that repository comes.
	keyRepository = "vcs:source"
)

// bakePlace returns the attributes that say where the build context and the Dockerfile
// are.
func (q *query) bakePlace(ctx context.Context) (map[string]any, error) {
	opts := q.client.BuildOpts().Opts
	for _, key := range []string{"contextkey", "contextsubdir"} {
		if opts[key] != "" {
			return nil, fmt.Errorf("a bake file has no word for the option %s of this build", key)
		}
	}
	remote := opts[keyContext]
	if remote == "" {
		remote = opts[keyInput]
	}
	switch {
	case strings.HasPrefix(remote, "http://buildkit-session/"):
		return nil, errors.New("the build context comes from standard input, and bake takes none from there: unpack it into a folder, or name it by a URL")
	case remote == "" && !q.sources.Local():
		return nil, errors.New("the client hands over the build context itself, and does not say where it is: name it by its folder or URL")
	}
	out := map[string]any{"context": q.folder(keyContext)}
	if remote != "" {
		out["context"] = source.WithoutCredentials(remote)
	}
	if opts["dockerfilekey"] != "" { // from standard input or a URL
		out["dockerfile-inline"] = string(q.sources.MainText.Data)
		return out, nil
	}
	if remote != "" {
		out["dockerfile"] = q.file
		return out, nil
	}
	if at, err := relativeDockerfile(opts, q.file); at != "" || err != nil {
		out["dockerfile"] = at
		return out, err
	}
	found, err := q.sources.FindMain(ctx)
	switch {
	case err != nil:
		return nil, err
	case len(found) == 0:
		return nil, fmt.Errorf("%s is not in the build context, so a bake file cannot name it: run this in its git repository, or pass it from standard input, docker build --call=bake -f - . < %s", q.file, q.file)
	case len(found) > 1:
		return nil, fmt.Errorf("docker build does not say which of these is the Dockerfile: %s have the same text; run this in a git repository, or pass it from standard input, docker build --call=bake -f - . < %s", strings.Join(found, ", "), found[0])
	}
	out["dockerfile"] = found[0]
	return out, nil
}

// relativeDockerfile returns the path of the Dockerfile from the folder of the build context; empty
// where the client does not say that: it does in a git repository.
func relativeDockerfile(opts map[string]string, name string) (string, error) {
	context, dockerfile := opts[keyLocalDir+keyContext], opts[keyLocalDir+dockerui.DefaultLocalNameDockerfile]
	if context == "" || dockerfile == "" {
		return "", nil
	}
	dir, err := filepath.Rel(slashed(context), slashed(dockerfile))
	if err != nil {
		return "", fmt.Errorf("failed to find the Dockerfile: %w", err)
	}
	return path.Join(dir, name), nil
}

// folder returns the path to a folder of the client from where bake runs: what docker
// build is called with is known in a git repository only.
func (q *query) folder(name string) any {
	opts := q.client.BuildOpts().Opts
	context, folder := slashed(opts[keyLocalDir+keyContext]), slashed(opts[keyLocalDir+name])
	switch repository := strings.TrimSuffix(path.Base(opts[keyRepository]), ".git"); {
	case context == "" || folder == "":
		return "."
	case repository == context: // which is no folder of the root's name
		return folder
	}
	return report.Folder(context, folder)
}

// slashed returns a path of the client, which may run on Windows.
func slashed(path string) string { return strings.ReplaceAll(path, `\`, "/") }
