package problem

import "net/http"

// Mux serves mux, and answers what it has no route for (404, 405) with problem
// documents as well.
func Mux(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r) // which also sets the values of the path
			return
		}
		answer := &refusal{header: http.Header{}}
		h.ServeHTTP(answer, r)
		switch answer.status {
		case http.StatusMethodNotAllowed:
			WriteNotAllowed(w, r, answer.header.Get("Allow"))
		case http.StatusNotFound:
			Write(w, r, NotFound("nothing is served here"))
		default: // a redirect to the clean path
			mux.ServeHTTP(w, r)
		}
	})
}

// WriteNotAllowed answers that a resource has other methods than that of r (RFC 9110,
// section 15.5.6).
func WriteNotAllowed(w http.ResponseWriter, r *http.Request, methods string) {
	w.Header().Set("Allow", methods)
	Write(w, r, newf(NotAllowed, "%s is not one of the methods of this resource: %s", []any{r.Method, methods}))
}

// refusal notes how a request is refused.
type refusal struct {
	header http.Header
	status int
}

func (f *refusal) Header() http.Header         { return f.header }
func (f *refusal) Write(b []byte) (int, error) { return len(b), nil }
func (f *refusal) WriteHeader(status int)      { f.status = status }
