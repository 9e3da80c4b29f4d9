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
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tutti-go/tutti/internal/admin"
	"github.com/tutti-go/tutti/internal/cli"
)

// editing is what edit is told.
type editing struct {
	*letters
	file, body    string
	force, dryRun bool
}

func (l *letters) editCommand() *cobra.Command {
	e := &editing{letters: l}
	cmd := &cobra.Command{
		Use:   "edit ID",
		Short: "Replace the body of a dead letter, and redrive it",
		Long: `Replace the body of a dead letter, and redrive it: for what was sent wrongly. The new
body comes from --body, from --file (- is standard input), or from your editor ($VISUAL or
$EDITOR), which is given the body as it is. Of an event in structured mode, the body is
the whole event.

The service checks that it can read the new body; --force leaves that to the handler.
If the dead letter has changed since it was read, it is left alone, and the command ends
with 1. The record in Kafka stays as it is: others that read it read the old body.`,
		Example: `  tutti deadletters edit shop.payment/0@42 --service order
  tutti deadletters edit shop.payment/0@42 --service order --file mended.json
  tutti deadletters edit shop.payment/0@42 --service order --body '{"orderId":"o1"}'`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			err := checkIDs(cmd, args)
			if err == nil && cmd.Flags().Changed("file") && cmd.Flags().Changed("body") {
				err = cli.Usage(cmd, errors.New("--file and --body are both given, want one of them"))
			}
			if err != nil {
				return err
			}
			return e.run(cmd, args[0])
		},
	}
	cmd.Flags().StringVar(&e.file, "file", "", "take the new body from this `FILE`; - is standard input")
	cmd.Flags().StringVar(&e.body, "body", "", "the new body is this `TEXT`")
	cmd.Flags().BoolVar(&e.force, "force", false, "take a body that the service cannot read as well")
	cmd.Flags().BoolVar(&e.dryRun, "dry-run", false, "show the new body, and change nothing")
	return cmd
}

func (e *editing) run(cmd *cobra.Command, id string) error {
	ctx := cmd.Context()
	h, err := e.services.one(ctx, cmd)
	if err != nil {
		return err
	}
	var d admin.Detail
	if err := e.services.do(ctx, http.MethodGet, h.path("/parked/"+id, nil), nil, &d); err != nil {
		return err
	}
	if d.State != "dead" {
		return fmt.Errorf("%s is no dead letter: its state is %s", id, d.State)
	}
	text, kept, err := e.text(ctx, cmd, h, id)
	if err != nil || text == nil {
		return err
	}
	if e.dryRun {
		e.leave(kept)
		return e.say(admin.Outcome{Service: h.Service.Service, Action: "edit", ID: id, DryRun: true}, text)
	}
	query := url.Values{"version": {d.Version}}
	if e.force {
		query.Set("force", "true")
	}
	var out admin.Outcomes
	if err := e.services.do(ctx, http.MethodPut, h.path("/deadletters/"+id, query), text, &out); err != nil {
		var no refused
		if errors.As(err, &no) && no.status == http.StatusUnprocessableEntity {
			err = fmt.Errorf("%w (--force takes it all the same)", err)
		}
		if kept != "" {
			err = fmt.Errorf("%w; what you wrote is in %s (--file)", err, kept)
		}
		return err
	}
	if kept != "" && out.Outcomes[0].Done {
		_ = os.RemoveAll(filepath.Dir(kept)) // it is stored now
	} else {
		e.leave(kept)
	}
	return e.say(out.Outcomes[0], text)
}

// leave says where what was written in an editor is, if it was and is not stored.
func (e *editing) leave(kept string) {
	if kept != "" {
		fmt.Fprintf(e.con.err, "what you wrote is in %s (--file)\n", kept)
	}
}

// say prints what became of it.
func (e *editing) say(o admin.Outcome, text []byte) error {
	switch {
	case e.asJSON:
		if err := e.con.line(o); err != nil {
			return err
		}
	case o.DryRun:
		fmt.Fprintf(e.con.out, "would become %s\n", body(admin.ContentOf(text)))
	case o.Done:
		fmt.Fprintf(e.con.out, "edited and redriven: %s of %s\n", o.ID, o.Service)
	default:
		fmt.Fprintf(e.con.out, "skipped %s: %s\n", o.ID, escape(o.Reason))
	}
	if !o.Done && !o.DryRun {
		return cli.Failed()
	}
	return nil
}

// text returns the new body, nil if it is to stay as it is, and the file that an
// editor wrote it to.
func (e *editing) text(ctx context.Context, cmd *cobra.Command, h home, id string) (text []byte, kept string, err error) {
	switch {
	case cmd.Flags().Changed("body"):
		return []byte(e.body), "", nil
	case e.file == "-":
		text, err = io.ReadAll(e.con.in)
		return append([]byte{}, text...), "", err
	case e.file != "":
		text, err = os.ReadFile(e.file)
		return append([]byte{}, text...), "", err
	}
	editor := e.con.getenv("VISUAL")
	if editor == "" {
		editor = e.con.getenv("EDITOR")
	}
	if editor == "" {
		return nil, "", cli.Usage(cmd, errors.New("no $EDITOR is set, want --file or --body"))
	}
	var old []byte
	if err := e.services.do(ctx, http.MethodGet, h.path("/parked/"+id, url.Values{"raw": {"true"}}), nil, &old); err != nil {
		return nil, "", err
	}
	return e.edit(ctx, editor, old)
}

// edit lets a person edit a body in a file of its own. JSON is laid out for that.
func (e *editing) edit(ctx context.Context, editor string, old []byte) ([]byte, string, error) {
	dir, err := os.MkdirTemp("", "tutti-edit-")
	if err != nil {
		return nil, "", fmt.Errorf("edit: %w", err)
	}
	path, shown := filepath.Join(dir, "body.json"), old
	var laid bytes.Buffer
	if json.Valid(old) && json.Indent(&laid, old, "", "  ") == nil {
		laid.WriteByte('\n')
		shown = laid.Bytes()
	} else {
		path = filepath.Join(dir, "body")
	}
	discard := func() { _ = os.RemoveAll(dir) } // temporary in any case
	if err := os.WriteFile(path, shown, 0o600); err != nil {
		discard()
		return nil, "", fmt.Errorf("edit: %w", err)
	}
	// As git does it: the variable may hold arguments.
	run := exec.CommandContext(ctx, "sh", "-c", editor+` "$@"`, editor, path)
	run.Stdin, run.Stdout, run.Stderr = e.con.in, e.con.err, e.con.err
	if err := run.Run(); err != nil {
		discard()
		return nil, "", fmt.Errorf("edit with %s: %w; nothing is changed", editor, err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, "", fmt.Errorf("edit: %w", err)
	}
	if bytes.Equal(text, shown) {
		discard()
		fmt.Fprintln(e.con.err, "the body is as it was; nothing is changed")
		return nil, "", nil
	}
	var compact bytes.Buffer
	if json.Valid(text) && json.Compact(&compact, text) == nil {
		text = compact.Bytes()
	} else if !strings.HasSuffix(string(old), "\n") {
		text = bytes.TrimSuffix(text, []byte("\n")) // which editors add
	}
	return text, path, nil
}
