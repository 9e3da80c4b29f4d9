//go:build !unix

package lock

import "os"

// File relies on the operating system's exclusive opening of the file.
func File(path string) (release func() error, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	return f.Close, nil
}
