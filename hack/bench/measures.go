package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// measures compares --call=size with the build that it measures: cold, when the build is cached and
// nothing of it was measured yet, and cached. What stands in the column of upstream is our build.
func measures() ([]row, error) {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	monorepo := filepath.Join(dir, "monorepo")
	if err := os.CopyFS(monorepo, os.DirFS("examples/monorepo")); err != nil {
		return nil, err
	}
	many := filepath.Join(dir, "many")
	if err := manyFiles(many, 20_000); err != nil {
		return nil, err
	}
	var rows []row
	for _, m := range []struct {
		what, dir, changed string
		targets            []string
	}{
		// every program is compiled anew where a source changes
		{"every stage of monorepo", monorepo, "cmd/api/id.go", []string{"api", "worker", "tools"}},
		{"a tree of 20,000 files", many, "id.go", []string{""}},
	} {
		change := func() error {
			text := fmt.Sprintf("package main\n\nconst id = \"%d\"\n", time.Now().UnixNano())
			return os.WriteFile(filepath.Join(m.dir, m.changed), []byte(text), 0o644)
		}
		each := func(flags ...string) func() error {
			return func() error {
				for _, target := range m.targets {
					if err := build(ourImage, m.dir, append(flags, "--target="+target)...)(); err != nil {
						return err
					}
				}
				return nil
			}
		}
		built, call := each(), each("--call=size")
		changed := func() error {
			if err := change(); err != nil {
				return err
			}
			return built()
		}
		cold, err := pairs("sizes of "+m.what+", cold, against its build", 3, changed, call)
		if err != nil {
			return nil, err
		}
		cached, err := pairs("sizes of "+m.what+", cached, against its cached build", 9, built, call)
		if err != nil {
			return nil, err
		}
		rows = append(rows, cold, cached)
	}
	return rows, nil
}

// manyFiles writes a context of n files, and a Dockerfile that copies them.
func manyFiles(dir string, n int) error {
	for i := range n {
		file := filepath.Join(dir, fmt.Sprintf("d%d/f%d", i/100, i))
		if i%100 == 0 {
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				return err
			}
		}
		if err := os.WriteFile(file, fmt.Append(nil, i), 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte("FROM scratch\nCOPY . /\n"), 0o644)
}
