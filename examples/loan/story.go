package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// tell is the story: five applications, and how they end.
func tell(ctx context.Context, t *teller) error {
	t.apply("bob", 500, "which is small: nobody is asked")
	t.await(ctx, "bob", approved)

	t.apply("eve", 20_000, "and her credit is poor")
	t.await(ctx, "eve", declined)

	t.apply("ada", 20_000, "on which a person decides")
	t.await(ctx, "ada", asked)
	t.decide("ada", decision{Choice: "approve", By: "Grace"})
	t.await(ctx, "ada", approved)

	t.apply("carl", 90_000, "on which a person decides")
	t.await(ctx, "carl", asked)
	t.decide("carl", decision{Choice: "decline", By: "Grace", Note: "it is for a yacht"})
	t.await(ctx, "carl", declined)

	t.apply("dora", 20_000, "on which nobody decides in time")
	t.await(ctx, "dora", declined)
	t.decide("dora", decision{Choice: "approve", By: "Grace", Note: "I was away"})
	return t.err
}

// teller calls the routes, and prints what it does. After an error it does nothing.
type teller struct {
	url    string
	out    io.Writer
	byHand bool // it leaves decisions to the reader
	began  time.Time
	last   progress // of the application that it follows
	err    error
}

func (t *teller) say(format string, args ...any) {
	fmt.Fprintf(t.out, "  %4.1f s  %s\n", time.Since(t.began).Seconds(), fmt.Sprintf(format, args...))
}

func (t *teller) apply(who string, amount int64, what string) {
	if t.err != nil {
		return
	}
	t.began, t.last = time.Now(), progress{}
	fmt.Fprintf(t.out, "\n%s applies for %d, %s\n", who, amount, what)
	if status := t.call(http.MethodPost, "", application{ID: who, Applicant: who, Amount: amount}, nil); t.err == nil && status != http.StatusAccepted {
		t.err = fmt.Errorf("%s's application is answered with status %d", who, status)
	}
}

// await says how an application stands until it is over, or stands as wanted.
func (t *teller) await(ctx context.Context, who, status string) {
	for t.err == nil && t.last.Status != status && !t.last.over() {
		time.Sleep(20 * time.Millisecond)
		var now progress
		t.call(http.MethodGet, "/"+who, nil, &now)
		if t.err = errors.Join(t.err, ctx.Err()); t.err == nil && now != t.last {
			t.say("%s", strings.TrimSuffix(now.Status+": "+now.Why, ": "))
			t.last = now
		}
	}
}

func (t *teller) decide(who string, d decision) {
	if t.err != nil {
		return
	}
	if t.byHand {
		if t.last.over() {
			return
		}
		t.say("curl %s/applications/%s/decision -d '{\"choice\": \"approve\", \"by\": \"me\"}'", t.url, who)
		return
	}
	status := t.call(http.MethodPost, "/"+who+"/decision", d, nil)
	t.say("%s says %s: %d %s", d.By, d.Choice, status, http.StatusText(status))
}

// call returns the status of an answer, which is decoded into to where it is wanted.
func (t *teller) call(method, path string, body, to any) int {
	var text bytes.Buffer
	if t.err = json.NewEncoder(&text).Encode(body); t.err != nil {
		return 0
	}
	req, err := http.NewRequest(method, t.url+"/applications"+path, &text)
	if err != nil {
		t.err = err
		return 0
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.err = err
		return 0
	}
	defer resp.Body.Close()
	if to != nil {
		t.err = json.NewDecoder(resp.Body).Decode(to)
	}
	return resp.StatusCode
}
