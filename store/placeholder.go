package store

import (
	"strconv"
	"strings"
)

// positional writes a query whose arguments are $1, $2, … with a plain ? for each, and
// returns which argument each stands for. SQLite looks up the name of each argument
// among all names of the statement, so that numbered ones cost the square of how many
// there are; plain ones have no names. A query that has plain ones already is left as it
// is, with a nil order.
func positional(query string) (text string, order []int) {
	var b strings.Builder
	b.Grow(len(query))
	for i := 0; i < len(query); {
		n := 1
		switch c := query[i]; {
		case c == '\'' || c == '"' || c == '`':
			n = quoted(query[i:])
		case strings.HasPrefix(query[i:], "--"):
			n = until(query[i:], "\n")
		case strings.HasPrefix(query[i:], "/*"):
			n = until(query[i:], "*/")
		case c == '?':
			return query, nil
		case c == '$':
			for i+n < len(query) && '0' <= query[i+n] && query[i+n] <= '9' {
				n++
			}
			number, err := strconv.Atoi(query[i+1 : i+n])
			if err != nil || number < 1 {
				return query, nil
			}
			order = append(order, number-1)
			b.WriteByte('?')
			i += n
			continue
		}
		b.WriteString(query[i : i+n])
		i += n
	}
	return b.String(), order
}

// quoted is the length of a literal or name that a query begins with. Two quotes within
// it stand for one: they end it, and begin another.
func quoted(query string) int {
	if end := strings.IndexByte(query[1:], query[0]); end >= 0 {
		return end + 2
	}
	return len(query)
}

func until(query, end string) int {
	if i := strings.Index(query, end); i >= 0 {
		return i + len(end)
	}
	return len(query)
}

// arrange puts arguments in the order in which a text of [positional] wants them.
func arrange(args []any, order []int) []any {
	ordered := len(args) == len(order)
	for i, at := range order {
		if at >= len(args) {
			return args // too few: the database says so
		}
		ordered = ordered && at == i
	}
	if ordered || order == nil {
		return args
	}
	out := make([]any, len(order))
	for i, at := range order {
		out[i] = args[at]
	}
	return out
}
