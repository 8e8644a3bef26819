//! `echo_os_prime`: not built yet; the domain below it stands.
fn main() {}
