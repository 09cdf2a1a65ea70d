//! Nothing: the tests are what there is here. They run millpond's streams under the crates, and against
//! the servers, that others wrote: over real sockets, and in simulated worlds with faults.
