//! Fills a home with a customer, devices and cases in several states, to look at the pages:
//! `cargo run -p dashboard --example seed -- HOME`, then start the platform on it.

#![expect(clippy::unwrap_used, reason = "it is made of the tests' own parts")]

#[path = "../../desk/tests/it/device.rs"]
#[expect(dead_code, reason = "the desk's own tests use the rest")]
mod device;
#[path = "../tests/it/seed.rs"]
mod seed;

use std::path::PathBuf;

#[tokio::main]
async fn main() {
    let home = PathBuf::from(std::env::args().nth(1).expect("usage: seed HOME"));
    let house = seed::found_at(&home).await;
    seed::fill(&house).await;
    house.desk.close().await.expect("the home closes");
}
