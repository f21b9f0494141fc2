package main

import "testing"

func TestGreeting(t *testing.T) {
	if greeting() != "web is ready" {
		t.Error(greeting())
	}
}
