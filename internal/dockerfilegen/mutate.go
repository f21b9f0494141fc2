package dockerfilegen

import (
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
)

var word = regexp.MustCompile(`[^\s]+`)

// pieces are what mistakes and extensions are made of.
var pieces = []string{
	"\\", "\\\n", "`", `"`, "'", "$", "${", "}", "(", ")", "()", "(V=1)", "(V=[1,2])", "[", "]", ",", "=", "--", " -- ", "#", "#+", "#+ ", "\n#+ --after=test\n", "\n#+ --if=V\n", ".", "..", "/", ":", "@", "*",
	" --after=test", " --after=", " --if=V", " --if='V == \"1\"'", " --mount=m", " --mount=type=bind,from=build,target=/m", " --from=build", " --from=$V", " --from=build(V=1)", " --required", " --oneof=a,b", " --global",
	" --if-exists", " --arg=V=1", "MOUNT m type=cache,target=/m\n", "IMPORT ./lib.Dockerfile AS lib\n", "lib.", "./lib.Dockerfile#", "FROM ", "FROM build() AS x\n", "ONBUILD ", "ARG V\n", "ENV V=1\n", "COPY --from=0 / /\n",
	" AS x", "<<EOF\n", "\nEOF\n", "\x00", "\xff", "\u00a0", "\t", "\r", "\r\n", "\ufeff", "TARGETTRIPLE", "TARGETPLATFORM=[*]", "TARGETPLATFORM=linux/arm64", "scratch", "context", "s__0_i", "-", "_", "é",
}

// Mutate changes a file as typos, merges and generators do: bytes, words and lines
// are lost, doubled, swapped, taken from other files or replaced.
func Mutate(r *rand.Rand, text string, others ...string) string {
	for range 1 + r.IntN(3) {
		text = mutateOnce(r, text, others)
	}
	return text
}

func mutateOnce(r *rand.Rand, text string, others []string) string {
	at := r.IntN(len(text) + 1)
	switch r.IntN(8) {
	case 0: // another byte
		if at == len(text) {
			return text
		}
		return text[:at] + string(text[at]^byte(1<<r.IntN(8))) + text[at+1:]
	case 1: // some bytes less
		return text[:at] + text[min(len(text), at+1+r.IntN(4)):]
	case 2:
		return text[:at] + pieces[r.IntN(len(pieces))] + text[at:]
	case 3, 4: // lines
		lines := strings.SplitAfter(text, "\n")
		i, j := r.IntN(len(lines)), r.IntN(len(lines))
		switch r.IntN(4) {
		case 0:
			lines[i], lines[j] = lines[j], lines[i]
		case 1:
			lines = slices.Insert(lines, i, lines[j])
		case 2:
			lines = slices.Delete(lines, i, i+1)
		default:
			if len(others) > 0 {
				other := strings.SplitAfter(others[r.IntN(len(others))], "\n")
				lines = slices.Insert(lines, i, other[r.IntN(len(other))])
			}
		}
		return strings.Join(lines, "")
	case 5: // a piece between words
		words := word.FindAllStringIndex(text, -1)
		if len(words) == 0 {
			return text
		}
		at := words[r.IntN(len(words))][r.IntN(2)]
		return text[:at] + pieces[r.IntN(len(pieces))] + text[at:]
	}
	words := word.FindAllStringIndex(text, -1)
	if len(words) == 0 {
		return text
	}
	a, b := words[r.IntN(len(words))], words[r.IntN(len(words))]
	other := text[b[0]:b[1]]
	if r.IntN(2) == 0 { // twice
		return text[:a[0]] + other + " " + text[a[0]:]
	}
	return text[:a[0]] + other + text[a[1]:]
}
