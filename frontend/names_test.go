package frontend_test

import (
	"encoding/json"
	"regexp"
	"testing"

	"github.com/stagecraft-build/stagecraft/frontend"
	"github.com/stagecraft-build/stagecraft/internal/gatewaytest"
)

// TestNamesOfSBOMScans builds an extended file with an SBOM: what the scanner encodes
// has the names and lines of the file.
func TestNamesOfSBOMScans(t *testing.T) {
	t.Parallel()
	made := regexp.MustCompile(`(?i)s__\d+_i|stagecraft\.invalid|stagecraft-scratch`)
	for _, text := range []string{
		"ARG BUILDKIT_SBOM_SCAN_STAGE=true\nFROM alpine AS build\nARG V\nRUN make $V\nFROM alpine\nCOPY --from=build(V=1) / /\n",
		"FROM alpine AS build\nARG V\nRUN make $V\nFROM build(V=1)\nRUN true\n",
		"FROM alpine AS build\nARG V\nRUN make $V\nFROM scratch\nCOPY --from=build(TARGETPLATFORM=linux/arm64,V=1) / /\n",
	} {
		rec, err := gatewaytest.Run(t.Context(), gatewaytest.Dockerfile(text, "attest:sbom", "generator=scanner:1"), frontend.Build)
		if err != nil || rec.Error != "" {
			t.Fatal(err, rec.Error)
		}
		dt, err := json.Marshal(rec)
		if err != nil {
			t.Fatal(err)
		}
		if found := made.FindIndex(dt); found != nil {
			t.Errorf("%s: …%s…", text, dt[max(0, found[0]-100):found[1]+50])
		}
	}
}
