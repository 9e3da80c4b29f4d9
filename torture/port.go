package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
)

// Ports are fixed while a process is killed and started again, so they are below
// those that systems hand out for outgoing connections, one of which would
// otherwise take a port while its owner is down.
const (
	firstPort = 20_000
	lastPort  = 30_000
)

// freePorts returns n ports of 127.0.0.1 that nobody listens at.
func freePorts(n int) ([]int, error) {
	taken, ports := map[int]bool{}, []int{}
	for range 1000 {
		if len(ports) == n {
			return ports, nil
		}
		port := firstPort + rand.IntN(lastPort-firstPort)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil || taken[port] {
			continue
		}
		if err := l.Close(); err != nil {
			return nil, err
		}
		taken[port] = true
		ports = append(ports, port)
	}
	return nil, errors.New("find free ports: none after 1000 attempts")
}

// freeRange returns the first of n ports in a row that nobody listens at.
func freeRange(n int) (int, error) {
	for range 1000 {
		first := firstPort + rand.IntN(lastPort-firstPort-n)
		free := 0
		for ; free < n; free++ {
			l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", first+free))
			if err != nil {
				break
			}
			if err := l.Close(); err != nil {
				return 0, err
			}
		}
		if free == n {
			return first, nil
		}
	}
	return 0, fmt.Errorf("find %d free ports in a row: none after 1000 attempts", n)
}
