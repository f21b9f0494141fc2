package main

import (
	"net/http/httptest"
	"testing"
)

func TestGreeting(t *testing.T) {
	for path, want := range map[string]string{
		"/":    "Hello, world, from version devel.\n",
		"/you": "Hello, you, from version devel.\n",
	} {
		w := httptest.NewRecorder()
		handler().ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if got := w.Body.String(); got != want {
			t.Errorf("GET %s gives %q, not %q", path, got, want)
		}
	}
}
