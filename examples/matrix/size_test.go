package matrix

import "testing"

func TestSize(t *testing.T) {
	if Size == "" {
		t.Error("there is no size")
	}
}
