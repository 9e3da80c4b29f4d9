package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Access is what a client means to do.
type Access struct {
	Groups []string // to be a member of, or to commit offsets for
	Reads  []string // topics
	Writes []string // topics
}

// CheckAccess asks the cluster whether its rules let this client do all of that. The
// error names every right that is missing at once, with the command that gives it. A
// cluster that does not tell, or an embedded broker, is taken to allow it.
func (b *Bus) CheckAccess(ctx context.Context, a Access) error {
	if b.embedded {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, b.cfg.Timeout)
	defer cancel()
	missing, err := b.missing(kadm.WithAuthorizedOps(ctx), a)
	if err != nil {
		return fmt.Errorf("look up access rules: %w", b.explain(err))
	}
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s lacks\n  %s", ErrDenied, b.cfg.SASL, strings.Join(missing, "\n  "))
}

// missing lists the rights that are missing.
func (b *Bus) missing(ctx context.Context, a Access) (lines []string, err error) {
	need := func(op kmsg.ACLOperation, kind, name string, have []kadm.ACLOperation) {
		if len(have) > 0 && !slices.Contains(have, op) { // none: the cluster does not tell
			title := strings.ToUpper(op.String()[:1]) + strings.ToLower(op.String()[1:])
			lines = append(lines, fmt.Sprintf("%s on %s %s: kafka-acls.sh --bootstrap-server %s --add --allow-principal User:%s --operation %s --%s %s",
				title, kind, name, b.cfg.Brokers[0], b.cfg.SASL.principal(), title, kind, name))
		}
	}
	topics := slices.Concat(a.Reads, a.Writes)
	slices.Sort(topics)
	topics = slices.Compact(topics)
	details, err := b.look(ctx, topics)
	if err != nil {
		return nil, err
	}
	for _, t := range topics {
		have := told(details[t].may, details[t].err)
		// Where records are written, their sender commits how far: that takes Read.
		need(kmsg.ACLOperationRead, "topic", t, have)
		if slices.Contains(a.Writes, t) {
			need(kmsg.ACLOperationWrite, "topic", t, have)
		}
	}
	for _, g := range a.Groups { // one by one: an error does not say of which it is
		var groups kadm.DescribedGroups
		err := patiently(ctx, func() (err error) {
			if groups, err = b.admin.DescribeGroups(ctx, g); err == nil && passing(groups[g].Err) {
				err = groups[g].Err
			}
			return err
		})
		if err != nil && !denied(err) {
			return nil, err
		}
		need(kmsg.ACLOperationRead, "group", g, told(groups[g].AuthorizedOperations, errors.Join(err, groups[g].Err)))
	}
	return lines, nil
}

// told is what a client may do, as the broker says it: an error is an answer too.
func told(ops []kadm.ACLOperation, err error) []kadm.ACLOperation {
	if denied(err) {
		return []kadm.ACLOperation{kmsg.ACLOperationUnknown}
	}
	return ops
}

// principal is the name that access rules have for this client, as far as it knows.
func (s SASL) principal() string {
	if s.User != "" {
		return s.User
	}
	return "NAME"
}
