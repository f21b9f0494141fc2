# syntax=stagecraft/dockerfile:1
# The toolchain of all services: how a Go program is built, tested and shipped here.
# GO is the release of Go
ARG GO=1.26
MOUNT gocache type=cache,target=/root/.cache/go-build

FROM --platform=$BUILDPLATFORM golang:${GO}-alpine AS source
WORKDIR /src
COPY . .

# build compiles one service
FROM source AS build
# SERVICE is its folder below services/
ARG --required SERVICE
ARG TARGETOS TARGETARCH
RUN --mount=gocache \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -ldflags "-s -w" -o /out/service ./services/$SERVICE

# test tests one service
FROM source AS test
ARG --required SERVICE
RUN --mount=gocache go test ./services/$SERVICE

# image is the image of one service: there only if its tests passed
FROM --after=test scratch AS image
COPY --from=build /out/service /service
ENTRYPOINT ["/service"]
