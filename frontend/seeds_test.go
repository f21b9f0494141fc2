package frontend_test

import (
	"flag"
	"fmt"
	"iter"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"testing"
)

var (
	seeds = flag.Uint64("seeds", 0, "how many made-up builds each property gets; 0 for as many as fit a run of all tests")
	first = flag.Uint64("first-seed", 0, "where -seeds starts, so that a long run can be made in parts")
)

// few is the part of the made-up builds that -short makes.
const few = 20

// count is how many made-up builds a property gets that has n by itself.
func count(n uint64) uint64 {
	switch {
	case *seeds > 0:
		return *seeds
	case testing.Short():
		return max(1, n/few)
	}
	return n
}

// least is how many made-up builds have to be of use to a property that needs n of those it has
// by itself: one, when -seeds or -short change their number.
func least[N int | int64](n N) N {
	if *seeds > 0 || testing.Short() {
		return 1
	}
	return n
}

// overSeeds checks a property of n made-up builds, or as many as -seeds says, on all
// processors. salt tells the properties apart. The first that fails ends it, with
// its seed.
func overSeeds(t *testing.T, n, salt uint64, check func(t *testing.T, r *rand.Rand)) {
	t.Helper()
	n = count(n)
	shards := uint64(runtime.GOMAXPROCS(0))
	for shard := range shards {
		t.Run(fmt.Sprint(shard), func(t *testing.T) {
			t.Parallel()
			for seed := *first + shard; seed < *first+n; seed += shards {
				check(t, rand.New(rand.NewPCG(seed, salt)))
				if t.Failed() {
					t.Fatalf("seed %d", seed)
				}
			}
		})
	}
}

// madeUp returns the seeds of n made-up builds, or as many as -seeds says.
func madeUp(n uint64) iter.Seq[uint64] {
	n = count(n)
	return func(yield func(uint64) bool) {
		for seed := *first; seed < *first+n && yield(seed); seed++ {
		}
	}
}

// compareFiles compares two forms of each of 1,500 made-up files, or as many as -seeds says, of which check may leave
// some out; fewer than enough that are compared are a failure.
func compareFiles(t *testing.T, enough int64, check func(t *testing.T, seed uint64) bool) {
	t.Helper()
	var compared atomic.Int64
	t.Run("seeds", func(t *testing.T) {
		for seed := range madeUp(1500) {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				if check(t, seed) {
					compared.Add(1)
				}
			})
		}
	})
	if n := compared.Load(); n < least(enough) {
		t.Errorf("only %d files were compared", n)
	}
}
