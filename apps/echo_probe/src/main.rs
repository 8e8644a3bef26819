//! `echo_probe`: not built yet; the domain below it stands.
fn main() {}
