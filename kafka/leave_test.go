package kafka

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/tutti-go/tutti/event"
)

// A consumer that joins its group while another member does not answer, as one that died,
// has long to wait; it can leave all the same.
func TestLeavesWhileItJoins(t *testing.T) {
	t.Parallel()
	broker, bus := embedded(t)
	if err := bus.EnsureTopics(t.Context(), []event.Topic{{Name: "a"}}); err != nil {
		t.Fatal(err)
	}
	join := func(instance string) (*Consumer, <-chan struct{}) {
		assigned := make(chan struct{}, 1)
		c, err := bus.Join(Membership{
			Group: "g", Instance: instance, Topics: []string{"a"},
			Start: func(context.Context, []event.Partition) (map[event.Partition]int64, error) {
				assigned <- struct{}{}
				return nil, nil
			},
			Lost: func([]event.Partition) {},
		})
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			if _, err := c.Poll(t.Context(), 1); err != nil && !errors.Is(err, context.Canceled) {
				t.Logf("%s polls: %v", instance, err)
			}
		}()
		return c, assigned
	}
	dead, assigned := join("dead")
	<-assigned
	dead.Kill() // it stays in the group until its session ends
	joining := make(chan struct{}, 8)
	broker.cluster.ControlKey(int16(kmsg.JoinGroup), func(kmsg.Request) (kmsg.Response, error, bool) {
		broker.cluster.KeepControl()
		joining <- struct{}{}
		return nil, nil, false
	})
	late, _ := join("late")
	<-joining
	time.Sleep(100 * time.Millisecond) // the broker has it and waits for the dead one
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	begun := time.Now()
	late.Close(ctx)
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("Close() took %v", took)
	}
}

// A coordinator answers a member that waits to join and leaves that it knows no such
// member. That is no reason to join again: the group would wait for it until its session
// ends, and nobody read its partitions.
func TestDoesNotJoinAgainWhileItLeaves(t *testing.T) {
	t.Parallel()
	broker, bus := embedded(t)
	if err := bus.EnsureTopics(t.Context(), []event.Topic{{Name: "a"}}); err != nil {
		t.Fatal(err)
	}
	joins, left := make(chan struct{}, 8), make(chan struct{})
	broker.cluster.ControlKey(int16(kmsg.JoinGroup), func(join kmsg.Request) (kmsg.Response, error, bool) {
		broker.cluster.KeepControl()
		joins <- struct{}{}
		broker.cluster.SleepControl(func() { <-left })
		resp := join.ResponseKind().(*kmsg.JoinGroupResponse)
		resp.ErrorCode = kerr.UnknownMemberID.Code
		return resp, nil, true
	})
	broker.cluster.ControlKey(int16(kmsg.LeaveGroup), func(kmsg.Request) (kmsg.Response, error, bool) {
		close(left)
		broker.cluster.SleepControl(func() { time.Sleep(300 * time.Millisecond) })
		return nil, nil, false
	})
	c, err := bus.Join(Membership{Group: "g", Instance: "i", Topics: []string{"a"}, Lost: func([]event.Partition) {}})
	if err != nil {
		t.Fatal(err)
	}
	<-joins
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	c.Close(ctx)
	select {
	case <-left:
	default:
		t.Error("it has not left")
	}
	if len(joins) > 0 {
		t.Error("it has joined again")
	}
}
