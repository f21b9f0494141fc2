package main

import "testing"

func TestGreeting(t *testing.T) {
	if greeting() != "mail is ready" {
		t.Error(greeting())
	}
}
