package service

// WithoutGapGuard lets a service handle what follows a gap, as if the guard of
// hazard (a) did not exist.
func WithoutGapGuard(s *Service) { s.cfg.guards.gaps = false }

// WithoutDuplicateGuard lets a service handle what it has seen.
func WithoutDuplicateGuard(s *Service) { s.cfg.guards.duplicates = false }

// Jittered is the delay before an attempt.
var Jittered = jittered
