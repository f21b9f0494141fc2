package frontend_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stagecraft-build/stagecraft/frontend"
	"github.com/stagecraft-build/stagecraft/internal/gatewaytest"
)

// TestImportsAreReadOnce guards that a source is fetched once and a file read
// once in a build, whoever imports it and for however many platforms.
func TestImportsAreReadOnce(t *testing.T) {
	t.Parallel()
	const library = "https://github.com/acme/stages.git#0123456789abcdef0123456789abcdef01234567"
	b := gatewaytest.Dockerfile(`IMPORT --from=`+library+` go.Dockerfile AS go
IMPORT --from=`+library+` os.Dockerfile AS os
IMPORT --from=`+library+` --context=. go.Dockerfile AS own
IMPORT ./a.Dockerfile AS a
IMPORT ./b.Dockerfile AS b
FROM go.x
COPY --from=os.x / /
COPY --from=own.x / /
COPY --from=a.x(V=[1,2]) / /
COPY --from=b.x / /
`, "platform", "linux/amd64,linux/arm64")
	b.Files["git://"+strings.TrimPrefix(library, "https://")] = map[string]string{
		"go.Dockerfile": "FROM ./os.Dockerfile#x AS x\n", "os.Dockerfile": "FROM alpine AS x\nRUN true\n",
	}
	for _, name := range []string{"a", "b"} {
		b.Files["dockerfile"][name+".Dockerfile"] = "IMPORT ./c.Dockerfile AS c\nFROM c.y AS x\nARG V\nRUN echo $V\n"
	}
	b.Files["dockerfile"]["c.Dockerfile"] = "FROM busybox AS y\n"
	c := gatewaytest.New(b)
	if _, err := frontend.Build(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	// the Dockerfile, its .dockerignore, the library, a, b and c; the image twice
	if got := c.Calls["Solve"]; got != 8 {
		t.Errorf("%d solves", got)
	}
	// the Dockerfile, Dockerfile.dockerignore and .dockerignore; five files
	if got := c.Calls["ReadFile"]; got != 8 {
		t.Errorf("%d reads", got)
	}
	for call, n := range c.Calls {
		if strings.HasPrefix(call, "ResolveImageConfig") && n > 1 {
			t.Errorf("%s: %d times", call, n)
		}
	}
}

// TestImportLimits guards the limits on imports.
func TestImportLimits(t *testing.T) {
	t.Parallel()
	deep := gatewaytest.Dockerfile("FROM ./1#x\n")
	for i := range 40 {
		deep.Files["dockerfile"][fmt.Sprint(i)] = fmt.Sprintf("FROM ./%d#x AS x\n", i+1)
	}
	wide := "FROM scratch\n"
	many := gatewaytest.Dockerfile("")
	for i := range 1001 {
		wide = fmt.Sprintf("IMPORT ./%d AS f%d\n", i, i) + wide
		many.Files["dockerfile"][fmt.Sprint(i)] = "FROM scratch AS x\n"
	}
	many.Files["dockerfile"]["Dockerfile"] = wide
	files := gatewaytest.Dockerfile("IMPORT ./a AS a\nIMPORT ./b AS b\nFROM scratch\n")
	for i := range 1200 {
		name := []string{"a", "b"}[i%2]
		files.Files["dockerfile"][name] = fmt.Sprintf("IMPORT ./%d AS f%d\n", i, i) + files.Files["dockerfile"][name]
		files.Files["dockerfile"][fmt.Sprint(i)] = "FROM scratch AS x\n"
	}
	for _, name := range []string{"a", "b"} {
		files.Files["dockerfile"][name] += "FROM scratch AS x\n"
	}
	for want, b := range map[string]gatewaytest.Build{"the build has more than 1000 files": files, "imports nest more than 32 deep": deep, "the file has more than 1000 imports": many} {
		if _, err := frontend.Build(t.Context(), gatewaytest.New(b)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v instead of: %s", err, want)
		}
	}
}
