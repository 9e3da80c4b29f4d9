// Package problem gives errors of the domain a kind, and turns any error into an
// RFC 9457 problem document.
//
// A domain function returns problem.Conflict("order %s is already shipped", id);
// callers test it with [KindOf], and an HTTP edge passes it to [Write], the one
// place that maps kinds to status codes.
//
// # Guarantees
//
// The text of an error without a kind is never shown to a client: it is a 500
// with a fixed text. Kinds survive wrapping with %w.
//
// # What it does not do
//
// It does not log and knows no handler; package service does.
//
// # Concurrency
//
// Errors are values; everything is safe for concurrent use.
//
// # Testing
//
// Use net/http/httptest's recorder with [Write].
package problem
