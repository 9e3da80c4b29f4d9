package notification

import (
	"context"
	"time"

	"github.com/tutti-go/tutti/job"
	"github.com/tutti-go/tutti/service"
	"github.com/tutti-go/tutti/store"
)

// Mailer sends mails: the same key again has no second effect.
type Mailer interface {
	Send(ctx context.Context, key, order, to, text string) error
}

type mailJob struct {
	Order string `json:"order"`
	To    string `json:"to"`
	Text  string `json:"text"`
}

func (mailJob) JobType() string { return "notification.mail" }

var mailing = job.Config{Workers: 256, Timeout: 10 * time.Second}

func handleJobs(s *service.Service, mailer Mailer) {
	job.HandleBatch(s, mailing, func(ctx context.Context, c job.Call[mailJob]) (struct{}, error) {
		return struct{}{}, mailer.Send(ctx, c.ID, c.Args.Order, c.Args.To, c.Args.Text)
	}, mailed(s))
}

// mailed settles notifications. A mail that cannot be sent holds nothing up: it is
// logged and left as failed.
func mailed(s *service.Service) func(context.Context, *store.Tx, []job.Result[mailJob, struct{}]) error {
	return func(ctx context.Context, tx *store.Tx, rs []job.Result[mailJob, struct{}]) error {
		var sent, failed []string
		for _, r := range rs {
			if r.Err == nil {
				sent = append(sent, r.ID)
				continue
			}
			failed = append(failed, r.ID)
			s.Logger().Warn("mail was not sent", "notification", r.ID, "error", r.Err)
		}
		if err := settle(ctx, tx, sent, Sent); err != nil {
			return err
		}
		return settle(ctx, tx, failed, Failed)
	}
}
