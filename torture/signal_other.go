//go:build !linux

package main

import "syscall"

// Numbers of POSIX; where they mean nothing, sending them is an error.
const (
	sigStop = syscall.Signal(0x11)
	sigCont = syscall.Signal(0x13)
	sigQuit = syscall.SIGQUIT
)

func dieWithParent() *syscall.SysProcAttr { return nil }
