//! In simulated worlds, in which anything may fail.
