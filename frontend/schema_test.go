package frontend_test

import (
	"os"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/stagecraft-build/stagecraft/frontend"
	"github.com/stagecraft-build/stagecraft/internal/gatewaytest"
)

// TestAnswersFollowTheirSchemas asks for the graph, the targets, the lock, the bake file and the
// expansion of every golden case and of the corpus, and validates the JSON against docs/schemas.
func TestAnswersFollowTheirSchemas(t *testing.T) {
	t.Parallel()
	compiler := jsonschema.NewCompiler()
	texts := map[string]string{}
	for file, archive := range cases(t) {
		texts[file] = string(archive.Files[0].Data)
	}
	for _, file := range dockerfiles(t) {
		dt, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		texts[file] = string(dt)
	}
	for request, path := range map[string]string{"graph": "../docs/schemas/graph.json", "targets": "../docs/schemas/targets.json", "lock": "../docs/schemas/lock.json", "bake": "../docs/schemas/bake.json", "expand": "../docs/schemas/expand.json"} {
		schema, err := compiler.Compile(path)
		if err != nil {
			t.Fatal(err)
		}
		answered := 0
		for file, text := range texts {
			rec, err := gatewaytest.Run(t.Context(), gatewaytest.Dockerfile(text, "requestid", "frontend."+request, "platform", "linux/amd64,linux/arm64"), frontend.Build)
			if err != nil {
				t.Fatal(err)
			}
			if rec.Error != "" {
				continue
			}
			answered++
			answer, err := jsonschema.UnmarshalJSON(strings.NewReader(rec.Metadata["result.json"]))
			if err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(answer); err != nil {
				t.Errorf("%s of %s: %v", request, file, err)
			}
		}
		if answered < 200 {
			t.Errorf("%s answered for %d files only", request, answered)
		}
	}
}

// TestSizesFollowTheirSchema guards docs/schemas/size.json: of made-up measurements, and of a target
// that has no files.
func TestSizesFollowTheirSchema(t *testing.T) {
	t.Parallel()
	schema, err := jsonschema.NewCompiler().Compile("../docs/schemas/size.json")
	if err != nil {
		t.Fatal(err)
	}
	empty := gatewaytest.Dockerfile("FROM scratch\nLABEL a=b", "requestid", "frontend.size")
	full, err := gatewaytest.Case(cases(t)["../testdata/cases/size.txtar"])
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range []gatewaytest.Build{empty, full} {
		rec, err := gatewaytest.Run(t.Context(), b, frontend.Build)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := jsonschema.UnmarshalJSON(strings.NewReader(rec.Metadata["result.json"]))
		if err != nil {
			t.Fatal(rec.Error, err)
		}
		if err := schema.Validate(answer); err != nil {
			t.Error(err)
		}
	}
}
