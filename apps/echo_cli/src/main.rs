//! `echo_cli`: not built yet; the domain below it stands.
fn main() {}
