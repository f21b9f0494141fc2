# The frontend image, and the checks of this repository.
#
# A plain Dockerfile on purpose, without here-documents: any BuildKit since
# Docker 20.10 builds it, with no frontend of ours at hand. docker-bake.hcl names
# what to build.

ARG GO_VERSION=1.26
ARG ALPINE_VERSION=3.23
ARG XX_VERSION=1.9.0
ARG GOLANGCI_LINT_VERSION=v2.15.0
ARG GOVULNCHECK_VERSION=v1.9.0

FROM --platform=$BUILDPLATFORM tonistiigi/xx:${XX_VERSION} AS xx

FROM --platform=$BUILDPLATFORM golang:${GO_VERSION}-alpine${ALPINE_VERSION} AS base
RUN apk add --no-cache git
COPY --from=xx / /
WORKDIR /src
ENV CGO_ENABLED=0 GOFLAGS=-buildvcs=false

# the linker flags that tell the program its version
FROM base AS version
ARG VERSION
RUN --mount=type=bind,target=. \
    version=${VERSION:-$(git describe --tags --always --match 'v[0-9]*' 2>/dev/null || echo devel)} && \
    revision=$(git rev-parse HEAD 2>/dev/null || true) && \
    if [ -n "$revision" ] && ! git diff --quiet HEAD; then revision=$revision+dirty; fi && \
    package=github.com/stagecraft-build/stagecraft/internal/version && \
    echo "-X $package.version=$version -X $package.revision=$revision" | tee /ldflags

FROM base AS build
ARG TARGETPLATFORM
# grpcnotrace leaves out a debugging page and nethttpomithttp2 an HTTP server that no frontend serves; the
# linker cannot find out by itself, since the library of conditions looks methods up by name. Functions are
# inlined where a conversion spends its time, and nowhere else: that is a fifteenth of the image
RUN --mount=type=bind,target=. \
    --mount=type=bind,from=version,source=/ldflags,target=/ldflags \
    --mount=type=cache,target=/root/.cache/go-build \
    --mount=type=cache,target=/go/pkg/mod \
    xx-go build -trimpath -tags 'netgo osusergo static_build grpcnotrace nethttpomithttp2' \
      -gcflags=all=-l \
      $(printf ' -gcflags=%s=' std github.com/moby/buildkit/frontend/dockerfile/... github.com/moby/buildkit/client/llb ./frontend/plan ./frontend/syntax ./llbgen/...) \
      $(printf ' -gcflags=%s=-l' crypto/... debug/... encoding/... net/... vendor/...) \
      -ldflags "-s -w -funcalign=16 $(cat /ldflags)" -o /out/stagecraft-frontend ./cmd/stagecraft-frontend && \
    xx-verify --static /out/stagecraft-frontend

FROM scratch AS binaries
COPY --from=build /out/ /

# the tests that need no engine
FROM base AS test
RUN --mount=type=bind,target=. \
    --mount=type=cache,target=/root/.cache/go-build \
    --mount=type=cache,target=/go/pkg/mod \
    go test ./...

FROM base AS lint
ARG GOLANGCI_LINT_VERSION
RUN --mount=type=cache,target=/root/.cache/go-build \
    --mount=type=cache,target=/go/pkg/mod \
    go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@${GOLANGCI_LINT_VERSION}
RUN --mount=type=bind,target=. \
    --mount=type=cache,target=/root/.cache \
    --mount=type=cache,target=/go/pkg/mod \
    golangci-lint run

FROM base AS govulncheck
ARG GOVULNCHECK_VERSION
RUN --mount=type=cache,target=/root/.cache/go-build \
    --mount=type=cache,target=/go/pkg/mod \
    go install golang.org/x/vuln/cmd/govulncheck@${GOVULNCHECK_VERSION}
RUN --mount=type=bind,target=. \
    --mount=type=cache,target=/root/.cache/go-build \
    --mount=type=cache,target=/go/pkg/mod \
    govulncheck ./...

FROM base AS tidied
COPY . .
RUN --mount=type=cache,target=/go/pkg/mod go mod tidy

FROM scratch AS mod-update
COPY --from=tidied /src/go.mod /src/go.sum /

FROM tidied AS mod-validate
RUN --mount=type=bind,target=/committed \
    diff -u /committed/go.mod go.mod && diff -u /committed/go.sum go.sum || \
    { echo "go.mod is not tidy: run docker buildx bake update" && exit 1; }

FROM scratch AS release
LABEL moby.buildkit.frontend.network.none="true"
LABEL moby.buildkit.frontend.caps="moby.buildkit.frontend.inputs,moby.buildkit.frontend.subrequests,moby.buildkit.frontend.contexts,moby.buildkit.frontend.gitquerystring,moby.buildkit.frontend.contexts.zstd"
COPY --from=build /out/stagecraft-frontend /bin/stagecraft-frontend
ENTRYPOINT ["/bin/stagecraft-frontend"]
