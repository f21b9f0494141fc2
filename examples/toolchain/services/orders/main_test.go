package main

import "testing"

func TestGreeting(t *testing.T) {
	if greeting() != "orders is ready" {
		t.Error(greeting())
	}
}
