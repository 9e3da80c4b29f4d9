package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tutti-go/tutti/internal/admin"
	"github.com/tutti-go/tutti/internal/cli"
)

const adminDefault = "http://127.0.0.1:9090"

// client asks services by their admin interfaces.
type client struct {
	cmd     *cobra.Command // that has the flags
	urls    []string
	service string
	http    http.Client
}

// bind adds the flags that say which services.
func (c *client) bind(cmd *cobra.Command, flags *pflag.FlagSet, con *console) {
	c.cmd = cmd
	cli.Group(flags, "Services", func(f *cli.Flags) {
		f.StringSliceVar(&c.urls, "admin", []string{adminDefault}, "ask the processes at these `URLS`, which were started with --admin")
		cli.WantValue(f, "admin")
		f.StringVar(&c.service, "service", "", "the service of this `NAME`, one of those that run there")
	})
	_ = cmd.RegisterFlagCompletionFunc("service", func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		return c.complete(cmd, con, func(s admin.Service) []string { return []string{s.Service} })
	})
}

// complete offers what services say of themselves, if they answer at once.
func (c *client) complete(cmd *cobra.Command, con *console, what func(admin.Service) []string) ([]string, cobra.ShellCompDirective) {
	if f := cmd.Flags().Lookup("admin"); f != nil && !f.Changed && con.getenv("TUTTI_ADMIN") != "" {
		c.urls = strings.Split(con.getenv("TUTTI_ADMIN"), ",")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	homes, err := c.find(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var out []string
	for _, h := range homes {
		out = append(out, what(h.Service)...)
	}
	slices.Sort(out)
	return slices.Compact(out), cobra.ShellCompDirectiveNoFileComp
}

// home is a service, and where it answers.
type home struct {
	admin.Service
	url string
}

// find asks who is there. Of several instances of a service the first one that answers
// speaks: they share a database. Who asks for one service needs no other.
func (c *client) find(ctx context.Context) ([]home, error) {
	bases, err := c.bases()
	if err != nil {
		return nil, cli.Usage(c.cmd, err)
	}
	var homes []home
	var errs []error
	for _, base := range bases {
		var services []admin.Service
		err := c.do(ctx, http.MethodGet, base+"/services", nil, &services)
		var no refused
		if errors.As(err, &no) && no.status == http.StatusNotFound {
			err = fmt.Errorf("ask %s/services: nothing is served here (is this the address of the process's --admin, and not of its --http?)", base)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for _, s := range services {
			known := slices.ContainsFunc(homes, func(h home) bool { return h.Service.Service == s.Service })
			if !known && (c.service == "" || c.service == s.Service) {
				homes = append(homes, home{s, base})
			}
		}
	}
	if err := errors.Join(errs...); err != nil && (c.service == "" || len(homes) == 0) {
		return nil, err
	}
	if len(homes) == 0 {
		return nil, fmt.Errorf("no service %q runs at %s", c.service, strings.Join(c.urls, ", "))
	}
	slices.SortFunc(homes, func(a, b home) int { return strings.Compare(a.Service.Service, b.Service.Service) })
	return homes, nil
}

// one returns the one service that is to be changed.
func (c *client) one(ctx context.Context, cmd *cobra.Command) (home, error) {
	homes, err := c.find(ctx)
	if err != nil {
		return home{}, err
	}
	if len(homes) > 1 {
		var names []string
		for _, h := range homes {
			names = append(names, h.Service.Service)
		}
		return home{}, cli.Usage(cmd, fmt.Errorf("--service is not given, want one of %s", strings.Join(names, ", ")))
	}
	return homes[0], nil
}

// bases are the URLs of --admin. It reports all faults at once.
func (c *client) bases() (out []string, err error) {
	var errs []error
	for _, text := range c.urls {
		base, err := baseURL(text)
		out, errs = append(out, base), append(errs, err)
	}
	return out, errors.Join(errs...)
}

func baseURL(text string) (string, error) {
	full := text
	if !strings.Contains(full, "://") {
		full = "http://" + full
	}
	u, err := url.Parse(full)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", fmt.Errorf("--admin has %q, want http://host:port", text)
	}
	return strings.TrimSuffix(u.String(), "/"), nil
}

// path is a path below a service.
func (h home) path(segments string, query url.Values) string {
	p := h.url + "/services/" + url.PathEscape(h.Service.Service) + segments
	if len(query) > 0 {
		p += "?" + query.Encode()
	}
	return p
}

const answerWithin = 30 * time.Second

// do sends a request, and decodes the answer into a value, or keeps it as bytes.
func (c *client) do(ctx context.Context, method, address string, body, into any) error {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	text, media := []byte(nil), "application/json"
	switch b := body.(type) {
	case nil:
	case []byte:
		text, media = b, "application/octet-stream"
	default:
		var err error
		if text, err = json.Marshal(b); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(text))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", media)
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("ask %s: %w (is the process started with --admin, and is this its address?)", address, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return refusal(address, resp)
	}
	if raw, ok := into.(*[]byte); ok {
		*raw, err = io.ReadAll(resp.Body)
	} else {
		err = json.NewDecoder(resp.Body).Decode(into)
	}
	if err != nil {
		return fmt.Errorf("read the answer of %s: %w", address, err)
	}
	return nil
}

// refused is an answer that is a refusal.
type refused struct {
	status int
	error
}

// refusal reads why a request was refused.
func refusal(address string, resp *http.Response) error {
	var doc struct {
		Detail string `json:"detail"`
	}
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10)) // what came is what can be said
	if json.Unmarshal(text, &doc) == nil && doc.Detail != "" {
		return refused{resp.StatusCode, errors.New(doc.Detail)}
	}
	return refused{resp.StatusCode, fmt.Errorf("ask %s: %s", address, resp.Status)}
}
