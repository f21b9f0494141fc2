package prefault

import (
	"fmt"
	"os"
	"reflect"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"
)

// TestProgramAndHeapArePopulated guards which regions are mapped, and that none beyond the heap's is:
// Go reserves hundreds of megabytes.
func TestProgramAndHeapArePopulated(t *testing.T) {
	t.Parallel()
	const maps = `00400000-00dbf000 r-xp 00000000 fe:00 9978058                            /bin/stagecraft-frontend
00dbf000-017df000 r--p 009bf000 fe:00 9978058                            /bin/stagecraft-frontend
017df000-01864000 rw-p 013df000 fe:00 9978058                            /bin/stagecraft-frontend
01864000-038c3000 rw-p 00000000 00:00 0 
254cc4000000-254cc7800000 ---p 00000000 00:00 0 
254cc7800000-254cc7c00000 rw-p 00000000 00:00 0 
254cc7c00000-254cc8000000 ---p 00000000 00:00 0 
7faf897a0000-7faf89900000 rw-p 00000000 00:00 0 
7fafd046b000-7fafd046f000 r--p 00000000 00:00 0                          [vvar]
7ffe724db000-7ffe724fc000 rw-p 00000000 00:00 0                          [stack]
7fffffff0000-7fffffff1000 r-xp 00000000 fe:00 9978058                    /lib/cut`
	var got []string
	populate([]byte(maps), 0x254cc7812345, func(r region, advice uintptr) {
		got = append(got, fmt.Sprintf("%x %x %d", r.start, r.end, advice))
	})
	want := []string{
		"400000 dbf000 22", "dbf000 17df000 22", "17df000 1864000 23",
		"254cc7800000 254cc7c00000 14", "254cc7800000 254cc7c00000 23",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("wanted (-), got (+):\n%s", diff)
	}
}

// TestThisProgramIsFound guards that the kernel's text and Go's heap have the form that is relied upon.
func TestThisProgramIsFound(t *testing.T) {
	t.Parallel()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	var here int
	heap := uintptr(unsafe.Pointer(&here))
	code := reflect.ValueOf(populate).Pointer()
	found := map[uintptr]uintptr{}
	populate(maps, heap, func(r region, advice uintptr) {
		for _, at := range []uintptr{heap, code} {
			if r.start <= at && at < r.end {
				found[at] = advice
			}
		}
	})
	if diff := cmp.Diff(map[uintptr]uintptr{heap: populateWrite, code: populateRead}, found); diff != "" {
		t.Errorf("wanted (-), got (+):\n%s", diff)
	}
}
