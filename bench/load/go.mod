module github.com/tutti-go/tutti/bench/load

go 1.26.0
