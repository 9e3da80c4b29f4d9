// Package lock keeps two processes from opening one directory or database.
package lock

import "errors"

// ErrHeld says that another process holds the lock.
var ErrHeld = errors.New("in use by another process")
