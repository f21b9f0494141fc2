// Command bench compares the frontend with upstream's of the same BuildKit
// release, in pairs: ours and upstream's in turn, on one machine and daemon, so
// that a ratio means something where times do not. Run it with make bench; names
// of measurements as arguments run only those, and -readme fills in the table of a page.
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"text/tabwriter"
	"time"
)

// row is one comparison. A ratio below 1 is in our favour.
type row struct {
	what              string
	upstream, ours    string
	low, median, high float64
}

func main() {
	if len(os.Args) == 4 && os.Args[1] == convertCommand {
		if err := convertHere(os.Args[2], os.Args[3]); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	readme := flag.String("readme", "", "the page whose table of measurements is to be filled in")
	flag.Parse()
	if err := bench(flag.Args(), *readme); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench runs the measurements of some names, all for none.
func bench(names []string, readme string) error {
	var rows []row
	defer func() { show(rows) }() // also those before a failure
	for _, m := range []struct {
		name string
		run  func() ([]row, error)
	}{
		{"conversions", conversions},
		{"planned-calls", plannedCalls},
		{"whole-process", wholeProcess},
		{"imports", imports},
		{"scale", scale},
		{"variants", variants},
		{"image-sizes", imageSizes},
		{"process-start", processStart},
		{"cached-builds", cachedBuilds},
		{"locked-builds", lockedBuilds},
		{"built-calls", builtCalls},
		{"linked-targets", linkedTargets},
		{"gates", gates},
		{"merges", merges},
		{"sizes", measures},
	} {
		if len(names) > 0 && !slices.Contains(names, m.name) {
			continue
		}
		more, err := m.run()
		if err != nil {
			return err
		}
		rows = append(rows, more...)
	}
	if readme == "" {
		return nil
	}
	return writeReadme(readme, rows)
}

func show(rows []row) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "WHAT\tUPSTREAM\tSTAGECRAFT\tRATIO\tFROM\tTO\t")
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%s\t%s\t%.2f\t%.2f\t%.2f\t\n", r.what, r.upstream, r.ours, r.median, r.low, r.high)
	}
	_ = w.Flush() // to the terminal
}

// pairs runs upstream and ours in turn, once without counting and then n
// times, and returns medians and the ratios pair by pair.
func pairs(what string, n int, upstream, ours func() error) (row, error) {
	var a, b []time.Duration
	var ratios []float64
	for i := range n + 1 {
		ta, err := timed(upstream)
		if err != nil {
			return row{}, fmt.Errorf("%s, upstream: %w", what, err)
		}
		tb, err := timed(ours)
		if err != nil {
			return row{}, fmt.Errorf("%s: %w", what, err)
		}
		if i == 0 {
			continue
		}
		a, b = append(a, ta), append(b, tb)
		ratios = append(ratios, float64(tb)/float64(ta))
	}
	return row{
		what: what, upstream: median(a).Round(10 * time.Microsecond).String(), ours: median(b).Round(10 * time.Microsecond).String(),
		low: slices.Min(ratios), median: median(ratios), high: slices.Max(ratios),
	}, nil
}

func timed(fn func() error) (time.Duration, error) {
	start := time.Now()
	err := fn()
	return time.Since(start), err
}

func median[T float64 | time.Duration](values []T) T {
	return slices.Sorted(slices.Values(values))[len(values)/2]
}

// once is a row of two counts that do not vary.
func once(what, unit string, upstream, ours int64) row {
	ratio := float64(ours) / float64(upstream)
	return row{
		what: what, low: ratio, median: ratio, high: ratio,
		upstream: fmt.Sprintf("%.2f %s", float64(upstream)/1e6, unit), ours: fmt.Sprintf("%.2f %s", float64(ours)/1e6, unit),
	}
}
