package main

import (
	"net/http/httptest"
	"testing"
)

func TestGreet(t *testing.T) {
	w := httptest.NewRecorder()
	greet(w, httptest.NewRequest("GET", "/", nil))
	if got := w.Body.String(); got != "Hello, DockerCon!\n" {
		t.Errorf("got %q", got)
	}
}
