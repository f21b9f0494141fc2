package dockerfilegen

import "strings"

// Interpreter is one image of examples/interpreter, as a plain Dockerfile has it.
type Interpreter struct {
	Version, Variant, Threads string
	// Release, SHA256 and Status come out of versions.json; a status that is not there
	// is empty.
	Release, SHA256, Status string
	// JIT says that the version is 3.13 or newer.
	JIT bool
}

// Plain writes the image out.
func (i Interpreter) Plain() string {
	base := map[string]string{"full": "debian:bookworm", "slim": "debian:bookworm-slim", "alpine": "alpine:3.22"}[i.Variant]
	var b strings.Builder
	line := func(parts ...string) { b.WriteString(strings.Join(parts, "") + "\n") }
	line("FROM ", base, " AS build")
	line("ARG RELEASE=", i.Release, " SHA256=", i.SHA256)
	line("COPY releases/tiny-$RELEASE.sh /src/tiny")
	line(`RUN set -eux; \`)
	line(`    echo "$SHA256  /src/tiny" | sha256sum -c -; \`)
	line(`    mkdir -p /usr/local/lib/tiny; \`)
	libc := "glibc"
	if i.Variant == "alpine" {
		libc = "musl"
	}
	line("    echo ", libc, ` > /usr/local/lib/tiny/libc; \`)
	line(`    printf '%s' \`)
	if i.JIT {
		line(`      '+jit' \`)
	}
	if i.Threads == "free" {
		if !i.JIT {
			line(`      '+experimental' \`)
		}
		line(`      '+free' \`)
	}
	line(`      > /usr/local/lib/tiny/features; \`)
	line(`    chmod 755 /src/tiny; \`)
	line(`    mv /src/tiny /usr/local/bin/tiny`)
	line()
	status := i.Status
	if status == "" {
		status = "stable"
	}
	line("# tiny is the interpreter")
	line("FROM ", base, " AS tiny")
	line("ARG RELEASE=", i.Release, " STATUS=", status)
	line("LABEL org.opencontainers.image.version=$RELEASE")
	if i.Status != "" {
		line("LABEL com.example.status=$STATUS")
	}
	line("COPY --from=build /usr/local/ /usr/local/")
	if i.Variant == "full" {
		line(`RUN mkdir -p /usr/local/share/tiny && echo "the manual of $RELEASE" > /usr/local/share/tiny/manual`)
	}
	line(`CMD ["tiny", "--version"]`)
	return b.String()
}

// Interpreters are the images of every version in every variant. data is
// versions.json, read.
func Interpreters(data map[string]map[string]string) []Interpreter {
	var out []Interpreter
	for _, version := range []string{"3.10", "3.11", "3.12", "3.13", "3.14", "3.15"} {
		for _, variant := range []string{"full", "slim", "alpine"} {
			for _, threads := range []string{"locked", "free"} {
				out = append(out, Interpreter{
					Version: version, Variant: variant, Threads: threads,
					Release: data[version]["release"], SHA256: data[version]["sha256"], Status: data[version]["status"],
					JIT: version >= "3.13",
				})
			}
		}
	}
	return out
}
