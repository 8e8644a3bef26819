//! echo_os_prime
fn main() {}
