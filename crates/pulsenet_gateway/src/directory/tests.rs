use std::net::Ipv6Addr;

use echo_core::CustomerId;
use trust::KeyPair;

use super::*;
use crate::queue::{Outgoing, queue};

fn customer(n: u8) -> Realm {
    Realm::Customer(format!("cus_{n:032x}").parse::<CustomerId>().unwrap())
}

fn node(seed: u8) -> NodeId {
    NodeId::of(&KeyPair::from_secret(&[seed; 32]).public())
}

fn limits() -> Limits {
    Limits { connections: 6, realm: 2, strangers: 3, ..Limits::default() }
}

struct Client {
    place: Place,
    login: Option<u64>,
    outgoing: Outgoing,
    ending: watch::Receiver<Option<Ending>>,
}

fn enter(directory: &Directory, seed: u8, realm: Realm, limits: &Limits) -> Client {
    let mut place = directory.admit([127, 0, 0, 1].into(), limits).unwrap();
    let (queue, outgoing) = queue(limits);
    let (end, ending) = watch::channel(None);
    let entry = Entry {
        node: node(seed),
        realm,
        observed: ([127, 0, 0, 1], 1).into(),
        since: Timestamp::UNIX_EPOCH,
        queue,
        end,
        login: 0,
    };
    let login = directory.enter(entry, &mut place, limits);
    Client { place, login, outgoing, ending }
}

#[test]
fn nodes_reach_their_own_and_the_operators_and_nobody_else() {
    let directory = Directory::default();
    let limits = limits();
    let _clients = [
        enter(&directory, 1, customer(1), &limits),
        enter(&directory, 2, customer(1), &limits),
        enter(&directory, 3, customer(2), &limits),
        enter(&directory, 4, Realm::Operator, &limits),
    ];
    let to = |from: &Realm, seed: u8| directory.datagram(from, &node(seed).bytes(), || vec![1]);
    assert_eq!(to(&customer(1), 2), Carried::Yes);
    assert_eq!(to(&customer(1), 4), Carried::Yes);
    assert_eq!(to(&customer(1), 3), Carried::Away, "whoever it may not meet is not there");
    assert_eq!(to(&customer(1), 9), Carried::Away);
    assert_eq!(to(&Realm::Operator, 3), Carried::Yes);
    assert_eq!(directory.signal(&customer(2), &node(1).bytes(), || vec![1]), Carried::Away);
}

#[test]
fn connections_are_bounded_by_address_realm_and_in_all() {
    let directory = Directory::default();
    let limits = limits();
    let strangers: Vec<_> = (0..3).map(|_| directory.admit([10, 0, 0, 1].into(), &limits).unwrap()).collect();
    assert!(directory.admit([10, 0, 0, 1].into(), &limits).is_none(), "too many strangers of one address");
    drop(strangers);
    let a = enter(&directory, 1, customer(1), &limits);
    let b = enter(&directory, 2, customer(1), &limits);
    assert!(a.login.is_some() && b.login.is_some());
    assert!(enter(&directory, 3, customer(1), &limits).login.is_none(), "too many of one realm");
    assert!(enter(&directory, 2, customer(1), &limits).login.is_some(), "a second login takes its own place");
    let others: Vec<_> = (10..14).map(|n| directory.admit([10, 0, 0, n].into(), &limits)).collect();
    assert_eq!(others.iter().filter(|place| place.is_some()).count(), 4);
    assert!(directory.admit([10, 0, 0, 99].into(), &limits).is_none(), "too many in all");
    drop((a, b, others));
    assert_eq!(directory.tables().connections, 0);
}

#[test]
fn one_ipv6_network_is_one_address() {
    let address = |last: u16| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 1, 2, 0, 0, 0, last));
    assert_eq!(network(address(1)), network(address(2)));
    let other = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 1, 3, 0, 0, 0, 1));
    assert_ne!(network(address(1)), network(other));
    let mapped = IpAddr::V6(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0x0a00, 0x0001));
    assert_eq!(network(mapped), IpAddr::from([10, 0, 0, 1]));
}

#[test]
fn a_second_login_ends_the_first_and_outlives_its_leaving() {
    let directory = Directory::default();
    let limits = limits();
    let first = enter(&directory, 1, customer(1), &limits);
    let second = enter(&directory, 1, customer(1), &limits);
    assert_eq!(first.ending.borrow().as_ref().unwrap().0, "replaced");
    assert!(second.ending.borrow().is_none());
    directory.leave(node(1), first.login.unwrap());
    assert_eq!(directory.all().len(), 1, "the first takes only itself out");
    directory.leave(node(1), second.login.unwrap());
    assert!(directory.all().is_empty() && directory.tables().realms.is_empty());
    drop((first.place, second.place));
    assert!(directory.tables().strangers.is_empty());
}

#[tokio::test]
async fn a_slow_reader_loses_datagrams_and_then_its_connection() {
    let directory = Directory::default();
    let limits = Limits { waiting_datagrams: 1_000, waiting: 2_000, ..limits() };
    let mut slow = enter(&directory, 1, customer(1), &limits);
    let to = node(1).bytes();
    assert_eq!(directory.datagram(&customer(1), &to, || vec![0; 700]), Carried::Yes);
    assert_eq!(directory.datagram(&customer(1), &to, || vec![0; 700]), Carried::Dropped);
    assert_eq!(directory.signal(&customer(1), &to, || vec![0; 700]), Carried::Yes);
    assert!(slow.ending.borrow().is_none());
    assert_eq!(directory.signal(&customer(1), &to, || vec![0; 700]), Carried::Dropped);
    assert_eq!(slow.ending.borrow().as_ref().unwrap().0, "too_slow");
    let mut batch = Vec::new();
    assert_eq!(slow.outgoing.next(&mut batch, 9).await, 2);
}
