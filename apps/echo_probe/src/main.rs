//! echo_probe
fn main() {}
