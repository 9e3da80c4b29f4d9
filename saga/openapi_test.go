package saga_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/internal/admin"
	"github.com/tutti-go/tutti/saga"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/tuttitest"
)

func loadAPI(t *testing.T) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestOpenAPIIsValid(t *testing.T) {
	if err := loadAPI(t).Validate(t.Context()); err != nil {
		t.Error(err)
	}
}

// claim is a process that waits for persons, and that gets stuck.
func claim() *saga.Definition[loan] {
	return saga.Define("claim", 1,
		saga.StartedBy(func(l *loan, m event.Message[applied]) { l.ID, l.Large = m.Key, strings.Contains(m.Key, "large") }),
		saga.Step("note",
			saga.Send(func(l *loan) noteIt { return noteIt{l.ID} }),
			saga.Undo(func(l *loan) unnoteIt { return unnoteIt{l.ID} },
				saga.Done(func(*loan, event.Message[unnoted]) {}),
				saga.Failed(func(*loan, event.Message[cannotUndo]) string { return "the ink is dry" }))).Tries(1, time.Minute),
		saga.Parallel("examination",
			saga.Step("check",
				saga.Send(func(l *loan) checkIt { return checkIt{l.ID} }),
				saga.Done(func(*loan, event.Message[checked]) {}),
				saga.Busy(func(*loan, event.Message[checkBusy]) string { return "busy" })).Within(time.Hour).NothingToUndo(),
			saga.Sequence(
				saga.Decide("approval",
					saga.Accept("approve", func(l *loan, d saga.Decision) { l.By = d.By }),
					saga.Refuse("reject", func(*loan, saga.Decision) {})).Within(72*time.Hour),
				saga.Sleep("think it over", func(*loan) time.Duration { return time.Hour }),
			),
		),
		saga.If("large", func(l *loan) bool { return l.Large },
			saga.While("reminders", 9, func(l *loan) bool { return l.Reminds < 7 },
				saga.Step("remind", saga.Send(func(l *loan) remindIt { l.Reminds++; return remindIt{l.ID} })).NothingToUndo(),
				saga.Sleep("a day", func(*loan) time.Duration { return 24 * time.Hour })),
			saga.Step("mail", saga.Send(func(l *loan) mailIt { return mailIt{l.ID} })).NothingToUndo(),
		),
		saga.Sub("trip", booking(), func(l *loan) (string, trip) { return "for-" + l.ID, trip{ID: "for-" + l.ID, Hotel: "full"} }, func(*loan, trip) {}),
	)
}

// office is a service that directs claims, and those who talk to its admin interface:
// each request and answer is compared with openapi.yaml.
type office struct {
	*tuttitest.World
	t   *testing.T
	doc *openapi3.T
	had map[string]bool // answers: "GET /path 200"
}

func withOffice(t *testing.T, fn func(o *office)) {
	t.Helper()
	doc := loadAPI(t)
	tuttitest.RunConfig(t, tuttitest.Config{Calm: true}, func(w *tuttitest.World) {
		w.Start("office", func(s *service.Service) { saga.Register(s, saga.Config{}, claim()) })
		fn(&office{w, w.T(), doc, map[string]bool{}})
	})
}

// call makes a request like "GET /sagas/claim" of the service, and expects a status.
func (o *office) call(want int, request, body string) []byte {
	o.t.Helper()
	method, target, _ := strings.Cut(request, " ")
	r := httptest.NewRequestWithContext(o.t.Context(), method, "http://127.0.0.1:9090/services/office"+target, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	in := o.input(r)
	allowed := openapi3filter.ValidateRequest(o.t.Context(), in)
	r.Body = io.NopCloser(strings.NewReader(body))
	rec := httptest.NewRecorder()
	o.Service("office").Admin().ServeHTTP(rec, r)
	if rec.Code != want {
		o.t.Fatalf("%s: %d %s, want %d", request, rec.Code, rec.Body, want)
	}
	if want < 300 && allowed != nil {
		o.t.Errorf("%s is answered with %d, but the document does not allow it: %v", request, want, allowed)
	}
	if want == http.StatusBadRequest && allowed == nil && !strings.Contains(target, "after=") {
		o.t.Errorf("%s with %.200s is a bad request, but the document allows it", request, body)
	}
	err := openapi3filter.ValidateResponse(o.t.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in, Status: rec.Code, Header: rec.Header(), Body: io.NopCloser(bytes.NewReader(rec.Body.Bytes())), Options: in.Options,
	})
	if err != nil {
		o.t.Errorf("%s: %d is not as the document says: %v\n%s", request, want, err, rec.Body)
	}
	o.had[method+" "+in.Route.Path+" "+strconv.Itoa(want)] = true
	return rec.Body.Bytes()
}

// input finds the operation that a request is for: the one with the fewest parameters.
func (o *office) input(r *http.Request) *openapi3filter.RequestValidationInput {
	o.t.Helper()
	best, params := "", map[string]string(nil)
	for path, item := range o.doc.Paths.Map() {
		if item.GetOperation(r.Method) == nil {
			continue
		}
		if found, ok := matchPath(path, r.URL.EscapedPath()); ok && (params == nil || len(found) < len(params)) {
			best, params = path, found
		}
	}
	item := o.doc.Paths.Value(best)
	if item == nil {
		o.t.Fatalf("%s %s is not in openapi.yaml", r.Method, r.URL.Path)
	}
	return &openapi3filter.RequestValidationInput{
		Request: r, PathParams: params, Options: &openapi3filter.Options{IncludeResponseStatus: true},
		Route: &routers.Route{Spec: o.doc, Path: best, PathItem: item, Method: r.Method, Operation: item.GetOperation(r.Method)},
	}
}

func matchPath(template, path string) (map[string]string, bool) {
	want, have := strings.Split(template, "/"), strings.Split(path, "/")
	params := map[string]string{}
	if len(want) != len(have) {
		return nil, false
	}
	for i, segment := range want {
		if name, isParam := strings.CutPrefix(segment, "{"); isParam {
			value, err := url.PathUnescape(have[i])
			if err != nil {
				return nil, false
			}
			params[strings.TrimSuffix(name, "}")] = value
		} else if segment != have[i] {
			return nil, false
		}
	}
	return params, true
}

func answerOf[T any](o *office, body []byte) (v T) {
	o.t.Helper()
	if err := json.Unmarshal(body, &v); err != nil {
		o.t.Fatalf("%s: %v", body, err)
	}
	return v
}

func (o *office) list(query string) admin.SagaInstances {
	o.t.Helper()
	return answerOf[admin.SagaInstances](o, o.call(200, "GET /sagas/claim?"+query, ""))
}

// ids are those of a list, all of its pages.
func (o *office) ids(query string) (ids []string) {
	o.t.Helper()
	for after := ""; ; {
		page := o.list(query + "&limit=2&after=" + url.QueryEscape(after))
		for _, in := range page.Instances {
			ids = append(ids, in.ID)
		}
		if after = page.Next; after == "" {
			return ids
		}
	}
}

func (o *office) show(id string) admin.SagaDetail {
	o.t.Helper()
	return answerOf[admin.SagaDetail](o, o.call(200, "GET /sagas/claim/"+url.PathEscape(id), ""))
}

// change asks for a change of instances as lists have them now.
func (o *office) change(action, more string, ids ...string) []admin.Outcome {
	o.t.Helper()
	var refs []string
	for _, id := range ids {
		refs = append(refs, fmt.Sprintf(`{"kind":"claim","id":%q,"version":%q}`, id, o.show(id).Version))
	}
	body := o.call(200, "POST /sagas/"+action, `{"refs":[`+strings.Join(refs, ",")+`]`+more+`}`)
	return answerOf[admin.Outcomes](o, body).Outcomes
}

// expectAll reports the answers that are listed and were not had.
func (o *office) expectAll() {
	for path, item := range o.doc.Paths.Map() {
		for method, op := range item.Operations() {
			for status := range op.Responses.Map() {
				if answer := method + " " + path + " " + status; !o.had[answer] {
					o.t.Errorf("%s is in openapi.yaml, but was never the answer", answer)
				}
			}
		}
	}
}

// hardIDs are ids that a path could be broken by.
var hardIDs = []string{"a/b", "50%", "%2F", "ä ö/ü?x=1#y", "日本", "..", "a;b", `q"<>\`, "+"}

func TestOpenAPIHoldsTrue(t *testing.T) {
	withOffice(t, func(o *office) {
		for _, id := range hardIDs {
			o.Publish(applied{id})
		}
		o.Publish(applied{"c1"}, applied{"c2"}, applied{"c3"}, applied{"c4"}, applied{"large"})
		o.Quiet()
		o.definitions()
		o.escapes()
		o.refusals()
		o.decisions()
		o.stuck()
		o.expectAll()
	})
}

func (o *office) definitions() {
	defs := answerOf[admin.SagaDefinitions](o, o.call(200, "GET /sagas", "")).Definitions
	if len(defs) != 2 || defs[0].Saga != "claim" || defs[0].Text != claim().String() || defs[0].Mermaid != claim().Mermaid() || defs[1].Saga != "trip" {
		o.t.Errorf("definitions are %+v, want claim and trip", defs)
	}
	if want := []admin.SagaCount{{Status: "deciding", Instances: len(hardIDs) + 5}}; !slices.Equal(defs[0].Counts, want) {
		o.t.Errorf("counts are %v, want %v", defs[0].Counts, want)
	}
	if defs := answerOf[admin.SagaDefinitions](o, o.call(200, "GET /sagas?counts=false", "")).Definitions; defs[0].Counts != nil {
		o.t.Errorf("counts are %v, want none", defs[0].Counts)
	}
}

func (o *office) escapes() {
	for _, id := range hardIDs {
		path := strings.ReplaceAll(url.PathEscape(id), ".", "%2E")
		if d := answerOf[admin.SagaDetail](o, o.call(200, "GET /sagas/claim/"+path, "")); d.ID != id {
			o.t.Errorf("%s shows %q, want %q", path, d.ID, id)
		}
		if got := o.ids("id=" + url.QueryEscape(id)); !slices.Equal(got, []string{id}) {
			o.t.Errorf("the list of id %q is %q", id, got)
		}
	}
}

func (o *office) refusals() {
	one := `{"refs":[{"kind":"claim","id":"c1"}]`
	for _, bad := range []struct {
		status        int
		request, body string
	}{
		{400, "GET /sagas?counts=maybe", ""},
		{400, "GET /sagas/claim?status=fine", ""},
		{400, "GET /sagas/claim?limit=0", ""},
		{400, "GET /sagas/claim?limit=many", ""},
		{400, "GET /sagas/claim?after=there", ""},
		{400, "GET /sagas/claim?startedAfter=yesterday", ""},
		{404, "GET /sagas/nothing", ""},
		{404, "GET /sagas/claim/nothing", ""},
		{404, "GET /sagas/nothing/c1", ""},
		{400, "POST /sagas/retry", `{"refs":[]}`},
		{400, "POST /sagas/retry", `{"refs":[{"kind":"claim","id":"c1","version":"one"}]}`},
		{400, "POST /sagas/retry", one + `,"option":"approve"}`},
		{400, "POST /sagas/skip", one + `}`},
		{400, "POST /sagas/cancel", one + `,"part":"note"}`},
		{400, "POST /sagas/decide", one + `}`},
		{400, "POST /sagas/decide", one + `,"option":"approve","else":1}`},
		{413, "POST /sagas/retry", `{"refs":[` + strings.Repeat(`{"kind":"claim","id":"c1","version":"1"},`, 500) + `{"kind":"claim","id":"c1","version":"1"}]}`},
		{413, "POST /sagas/skip", `{"part":"` + strings.Repeat("x", 1<<20) + `"}`},
		{413, "POST /sagas/cancel", `{"note":"` + strings.Repeat("x", 1<<20) + `"}`},
		{413, "POST /sagas/decide", `{"note":"` + strings.Repeat("x", 1<<20) + `"}`},
	} {
		o.call(bad.status, bad.request, bad.body)
	}
}

// expect compares outcomes with what is to be done and why not, by ids.
func (o *office) expect(got []admin.Outcome, want ...string) {
	o.t.Helper()
	var texts []string
	for _, out := range got {
		texts = append(texts, strings.TrimSpace(fmt.Sprint(out.ID, " ", out.Done, " ", out.Reason)))
	}
	if !slices.Equal(texts, want) {
		o.t.Errorf("outcomes are\n%s\nwant\n%s", strings.Join(texts, "\n"), strings.Join(want, "\n"))
	}
}

func (o *office) decisions() {
	c1 := o.show("c1")
	if need := c1.Needs; len(need) != 1 || need[0].Part != "approval" || !slices.Equal(need[0].Options, []string{"approve", "reject"}) || need[0].Due.IsZero() {
		o.t.Errorf("c1 needs %+v, want its approval", need)
	}
	o.expect(o.change("decide", `,"option":"burn"`, "c1"), `c1 false "burn" is no option of approval, want one of approve, reject`)
	o.expect(o.change("decide", `,"option":"approve","by":"ada","note":"fine"`, "c1"), "c1 true")
	stale := o.call(200, "POST /sagas/decide", `{"option":"reject","refs":[{"kind":"claim","id":"c1","version":"`+c1.Version+`"},{"kind":"claim","id":"c2","version":"`+o.show("c2").Version+`"}]}`)
	o.expect(answerOf[admin.Outcomes](o, stale).Outcomes, "c1 false saga claim c1 has changed since it was looked at", "c2 true")
	o.expect(answerOf[admin.Outcomes](o, o.call(200, "POST /sagas/decide", `{"option":"approve","part":"approval","refs":[{"kind":"claim","id":"c3"}]}`)).Outcomes, "c3 true")
	o.expect(o.change("skip", `,"part":"think it over"`, "c3"), "c3 true")
	o.expect(answerOf[admin.Outcomes](o, o.call(200, "POST /sagas/retry", `{"refs":[{"kind":"claim","id":"none"}]}`)).Outcomes, `none false saga claim has no instance "none"`)
	if got := o.ids("status=running"); !slices.Equal(got, []string{"c1", "c3"}) {
		o.t.Errorf("running are %q, want c1 and c3", got)
	}
}

func (o *office) stuck() {
	o.expect(o.change("cancel", `,"note":"too late","by":"bob"`, "c4"), "c4 true")
	o.Publish(cannotUndo{"c2"})
	o.Sleep(time.Second)
	o.Publish(cannotUndo{"c4"})
	o.Sleep(time.Second)
	if got := o.ids("status=stuck"); !slices.Equal(got, []string{"c2", "c4"}) {
		o.t.Fatalf("stuck are %q, want c2 and c4", got)
	}
	if need := o.list("status=stuck").Instances[0].Needs; len(need) != 1 || need[0].Part != "note" || need[0].Reason != "the ink is dry" {
		o.t.Errorf("c2 needs %+v, want that note is stuck", need)
	}
	o.expect(o.change("retry", "", "c2", "c4", "c1"), "c2 true", "c4 true", "c1 false nothing of it is stuck")
	o.Publish(unnoted{"c2"}, cannotUndo{"c4"})
	o.Quiet()
	o.expect(o.change("skip", `,"part":"note"`, "c4"), "c4 true")
	if got := o.ids("status=over"); !slices.Equal(got, []string{"c4", "c2"}) {
		o.t.Errorf("over are %q, want c4 and c2, the last first", got)
	}
	o.expect(o.change("cancel", "", "c2"), "c2 false saga claim c2 is compensated")
}
