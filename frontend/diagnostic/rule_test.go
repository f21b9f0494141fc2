package diagnostic

import "testing"

// TestPagesOfARelease guards that a rule's page is that of the release which shows the rule.
func TestPagesOfARelease(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]string{
		"v1.2.3": "v1.2.3", "v1.2.3-rc1": "v1.2.3-rc1", "v1.2.3-rc.1": "v1.2.3-rc.1",
		"v1.2.3-4-g0123abc": "main", "0123abc": "main", "devel": "main",
	} {
		if got := pages(version); got != "https://github.com/stagecraft-build/stagecraft/blob/"+want+"/docs/rules/" {
			t.Errorf("the pages of %s are %s", version, got)
		}
	}
	if got := page("GateOfContext"); got != "gate-of-context.md" {
		t.Errorf("the page is %s", got)
	}
}
