package frontend_test

import (
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/builder"
	"github.com/stagecraft-build/stagecraft/frontend"
	"github.com/stagecraft-build/stagecraft/internal/dockerfilegen"
	"github.com/stagecraft-build/stagecraft/internal/gatewaytest"
)

func BenchmarkCalls(b *testing.B) {
	text := dockerfilegen.Calls(1000, 30)
	for b.Loop() {
		frontend.Build(b.Context(), gatewaytest.New(gatewaytest.Dockerfile(text)))
	}
}
func BenchmarkCalls4(b *testing.B) {
	text := dockerfilegen.Calls(4000, 30)
	for b.Loop() {
		frontend.Build(b.Context(), gatewaytest.New(gatewaytest.Dockerfile(text)))
	}
}
func BenchmarkCopies(b *testing.B) {
	text := dockerfilegen.Copies(1000, 30)
	for b.Loop() {
		builder.Build(b.Context(), gatewaytest.New(gatewaytest.Dockerfile(text)))
	}
}
func BenchmarkCopies4(b *testing.B) {
	text := dockerfilegen.Copies(4000, 30)
	for b.Loop() {
		builder.Build(b.Context(), gatewaytest.New(gatewaytest.Dockerfile(text)))
	}
}
