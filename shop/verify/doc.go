// Package verify checks what must hold of a shop, over the databases of all its
// services, the ledgers of its gateways and the log.
//
// [Run] opens the directory of a shop that is stopped, or was killed, and reports
// for each invariant whether it holds, with the ids that violate it.
//
// # Guarantees
//
// Invariants are worded so that they hold at every moment, so a directory whose
// process was killed has no violations, whatever was under way; with
// [Config].Settled it is also a violation if anything is. They rest on the order in
// which effects become durable: a service commits before it publishes, and
// consumes after that, so what a later service knows, the earlier one has stored.
//
// What is checked is a private copy of the directory, made while broker and
// databases are locked: nothing in the directory changes, and it may be restarted
// meanwhile. The copy takes as much room in the temporary directory.
//
// # What it does not do
//
// It judges no part of a shop: where databases are missing, it says which, and leaves
// the invariants out that need them. It repairs nothing, and it cannot know of orders
// that no service, gateway or event mentions, unless Config.Acknowledged names them.
//
// # Concurrency
//
// Run is safe for concurrent use, but for the moment in which it copies a
// directory: then a second one says that it is in use.
//
// # Testing
//
// The tests falsify a consistent shop in each way that an invariant forbids.
package verify
