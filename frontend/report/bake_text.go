package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/stagecraft-build/stagecraft/internal/pattern"
)

// expression is a text that bake evaluates, and not one of the build.
type expression string

// folderVariable is the folder where bake runs, as a shell says it.
const folderVariable = "PWD"

// Folder returns the path to a folder of a git repository from where bake runs: the root
// of the repository, or the folder context of it.
func Folder(context, folder string) any {
	if context == "." {
		return folder
	}
	inside := relative(context, folder)
	return expression(fmt.Sprintf(`${trimsuffix(%s, %s) == %s ? %s : %s}`, folderVariable, quote("/"+context), folderVariable, quote(folder), quote(inside)))
}

// relative returns the path from one folder to another.
func relative(from, to string) string {
	up := ""
	for from != "." && to != from && !strings.HasPrefix(to, from+"/") {
		from, up = path.Dir(from), up+"../"
	}
	switch {
	case from == ".":
		return path.Clean(up + to)
	case to == from:
		return path.Clean(up + ".")
	}
	return path.Clean(up + strings.TrimPrefix(to, from+"/"))
}

// quote writes a text as one in an expression.
func quote(text string) string {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(template(text)) // to memory
	return strings.TrimSpace(out.String())
}

func usesFolder(attributes map[string]any) bool {
	for _, v := range attributes {
		switch v := v.(type) {
		case expression:
			return true
		case map[string]any:
			if usesFolder(v) {
				return true
			}
		}
	}
	return false
}

// template writes a text so that bake reads it as it is. Bake asks first whether what
// comes from standard input is a Compose file, and would warn of names that those know.
func template(text string) string {
	text = variableLike().ReplaceAllStringFunc(text, func(found string) string {
		dollars, behind := found[:len(found)-1], found[len(found)-1:]
		if found == "${" {
			return "$${"
		}
		return strings.Repeat(`${"$"}`, len(dollars)) + behind
	})
	return strings.ReplaceAll(text, "%{", "%%{")
}

// variableLike finds what a template or a Compose file may read as a variable.
var variableLike = pattern.New(`\$+[A-Za-z_{]`)

// templates writes all texts of an attribute so that bake reads them as they are.
func templates(v any) (any, error) {
	switch v := v.(type) {
	case string:
		if !utf8.ValidString(v) {
			return nil, fmt.Errorf("%+q is not UTF-8, and JSON has no other text", v)
		}
		if !norm.NFC.IsNormalString(v) {
			return nil, fmt.Errorf("%+q is not in Unicode's form NFC, and bake would write it in that form", v)
		}
		return template(v), nil
	case []string:
		out := make([]string, len(v))
		for i, text := range v {
			t, err := templates(text)
			if err != nil {
				return nil, err
			}
			out[i] = t.(string)
		}
		return out, nil
	case map[string]string:
		wide := make(map[string]any, len(v))
		for key, text := range v {
			wide[key] = text
		}
		return templates(wide)
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, inner := range v {
			name, err := templates(key)
			if err != nil {
				return nil, err
			}
			if out[name.(string)], err = templates(inner); err != nil {
				return nil, fmt.Errorf("%s: %w", key, err)
			}
		}
		return out, nil
	}
	return v, nil // an expression, true or false
}
