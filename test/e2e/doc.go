// Package e2e builds real Dockerfiles with stock clients through the frontend
// image, on real engines. Its tests are behind the build tag e2e, for they need
// the development engine: make e2e starts it and runs them.
package e2e
