//! echo_cli
fn main() {}
