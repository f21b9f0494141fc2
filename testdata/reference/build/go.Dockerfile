# The Go stages of the pages: calls name the package to build.
ARG TAGS
MOUNT gocache type=cache,target=/root/.cache/go-build

FROM golang:1.26-alpine AS source
WORKDIR /src
COPY . .

FROM source AS build
ARG PKG=./cmd/api
ARG TAGS
RUN --mount=gocache CGO_ENABLED=0 go build -tags "$TAGS" -o /out/app $PKG

FROM source AS test
RUN --mount=gocache go vet ./...
