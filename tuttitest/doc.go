// Package tuttitest is the world in virtual time for tests of services: a broker,
// services, HTTP clients, jobs, timers and the clock in one bubble of
// testing/synctest. A 30-minute outage takes milliseconds.
//
//	tuttitest.Run(t, func(w *tuttitest.World) {
//		w.Start("inventory", inventory.Register)
//		w.Publish(orderv1.Placed{OrderID: "o1", Lines: …})
//		w.Expect(inventoryv1.OutOfStock{OrderID: "o1", …})
//		w.Crash("inventory")
//		w.Sleep(30 * time.Minute)
//		w.Start("inventory", inventory.Register)
//		w.ExpectNoMore()
//	})
//
// Inside, w.T() is the test: contexts and clean-ups of the outer one belong to real
// time. A test stops, crashes and cuts services off by name, breaks the network and the
// broker's answers, or leaves that to [World.Chaos] and the seeds of [Seeds]. It
// waits with [World.Quiet] until nothing is in flight, and looks at events with
// [World.Expect] and at tables with [World.Query] and [World.ExpectRows].
//
// # Guarantees
//
// Services run as they do in production: the same loop, the same client, the Kafka
// protocol byte by byte over connections in memory, HTTP over the same, and a SQLite
// file each. Only durability against a crash of the machine is left out. Time passes
// only when everything waits for it. The faults of a seed, their moments and their
// victims are always the same, and a test that fails prints the seed.
//
// # What it does not do
//
// It does not fix the order in which goroutines run that are ready at the same
// moment: a seed that fails fails again almost always, not always. Nothing that
// blocks outside the bubble works inside: no real sockets, no PostgreSQL, no
// goroutines started before.
//
// # Concurrency
//
// A [World] belongs to the goroutine that its function was called on. Worlds are
// independent of each other and may run at once, each in its own test.
//
// # Testing
//
// It is for tests only. Handlers that need neither broker nor database are tested
// faster as plain functions.
package tuttitest
