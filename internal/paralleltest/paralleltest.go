// Package paralleltest is for tests that wait more than they compute.
package paralleltest

import (
	"flag"
	"runtime"
	"strconv"
)

// AtLeast lets n tests of a package run beside each other, also where there are fewer
// cores. TestMain calls it first; who runs the tests says otherwise by -parallel.
func AtLeast(n int) {
	if err := flag.Set("test.parallel", strconv.Itoa(max(n, runtime.GOMAXPROCS(0)))); err != nil {
		panic(err) // not in a test
	}
}
