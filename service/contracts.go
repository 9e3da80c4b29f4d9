package service

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tutti-go/tutti/event"
	"github.com/tutti-go/tutti/store"
)

// typeID is a type of message in a topic, in any version.
type typeID struct{ topic, typ string }

// definition is one service's idea of a contract.
type definition struct {
	service string
	event.Contract
	schema event.Schema
}

func (s *Service) definitions() []definition {
	var out []definition
	for c, schema := range s.publishes {
		out = append(out, definition{s.name, c, schema})
	}
	for _, b := range s.bindings {
		out = append(out, definition{s.name, b.Contract, b.Schema})
	}
	slices.SortFunc(out, func(a, b definition) int {
		return strings.Compare(a.String()+a.Topic.Name, b.String()+b.Topic.Name)
	})
	return out
}

// CheckContracts finds contracts that services define differently: one type and
// version with two topics or kinds, one topic with two numbers of partitions or
// retentions, or one field with two JSON types. Run checks a service by itself; a
// process that runs several checks them together.
func CheckContracts(services ...*Service) error {
	known, topics := map[string]definition{}, map[string]definition{}
	var errs []error
	for _, s := range services {
		for _, d := range s.definitions() {
			if t, ok := topics[d.Topic.Name]; !ok {
				topics[d.Topic.Name] = d
			} else if d.Topic != t.Topic && d.String() != t.String() { // it would be made as one of them says
				errs = append(errs, fmt.Errorf("topic %s: %s says %s for %s, %s says %s for %s: one of them is wrong",
					d.Topic.Name, t.service, describe(t.Topic), t.Contract, d.service, describe(d.Topic), d.Contract))
			}
			first, ok := known[d.String()]
			if !ok {
				known[d.String()] = d
				continue
			}
			if d.Topic != first.Topic || d.Kind != first.Kind {
				errs = append(errs, fmt.Errorf("contract %s: %s says %s in topic %s, %s says %s in topic %s: one of them is wrong",
					d.Contract, first.service, first.Kind, describe(first.Topic), d.service, d.Kind, describe(d.Topic)))
			}
			for _, conflict := range first.schema.Conflicts(d.schema) {
				errs = append(errs, fmt.Errorf("contract %s: %s and %s differ: field %s", d.Contract, first.service, d.service, conflict))
			}
			first.schema = maps.Clone(first.schema)
			maps.Copy(first.schema, d.schema)
			known[d.String()] = first
		}
	}
	return errors.Join(errs...)
}

func describe(t event.Topic) string {
	if t.Partitions == 0 && t.Retention == 0 {
		return t.Name
	}
	return fmt.Sprintf("%s (%d partitions, retention %v)", t.Name, t.Partitions, t.Retention)
}

// checkContracts checks the service by itself, and indexes its handlers by type.
func (s *Service) checkContracts() error {
	if err := CheckContracts(s); err != nil {
		return err
	}
	s.byType = map[typeID][]*event.Binding[*store.Tx]{}
	for _, b := range s.bindings {
		id := typeID{b.Contract.Topic.Name, b.Contract.Type}
		s.byType[id] = append(s.byType[id], &b)
	}
	return nil
}
