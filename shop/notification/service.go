// Package notification mails customers how their orders ended. It listens to
// orders, and to customers for their addresses, and reaches the mail provider by
// jobs only. Each order gets at most one mail of a kind. A customer whose address
// has not been announced is addressed by id, which the provider resolves.
package notification

import (
	"embed"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/service"
)

//go:embed migrations
var migrations embed.FS

// Register returns what sets up the service with its mail provider.
func Register(mailer Mailer) func(*service.Service) {
	return func(s *service.Service) {
		s.Migrations(migrations)
		event.On(s, onRegistered)
		event.OnBatch(s, notifying(confirmedSays))
		event.OnBatch(s, notifying(cancelledSays))
		handleJobs(s, mailer)
		s.Handle("GET /notifications", handler{s}.list)
	}
}
