package prefault

import (
	"fmt"
	"reflect"
	"syscall"
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
14000000-17800000 ---p 00000000 00:00 0 
17800000-17c00000 rw-p 00000000 00:00 0 
17c00000-18000000 ---p 00000000 00:00 0 
6f897000-6f990000 rw-p 00000000 00:00 0 
6fd46000-6fd4a000 r--p 00000000 00:00 0                          [vvar]
7e724000-7e745000 rw-p 00000000 00:00 0                          [stack]
7ffff000-80000000 r-xp 00000000 fe:00 9978058                    /lib/cut`
	var got []string
	populate([]byte(maps), 0x17812345, func(r region, advice uintptr) {
		got = append(got, fmt.Sprintf("%x %x %d", r.start, r.end, advice))
	})
	want := []string{
		"400000 dbf000 22", "dbf000 17df000 22", "17df000 1864000 23",
		"17800000 17c00000 14", "17800000 17c00000 23",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("wanted (-), got (+):\n%s", diff)
	}
}

// TestThisProgramIsFound guards that the kernel's text and Go's heap have the form that is relied upon,
// and that the kernel takes the advice.
func TestThisProgramIsFound(t *testing.T) {
	t.Parallel()
	var maps [4 << 10]byte
	heap := uintptr(unsafe.Pointer(&maps))
	code := reflect.ValueOf(populate).Pointer()
	found := map[uintptr]uintptr{}
	populate(maps[:read(maps[:])], heap, func(r region, advice uintptr) {
		for _, at := range []uintptr{heap, code} {
			if r.start <= at && at < r.end {
				found[at] = advice
				if err := advise(r, advice); err != 0 && err != syscall.EINVAL { // a kernel before Linux 5.14
					t.Errorf("advice %d: %v", advice, err)
				}
			}
		}
	})
	if diff := cmp.Diff(map[uintptr]uintptr{heap: populateWrite, code: populateRead}, found); diff != "" {
		t.Errorf("wanted (-), got (+):\n%s", diff)
	}
}
