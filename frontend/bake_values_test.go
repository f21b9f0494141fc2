package frontend_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stagecraft-build/stagecraft/frontend"
	"github.com/stagecraft-build/stagecraft/internal/gatewaytest"
)

// TestBakeValuesAreWhatBakeTakes guards that a value which bake, or the build that it starts,
// refuses is a mistake at the FROM, and that what it takes is none. What bake says to each was
// seen with buildx 0.38.
func TestBakeValuesAreWhatBakeTakes(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"call=check": "", "call=outline,format=json": "", "call=graph.mermaid": "", "call=check,ignorestatus=true": "",
		"call=chek":                   `there is no call "chek"`,
		"call=check,outline":          "names two calls",
		"call=check,x=y":              `not "x"`,
		"call=outline,format=xml":     "a format is json or text",
		"call=check,ignorestatus=yes": "ignorestatus is true or false",
		"call=format=json":            `there is no call ""`,

		"entitlements=network.host": "", "entitlements=security.insecure": "", "entitlements=device": "", "entitlements=device=x/y": "",
		"entitlements=network.hosts":                  "did you mean network.host?",
		"entitlements=NETWORK.HOST":                   "there is no entitlement",
		"entitlements=network.host,security.insecure": "each in a --bake=entitlements of its own",
		"entitlements=fs.read=/":                      "there is no entitlement",

		"attest=type=sbom,generator=x/y": "", "attest=type=provenance,mode=max": "", "attest=type=sbom,disabled=true": "",
		"attest=type=prov":            `"prov" is no type of attest`,
		"attest=type=sbom,disabled=x": "disabled is true or false",
		"attest=sbom":                 "without a value",

		"policy=filename=a.rego,reset=true,strict=false": "", "policy=disabled=true": "", "policy=log-level=info": "",
		"policy=a.rego":          "without a value",
		"policy=filename=":       "the filename of the policy is empty",
		"policy=file=a.rego":     `the field "file", and there are filename`,
		"policy=strict=yes":      "strict is true or false",
		"policy=log-level=bogus": "a log-level is one of",

		"contexts.n=docker-image://alpine": "", "contexts.n=../x": "", "contexts.n=target:other": "", "contexts.n=https://example.com/x.git": "",
		"contexts.n=docker-image://UPPER":            "no name of an image",
		"contexts.n=target:othr":                     "did you mean other?",
		"contexts.n=target:app":                      "cannot be a context of itself",
		"contexts.n=https://user:pass@example.com/x": "user or the password",
		"cache-from=type=s3,url=https://tok@x.com":   "user or the password",
		"contexts.n=ssh://git@example.com/x.git":     "",
		"labels.url=https://example.com/a@b":         "",
		"platforms=linux/amd64/":                     "invalid component",
		"platforms=bogus":                            "bogus",
		"no-cache-filter=a,,b":                       "missing between commas",
		"output=type=local":                          "has no dest",
		"output=type=bogus,dest=x":                   "is no type of output",
		"output=type=image,push=x":                   "push is true or false",
		"output=type=cacheonly":                      "",
		"output=type=registry":                       "",
		"output=out":                                 "",
		"cache-to=type=local":                        "has no dest",
		"cache-to=type=registry,mode=max":            "has no ref",
		"cache-to=type=inline":                       "",
		"cache-from=type=local":                      "has no src",
		"cache-from=type=bogus":                      "is no type of cache-from",
		"secret=id=a,foo=b":                          `the field "foo"`,
		"secret=id=a,type=bogus":                     "of the type file or env",
		"secret=id=a,type=env,env=X":                 "",
		"annotations=manifest[bogus]:a=b":            "bogus",
		"annotations=manifest[linux/amd64]:a=b":      "",
		"ulimits=nofile=2:1":                         "soft limit",
		"tags=A":                                     "lowercase",
		"tags=a:":                                    "invalid reference",
		"extra-hosts.n=x":                            "no IP address",
		"shm-size=-1":                                "no size",
	} {
		b := gatewaytest.Dockerfile("FROM alpine AS other\nFROM --bake='" + value + "' alpine AS app\n")
		b.Opts["requestid"] = "frontend.bake"
		_, err := frontend.Build(t.Context(), gatewaytest.New(b))
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", value, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "line 2, column 13")):
			t.Errorf("%s: %v, not %q", value, err, want)
		}
	}
}

// TestEveryCallIsOneOfBake guards that a target may ask for each call that there is.
func TestEveryCallIsOneOfBake(t *testing.T) {
	t.Parallel()
	b := gatewaytest.Dockerfile("FROM scratch")
	b.Opts["requestid"] = "frontend.subrequests.describe"
	res, err := frontend.Build(t.Context(), gatewaytest.New(b))
	if err != nil {
		t.Fatal(err)
	}
	var all []struct{ Name string }
	if err := json.Unmarshal(res.Metadata["result.json"], &all); err != nil {
		t.Fatal(err)
	}
	if len(all) < 10 {
		t.Fatalf("only %d calls", len(all))
	}
	for _, call := range all {
		name := strings.TrimPrefix(call.Name, "frontend.")
		if name == "convertllb" { // of which buildx prints nothing
			continue
		}
		b := gatewaytest.Dockerfile("FROM --bake=call=" + name + " scratch AS app\n")
		b.Opts["requestid"] = "frontend.bake"
		if _, err := frontend.Build(t.Context(), gatewaytest.New(b)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
