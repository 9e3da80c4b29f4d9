package verify

// Reads is the list of who reads what, for tests that import the services.
var Reads = reads
