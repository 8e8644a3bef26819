use super::*;
use crate::{MAX_HAND_OVERS, MAX_TTL_SECONDS, Receiver, Token};

fn wrapped() -> (House, Vault, Token, Receiver) {
    let (house, vault) = House::with_phrase();
    house.set(&vault, "a/b", "for you alone");
    let receiver: Receiver = "playbook/backup".parse().unwrap();
    let token = vault.wrap(&secret("a/b"), &receiver, 60, &actor(), &house.mint).unwrap();
    // As its receiver gets it.
    let token = Token::parse(&token.to_bytes()).unwrap();
    (house, vault, token, receiver)
}

fn why(house: &House, token: &Token, receiver: &Receiver) -> String {
    house.sealed.unwrap(token, receiver, &actor(), &house.mint).unwrap_err().to_string()
}

#[test]
fn a_hand_over_is_taken_once() {
    let (house, _, token, receiver) = wrapped();
    let value = house.sealed.unwrap(&token, &receiver, &actor(), &house.mint).unwrap();
    assert_eq!(value.expose(), b"for you alone");
    let again = why(&house, &token, &receiver);
    assert!(again.contains("taken before"), "{again}");
    let audit = house.audit();
    assert_eq!(audit.matches("\"hand_over\",\"namespace\":\"a\"").count(), 1);
    assert_eq!(
        audit.matches("\"outcome\":\"refused\",\"why\":\"this hand-over is refused: it was taken").count(),
        1
    );
    let left = std::fs::read_to_string(house.path(&format!("handed/{}.json", token.id()))).unwrap();
    assert!(!left.contains("sealed"), "{left}");
}

#[test]
fn another_receiver_gets_nothing_and_does_not_use_it_up() {
    let (house, _, token, receiver) = wrapped();
    assert!(why(&house, &token, &"playbook/other".parse().unwrap()).contains("another receiver"));
    assert!(house.audit().contains("\"for\":\"playbook/other\""));
    house.sealed.unwrap(&token, &receiver, &actor(), &house.mint).unwrap();
}

#[test]
fn a_hand_over_ends_with_its_time() {
    let (house, vault, token, receiver) = wrapped();
    house.clock.advance_millis(60_000);
    assert!(why(&house, &token, &receiver).contains("time is over"));
    vault.wrap(&secret("a/b"), &receiver, 60, &actor(), &house.mint).unwrap();
    assert!(why(&house, &token, &receiver).contains("nothing waits"), "it was forgotten");
    for ttl in [0, MAX_TTL_SECONDS + 1] {
        assert!(vault.wrap(&secret("a/b"), &receiver, ttl, &actor(), &house.mint).is_err());
    }
}

#[test]
fn a_token_or_a_file_beside_it_that_says_something_else_is_refused() {
    let (house, _, token, receiver) = wrapped();
    let path = house.path(&format!("handed/{}.json", token.id()));
    let file = std::fs::read_to_string(&path).unwrap();
    let later = token.expires.to_string().replace("20", "21");
    let write = |text: &str| durable::write(&path, text.as_bytes(), durable::Mode::Private).unwrap();
    write(&file.replace(&token.expires.to_string(), &later));
    assert!(why(&house, &token, &receiver).contains("another time"), "it would wait beyond its end");
    write(&file);
    for (said, other) in [(token.expires.to_string(), later), (receiver.to_string(), "nobody".to_owned())] {
        let text = String::from_utf8(token.to_bytes().to_vec()).unwrap().replace(&said, &other);
        let forged = Token::parse(text.as_bytes()).unwrap();
        assert!(why(&house, &forged, &receiver).contains("another time or receiver"), "{other}");
    }
    house.sealed.unwrap(&token, &receiver, &actor(), &house.mint).unwrap();
}

#[test]
fn the_token_of_another_hand_over_opens_nothing() {
    let (house, vault, token, receiver) = wrapped();
    let other = vault.wrap(&secret("a/b"), &receiver, 60, &actor(), &house.mint).unwrap();
    let text = String::from_utf8(other.to_bytes().to_vec()).unwrap().replace(other.id(), token.id());
    let forged = Token::parse(text.as_bytes()).unwrap();
    assert!(why(&house, &forged, &receiver).contains("does not open"));
    assert!(!format!("{token:?}").contains("SECRET"));
    for bad in [&b""[..], b"{}", text.replace(token.id(), "../../../x").as_bytes()] {
        assert!(Token::parse(bad).is_err());
    }
}

#[test]
fn a_file_that_was_put_back_is_not_taken_again() {
    let (house, _, token, receiver) = wrapped();
    let path = house.path(&format!("handed/{}.json", token.id()));
    let copy = std::fs::read(&path).unwrap();
    house.sealed.unwrap(&token, &receiver, &actor(), &house.mint).unwrap();
    durable::write(&path, &copy, durable::Mode::Private).unwrap();
    assert!(why(&house, &token, &receiver).contains("it was taken before, at "));
    // Nor when the line is in an archived file.
    house.sealed.archive_audit(&passphrase(PHRASE), &actor(), &house.mint).unwrap();
    assert!(why(&house, &token, &receiver).contains("it was taken before, at "));
}

#[test]
fn only_what_nobody_can_take_makes_room() {
    let (house, vault, token, receiver) = wrapped();
    let other = |name: &str| house.path(&format!("handed/{name}.json"));
    // It cannot be read, and may be good.
    durable::write(&other("large"), &vec![b' '; 300 * 1024], durable::Mode::Private).unwrap();
    durable::write(&other("junk"), b"{}", durable::Mode::Private).unwrap();
    vault.wrap(&secret("a/b"), &receiver, 60, &actor(), &house.mint).unwrap();
    assert!(other("large").exists() && !other("junk").exists());
    house.sealed.unwrap(&token, &receiver, &actor(), &house.mint).unwrap();
}

#[test]
fn the_audit_does_not_say_granted_when_there_is_no_room() {
    let (house, vault, token, receiver) = wrapped();
    let one = house.path(&format!("handed/{}.json", token.id()));
    for i in 1..MAX_HAND_OVERS {
        std::fs::copy(&one, house.path(&format!("handed/{i}.json"))).unwrap();
    }
    let lines = |outcome: &str| {
        let (audit, outcome) = (house.audit(), format!("\"outcome\":\"{outcome}\""));
        audit.lines().filter(|line| line.contains("\"what\":\"wrap\"") && line.contains(&outcome)).count()
    };
    assert_eq!((lines("granted"), lines("refused")), (1, 0));
    for ttl in [60, MAX_TTL_SECONDS + 1] {
        assert!(vault.wrap(&secret("a/b"), &receiver, ttl, &actor(), &house.mint).is_err());
    }
    assert_eq!((lines("granted"), lines("refused")), (1, 2));
}
