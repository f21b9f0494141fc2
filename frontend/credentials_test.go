package frontend_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/errdefs"
	"github.com/moby/buildkit/solver/pb"
	"google.golang.org/protobuf/proto"

	"github.com/stagecraft-build/stagecraft/frontend"
	"github.com/stagecraft-build/stagecraft/internal/gatewaytest"
)

// TestCredentialsOfImportsAreHidden guards that nobody sees user and password in the
// URL of an import: not in warnings, errors, the progress, answers, nor in what shows
// the file. Only the source op, which fetches it, has them.
func TestCredentialsOfImportsAreHidden(t *testing.T) {
	t.Parallel()
	const library = "ARG V=1\nFROM alpine AS Build\nRUN --mount=from=nothing,target=/n x $NONE\nCOPY . .\nMAINTAINER me\n"
	for name, url := range map[string]string{
		"git":              "https://user:${TOKEN}@github.com/acme/stages.git#main",
		"git with a token": "https://${TOKEN}@github.com/acme/stages.git#main",
		"git with letters": "https://user:${TOKEN}%2Fx@github.com/acme/stages.git#main",
		"ssh":              "ssh://git:${TOKEN}@github.com/acme/stages.git#main",
		"HTTP":             "https://user:${TOKEN}@example.com/go.Dockerfile",
		"no URL":           "https://user:${TOKEN}%zz/@github.com/acme/stages.git",
		"a named context":  "shared",
	} {
		for change, edit := range map[string]func(*gatewaytest.Build){
			"a build":           func(*gatewaytest.Build) {},
			"check":             func(b *gatewaytest.Build) { b.Opts["requestid"] = "frontend.lint" },
			"graph":             func(b *gatewaytest.Build) { b.Opts["requestid"] = "frontend.graph" },
			"targets":           func(b *gatewaytest.Build) { b.Opts["requestid"] = "frontend.targets" },
			"outline":           func(b *gatewaytest.Build) { b.Opts["requestid"] = "frontend.outline" },
			"an SBOM":           func(b *gatewaytest.Build) { b.Opts["attest:sbom"] = "generator=scanner:1" },
			"no such file":      func(b *gatewaytest.Build) { replaceLibrary(b, "") },
			"a mistake":         func(b *gatewaytest.Build) { replaceLibrary(b, "FROM alpine AS Build\nFROM build(\n") },
			"a required ARG":    func(b *gatewaytest.Build) { replaceLibrary(b, "FROM alpine AS Build\nARG --required V\n") },
			"an unknown stage":  func(b *gatewaytest.Build) { replaceLibrary(b, "FROM alpine AS other\n") },
			"an image's error":  func(b *gatewaytest.Build) { b.Missing = []string{"docker.io/library/alpine:latest"} },
			"a mistake, checks": func(b *gatewaytest.Build) { replaceLibrary(b, "FROM a(\n"); b.Opts["requestid"] = "frontend.lint" },
		} {
			t.Run(name+"/"+change, func(t *testing.T) {
				t.Parallel()
				path := " go.Dockerfile"
				if name == "HTTP" {
					path = ""
				}
				b := gatewaytest.Dockerfile("ARG TOKEN\nIMPORT --from="+url+path+" AS go\nFROM go.build\nRUN y\n", "build-arg:TOKEN", canary,
					"context:shared", "https://user:"+canary+"@github.com/acme/stages.git#main")
				b.Files["git://github.com/acme/stages.git#main"] = map[string]string{"go.Dockerfile": library}
				b.Files["https://user:"+canary+"@example.com/go.Dockerfile"] = map[string]string{"context": library}
				edit(&b)
				c := gatewaytest.New(b)
				res, err := frontend.Build(t.Context(), c)
				requireHidden(t, c, res, err)
			})
		}
		if strings.Contains(url, "%") { // an error of the daemon has the whole of it
			continue
		}
		t.Run(name+"/failing", func(t *testing.T) {
			t.Parallel()
			b := gatewaytest.Dockerfile("ARG TOKEN\nIMPORT --from="+url+" go.Dockerfile AS go\nFROM go.build\n", "build-arg:TOKEN", canary,
				"context:shared", "https://user:"+canary+"@github.com/acme/stages.git#main")
			c := gatewaytest.New(b)
			solves := 0
			c.Fail = func(call string) error {
				if solves++; solves > 4 && call == "Solve" {
					return fmt.Errorf("fatal: unable to access 'https://user:%s@github.com/acme/stages.git/': %s is wrong", canary, canary)
				}
				return nil
			}
			res, err := frontend.Build(t.Context(), c)
			if err == nil {
				t.Error("no error")
			}
			requireHidden(t, c, res, err)
		})
	}
}

const canary = "canary-in-the-mine"

func replaceLibrary(b *gatewaytest.Build, text string) {
	for _, files := range b.Files {
		for _, name := range []string{"go.Dockerfile", "context"} {
			if _, ok := files[name]; ok && text == "" {
				delete(files, name)
			} else if ok {
				files[name] = text
			}
		}
	}
}

// requireHidden fails when the canary is in anything that a user or the daemon sees
// beside source ops.
func requireHidden(t *testing.T, c *gatewaytest.Client, res *client.Result, err error) {
	t.Helper()
	look := func(what, text string) {
		if strings.Contains(text, canary) {
			t.Errorf("%s shows the password: %s", what, text)
		}
	}
	if err != nil {
		look("the error", fmt.Sprintf("%+v", err))
		for _, s := range errdefs.Sources(err) {
			look("an error's file", s.Info.Filename+string(s.Info.Data))
			lookIn(t, look, s.Info.Definition, nil)
		}
	}
	for _, w := range c.Warnings {
		look("a warning", fmt.Sprintf("%s %s %v %s", w.Message, w.URL, w.Range, w.SourceInfo))
	}
	for call := range maps.Keys(c.Calls) {
		look("a look-up", call)
	}
	for _, req := range c.Solved {
		if req.Definition != nil {
			lookIn(t, look, req.Definition, isSource)
		}
	}
	if res != nil {
		for key, value := range res.Metadata {
			look(key, string(value))
		}
	}
}

func isSource(op *pb.Op) bool { return op.GetSource() != nil }

// lookIn looks at a definition but for the ops that may have it.
func lookIn(t *testing.T, look func(what, text string), def *pb.Definition, may func(*pb.Op) bool) {
	t.Helper()
	for _, dt := range def.GetDef() {
		var op pb.Op
		if err := proto.Unmarshal(dt, &op); err != nil {
			t.Fatal(err)
		}
		if may == nil || !may(&op) {
			look("an op", string(dt))
		}
	}
	for _, meta := range def.GetMetadata() {
		look("a vertex", fmt.Sprint(meta))
	}
	for _, info := range def.GetSource().GetInfos() {
		look("a file", info.Filename+string(info.Data))
		lookIn(t, look, info.Definition, nil)
	}
}
