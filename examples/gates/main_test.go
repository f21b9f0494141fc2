package main

import "testing"

func TestSum(t *testing.T) {
	if got, err := sum([]string{"1", "2"}); got != 3 || err != nil {
		t.Errorf("1 + 2 is %d, %v", got, err)
	}
}
