//! Sockets: of the machine's own, unix(7). There is no network.

pub mod unix;
