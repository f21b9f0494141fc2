package frontend_test

import (
	"strings"
	"testing"

	"github.com/stagecraft-build/stagecraft/frontend"
	"github.com/stagecraft-build/stagecraft/internal/gatewaytest"
)

// TestNoProgramInAClientsProcess guards what is said where the frontend has no image whose program
// could run in the build: at the flag, and for sizes at once.
func TestNoProgramInAClientsProcess(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"FROM --max-size=5MB alpine":                                         "line 1, column 6: ",
		"FROM alpine AS a\nFROM scratch\nCOPY --needed --from=a /x /x":       "line 3, column 6: ",
		"FROM alpine\nRUN x\n":                                               "",
		"FROM alpine AS a\nRUN a\nFROM --after=a scratch\nCOPY --from=a / /": "",
	} {
		for _, request := range []string{"", "frontend.size"} {
			b := gatewaytest.Dockerfile(text)
			if request != "" {
				b.Opts["requestid"] = request
			}
			delete(b.Opts, "source")
			delete(b.Opts, "cmdline")
			_, err := frontend.Build(t.Context(), gatewaytest.New(b))
			fails := want != "" || request != ""
			if fails != (err != nil) || fails && (!strings.Contains(err.Error(), "this needs the image of the frontend") || request == "" && !strings.HasPrefix(err.Error(), want)) {
				t.Errorf("%s\nrequest %q: %v", text, request, err)
			}
		}
	}
}
