package service

import (
	"net/http"
	"runtime/metrics"

	"github.com/tutti-go/tutti/problem"
)

// figures is what the Go runtime says of the process, as the admin interface serves
// it under /runtime: cheap enough to be asked for every second.
type figures struct {
	Goroutines uint64 `json:"goroutines"`
	HeapBytes  uint64 `json:"heapBytes"`  // of objects, dead ones that are not swept included
	TotalBytes uint64 `json:"totalBytes"` // that the runtime has mapped
	GCCycles   uint64 `json:"gcCycles"`
}

func runtimeFigures(w http.ResponseWriter, r *http.Request) {
	s := []metrics.Sample{
		{Name: "/sched/goroutines:goroutines"}, {Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/total:bytes"}, {Name: "/gc/cycles/total:gc-cycles"},
	}
	metrics.Read(s)
	w.Header().Set("Cache-Control", "no-store")
	f := figures{s[0].Value.Uint64(), s[1].Value.Uint64(), s[2].Value.Uint64(), s[3].Value.Uint64()}
	if err := WriteJSON(w, http.StatusOK, f); err != nil {
		problem.Write(w, r, err)
	}
}
