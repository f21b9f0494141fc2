package dockerfilegen

// instruction writes one instruction of a stage, or a mistake.
func (g *generator) instruction() {
	kinds := []func(){
		g.run, g.run, g.run, g.copyFrom, g.copyFrom, g.copyContext, g.add, g.arg, g.env, g.metadata, g.metadata, g.onbuild,
	}
	if g.chance(1) {
		g.mistake()
		return
	}
	kinds[g.rand.IntN(len(kinds))]()
}

func (g *generator) run() {
	flags := g.pick("", "", "--network=none ", "--network=host ", "--security=insecure ")
	for g.chance(25) {
		flags += g.pick(
			"--mount=type=cache,target=/root/.cache ",
			"--mount=type=cache,target=/c,id=c,sharing=locked,from="+g.source()+" ",
			"--mount=type=bind,source=.,target=/src ",
			"--mount=from="+g.source()+",target=/other ",
			"--mount=type=secret,id=token,required=true ",
			"--mount=type=secret,id=token,env=TOKEN ",
			"--mount=type=ssh ",
			"--mount=type=tmpfs,target=/tmp/x ",
		)
	}
	switch g.rand.IntN(5) {
	case 0:
		g.line("RUN %s[\"echo\", \"one\", \"$VERSION\"]", flags)
	case 1:
		g.line("RUN %s<<EOT\nset -e\necho $VERSION build(PKG=x)\nEOT", flags)
	case 2:
		g.line("RUN %secho one && %s\n  # a comment inside\n  echo two", flags, g.escape)
	case 3:
		g.line("RUN %secho ${VERSION:-none} $TARGETARCH > /out", flags)
	default:
		g.line("run %strue", flags)
	}
}

func (g *generator) copyFrom() {
	g.line("COPY --from=%s %s%s", g.source(), g.copyFlags(), g.pick("/out /out", "/a /b /dir/", `["/with space", "/x"]`, "/etc/*.conf /conf/", ". ."))
}

func (g *generator) copyContext() {
	if g.chance(20) {
		g.line("COPY <<EOT /etc/motd\nhello $VERSION\nEOT")
		return
	}
	g.line("COPY %s%s", g.copyFlags(), g.pick("go.mod go.sum ./", ". /src", "${VERSION} /v", "main.go main.go"))
}

func (g *generator) copyFlags() string {
	flags := ""
	for _, flag := range []string{"--link ", "--chown=1000:1000 ", "--chmod=755 ", "--exclude=*.md ", "--parents "} {
		if g.chance(8) {
			flags += flag
		}
	}
	return flags
}

func (g *generator) add() {
	g.line("ADD %s", g.pick(
		"https://example.com/file.txt /file.txt",
		"--checksum=sha256:"+digits+" https://example.com/a.tgz /",
		"https://github.com/moby/buildkit.git#v1.2.3 /src",
		"--keep-git-dir=true https://github.com/moby/buildkit.git /src",
		"archive.tar.gz /",
		"--unpack=false archive.tar.gz /",
	))
}

const digits = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func (g *generator) arg() {
	g.line("ARG %s", g.pick("VERSION", "VERSION=2", "TARGETARCH", "TARGETPLATFORM BUILDPLATFORM", "A=1 B=${A}x", "UNUSED", "BUILDKIT_SBOM_SCAN_STAGE=true"))
}

func (g *generator) env() {
	g.line("ENV %s", g.pick("A=1", "A=1 B=$A C=\"x y\"", "OLD style", "PATH=$PATH:/opt/bin", "V=${VERSION:+set}", "E="))
}

func (g *generator) metadata() {
	g.line("%s", g.pick(
		"WORKDIR /srv", "WORKDIR sub/dir", "WORKDIR $A",
		"USER 1000", "USER nobody:nogroup",
		"LABEL a=b c=\"d e\"", "LABEL v=$VERSION",
		"EXPOSE 80 443/tcp 53/udp", "EXPOSE 8000-8010",
		"VOLUME /data", `VOLUME ["/a", "/b"]`,
		"CMD echo hi", `CMD ["echo", "hi"]`, `ENTRYPOINT ["/app"]`, "ENTRYPOINT exec app",
		"HEALTHCHECK --interval=5s CMD true", "HEALTHCHECK NONE",
		"STOPSIGNAL SIGINT", `SHELL ["/bin/bash", "-c"]`,
		"MAINTAINER me <me@example.com>",
		"# a comment", "# check=skip=MaintainerDeprecated\nMAINTAINER me",
		"",
	))
}

func (g *generator) onbuild() {
	if g.chance(30) {
		g.line("ONBUILD %s", g.pick("RUN echo triggered", "COPY . /src", "ENV T=1", "ARG VERSION"))
	}
}

func (g *generator) mistake() {
	g.line("%s", g.pick(
		"COPYY a b", "ARG --nope X", "FROM --nope=1 alpine", "RUN --nope=1 true", "COPY onlyone", "ENV", "EXPOSE port", "FROM", "FROM a b c",
		"ARG", "LABEL x", "ONBUILD FROM alpine", "RUN <<EOT\nnever closed", "HEALTHCHECK MAYBE", "STOPSIGNAL NOSUCH",
		"COPY --from=alpine --from=busybox a b", "WORKDIR", "ADD --checksum=md5:x https://example.com/f /",
	))
}
