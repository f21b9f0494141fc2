package diagnostic

import (
	"regexp"
	"strings"

	"github.com/stagecraft-build/stagecraft/internal/version"
)

// Rule is a lint rule of our own, in the form of upstream's.
type Rule struct {
	Name, Description, URL string
}

// NewRule returns a rule of ours, whose page is that of the release that the program is of.
func NewRule(name, description string) *Rule {
	return &Rule{Name: name, Description: description, URL: ownPages + page(name)}
}

var (
	ownPages = pages(version.Get().Version)
	tag      = regexp.MustCompile(`^v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`)
	// between matches what git describe makes of a commit that has no tag.
	between = regexp.MustCompile(`-\d+-g[0-9a-f]+$`)
)

// pages returns where the pages of rules are for a version of the program.
func pages(version string) string {
	if !tag.MatchString(version) || between.MatchString(version) {
		version = "main"
	}
	return "https://github.com/stagecraft-build/stagecraft/blob/" + version + "/docs/rules/"
}

// page returns the name of a rule's page.
func page(rule string) string {
	var out strings.Builder
	for i, r := range rule {
		if i > 0 && 'A' <= r && r <= 'Z' {
			out.WriteByte('-')
		}
		out.WriteRune(r)
	}
	return strings.ToLower(out.String()) + ".md"
}
