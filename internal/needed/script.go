package needed

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// headLength is how much of a script the kernel reads for its first line.
const headLength = 256

// program finds what the file at a real path needs to run, and reports whether a search
// uses $ORIGIN. A script among the files of a directory counts if it may be executed, and what runs
// it is there.
func (f *finder) program(name, real string, ofDir bool) (bool, error) {
	if origin, ok := f.done[real]; ok {
		return origin, nil
	}
	f.done[real] = false // a script may lead to itself
	obj, err := f.object(real)
	if err != nil {
		return false, err
	}
	if obj != nil {
		f.done[real], err = f.link(name, real, obj)
		return f.done[real], err
	}
	n, err := f.tree.lstat(real)
	if err != nil || ofDir && n.mode&0o111 == 0 {
		return false, err
	}
	file, err := f.tree.open(real)
	if err != nil {
		return false, err
	}
	defer file.Close()
	head := make([]byte, headLength)
	read, err := io.ReadFull(file, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return false, fmt.Errorf("reading %s: %w", show(real), err)
	}
	interpreter, argument, err := shebang(head[:read])
	if err == nil && interpreter != "" {
		err = f.script(name, interpreter, argument)
	}
	if ofDir && errors.Is(err, errMissing) { // it runs as little where it is
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("%s: %w", show(name), err)
	}
	return false, nil
}

// errMissing is wrapped by the mistakes of scripts whose tree lacks what runs them.
var errMissing = errors.New("missing")

// shebang returns what the kernel makes of the beginning of a file: an interpreter
// and its one argument, both empty if the file is no script.
func shebang(head []byte) (interpreter, argument string, err error) {
	line, ok := bytes.CutPrefix(head, []byte("#!"))
	if !ok {
		return "", "", nil
	}
	line, _, ended := bytes.Cut(line, []byte("\n"))
	text := strings.Trim(string(line), " \t")
	end := strings.IndexAny(text, " \t\x00")
	if end < 0 {
		if !ended && len(head) == headLength {
			return "", "", errors.New("the interpreter's path is longer than the kernel reads")
		}
		return text, "", nil
	}
	interpreter, argument = text[:end], strings.TrimLeft(text[end:], " \t")
	argument, _, _ = strings.Cut(argument, "\x00")
	return interpreter, argument, nil
}

// script keeps what runs a script.
func (f *finder) script(name, interpreter, argument string) error {
	if !path.IsAbs(interpreter) {
		return fmt.Errorf("its interpreter %s is no absolute path", show(interpreter))
	}
	if err := f.run(name, interpreter); err != nil {
		if absent(err) {
			return fmt.Errorf("its interpreter %s is %w", show(interpreter), errMissing)
		}
		return err
	}
	if path.Base(interpreter) != "env" {
		return nil
	}
	program, paths, err := envProgram(argument, f.path)
	if program == "" || err != nil {
		return err
	}
	if strings.Contains(program, "/") {
		if !path.IsAbs(program) {
			return fmt.Errorf("what env runs, %s, depends on the working directory", show(program))
		}
		if err := f.run(name, program); absent(err) {
			return fmt.Errorf("what env runs, %s, is %w", show(program), errMissing)
		} else if err != nil {
			return err
		}
		return nil
	}
	dirs := strings.Split(paths, ":")
	if len(dirs) > maxElements {
		return errors.New("PATH has too many directories")
	}
	for _, dir := range dirs {
		if !path.IsAbs(dir) {
			continue // depends on the working directory
		}
		at := join(dir, program)
		_, n, err := f.tree.resolve(at)
		if absent(err) || err == nil && (!n.isFile() || n.mode&0o111 == 0) {
			continue
		}
		if err != nil {
			return err
		}
		return f.run(name, at)
	}
	hint := ""
	if strings.ContainsAny(argument, " \t") && !strings.HasPrefix(argument, "-") {
		hint = "; env takes arguments after -S only"
	}
	return fmt.Errorf("what env runs, %s, is %w in PATH=%s%s", show(program), errMissing, show(paths), hint)
}

// run keeps a program that another runs, and what it needs.
func (f *finder) run(by, name string) error {
	real, n, err := f.tree.resolve(name)
	if err != nil {
		return err
	}
	if !n.isFile() {
		return fmt.Errorf("%s is not a regular file", show(name))
	}
	if err := f.need(name, show(by), false); err != nil {
		return err
	}
	_, err = f.program(name, real, false)
	return err
}

// envProgram returns what env runs for the one argument that a script gives it, and the
// PATH by which it looks; nothing if it runs nothing.
func envProgram(argument, paths string) (program, where string, err error) {
	split, ok := strings.CutPrefix(argument, "-S")
	if !ok {
		split, ok = strings.CutPrefix(argument, "--split-string")
		split = strings.TrimPrefix(split, "=")
	}
	if !ok {
		split, ok = strings.CutPrefix(argument, "-vS")
	}
	split = strings.TrimSpace(split)
	words := []string{argument}
	if ok {
		if strings.ContainsAny(split, `"'\$#`) {
			// only what runs has to be known: quotes may stand behind it
			head, _, _ := strings.Cut(split, " ")
			if strings.ContainsAny(head, `"'\$#=`) || strings.HasPrefix(head, "-") {
				return "", "", fmt.Errorf("what env -S runs cannot be told from %s", show(split))
			}
			return head, paths, nil
		}
		words = strings.Fields(split)
	}
	for i := 0; i < len(words); i++ {
		key, value, assigned := strings.Cut(words[i], "=")
		switch {
		case words[i] == "-u" || words[i] == "--unset" || words[i] == "-C" || words[i] == "--chdir":
			i++
		case words[i] == "--":
			if i+1 < len(words) && !strings.Contains(words[i+1], "=") {
				return words[i+1], paths, nil
			}
		case strings.HasPrefix(words[i], "-"):
		case assigned && key == "PATH":
			paths = value
		case assigned:
		default:
			return words[i], paths, nil
		}
	}
	return "", paths, nil
}
