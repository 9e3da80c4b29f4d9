package service_test

import (
	"io/fs"
	"testing/fstest"
)

func migrations(files map[string]string) fs.FS {
	if len(files) == 0 {
		files = map[string]string{"0001_none.sql": "-- nothing"}
	}
	m := fstest.MapFS{}
	for name, text := range files {
		m[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return m
}
