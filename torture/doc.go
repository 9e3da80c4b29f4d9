// Command torture runs the shop as real processes under load, does harm to them at
// random moments, and checks at the end that nothing is lost, doubled or stuck. Run
// 'go run ./torture --help' for its settings, and see docs/torture.md.
//
//	seed ──► harm ──────────► processes (shop, tutti broker, or Kafka) ──► shop verify
//	                               ▲                                          │
//	load ── orders by HTTP ────────┘                                          ▼
//	  └───► journal of what was acknowledged ─────────────────────────────► check
//
// What happens when follows from the seed, as far as processes allow: the same seed
// draws the same orders, victims and pauses, and the machine decides what is hit.
package main
