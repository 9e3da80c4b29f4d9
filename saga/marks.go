package saga

import (
	"cmp"
	"strings"

	"github.com/tutti-go/tutti/internal/fastjson"
)

// marks are where the parts of an instance stand. A row is rewritten with each change, so
// what can be told from elsewhere is left out of it: times are the difference to that of the
// mark before, or a due time that to its own mark's; an id begins with "-" if all before
// that is as in the id before it. Documents of before have all in full.
type marks []mark

func (ms marks) append(to []byte) []byte {
	to = append(to, '[')
	since, prefix := int64(0), ""
	for i := range ms {
		if i > 0 {
			to = append(to, ',')
		}
		to = ms[i].append(to, since, &prefix)
		since = ms[i].Since
	}
	return append(to, ']')
}

func (m *mark) append(to []byte, since int64, prefix *string) []byte {
	to = quote(append(to, `{"p":`...), m.Path)
	to = quote(append(to, `,"s":`...), string(m.Is))
	to = appendNumber(to, `,"n":`, int64(m.Tries))
	if m.Due != 0 {
		to = appendNumber(to, `,"d":`, cmp.Or(difference(m.Due, m.Since), m.Due))
	}
	to = appendNumber(to, `,"t":`, difference(m.Since, since))
	to = appendNumber(to, `,"c":`, int64(m.Pick))
	to = appendText(to, `,"w":`, m.Note)
	to = appendText(to, `,"k":`, m.Child)
	if len(m.State) > 0 {
		to = append(append(to, `,"x":`...), m.State...)
	}
	to = appendIDs(to, `,"i":[`, m.Asked, prefix)
	to = appendIDs(to, `,"j":[`, m.Unasked, prefix)
	return append(to, '}')
}

func appendIDs(to []byte, name string, ids []string, prefix *string) []byte {
	for i, id := range ids {
		if i == 0 {
			to = append(to, name...)
		} else {
			to = append(to, ',')
		}
		begin, end := cutID(id)
		if begin != "" && begin == *prefix {
			id = end
		}
		*prefix = begin
		if to = quote(to, id); i == len(ids)-1 {
			to = append(to, ']')
		}
	}
	return to
}

// UnmarshalJSON reads what append wrote, or a build from before.
func (ms *marks) UnmarshalJSON(text []byte) error {
	if err := fastjson.Unmarshal(text, (*[]mark)(ms)); err != nil {
		return err
	}
	since, prefix := int64(0), ""
	for i := range *ms {
		m := &(*ms)[i]
		m.Since = resolve(m.Since, since)
		if m.Due != 0 {
			m.Due = resolve(m.Due, m.Since)
		}
		since = m.Since
		for _, ids := range [][]string{m.Asked, m.Unasked} {
			for j, id := range ids {
				if strings.HasPrefix(id, "-") {
					ids[j] = prefix + id
				}
				prefix, _ = cutID(ids[j])
			}
		}
	}
	return nil
}

// cutID cuts an id, as instances of services give them, before its number.
func cutID(id string) (begin, number string) {
	i := strings.LastIndexByte(id, '-')
	if i < 0 {
		return "", id
	}
	return id[:i], id[i:]
}

// absolute tells a time from a difference: nothing is 17 years after what was before, and
// no time is before 1987.
const absolute = 1 << 39 // ms

// difference is a time as it is stored, where another one is known.
func difference(time, other int64) int64 {
	if d := time - other; d <= absolute {
		return d
	}
	return time
}

// resolve returns the time of which a difference, or the time itself, is stored.
func resolve(stored, other int64) int64 {
	if stored > absolute {
		return stored
	}
	return other + stored
}
