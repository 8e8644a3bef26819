//! Writes good inputs for each target of the mesh into `corpus/`, for libFuzzer to begin with: what real nodes say to one
//! another, and one of each kind of paper.

use std::{collections::BTreeSet, error::Error, path::Path, sync::Arc, time::Duration};

use durable::Mode;
use echo_core::{Digest, Timestamp};
use fuzz::{
    house::{House, Member, SKILL, at, house, now},
    mesh_papers,
    presence::{Kind, step},
    relay, signal,
};
use mesh::{
    Body, Config, Input, Link, Message, Node, Output, Refusal, Routed, Stream, Wire,
    bulk::{CHUNK, Chunk, Code, Declined, Say, TransferId},
    presence::{Offering, PresenceRecord},
    relay::{Frame, LoginProof},
    signal::Refused,
    witnessing::{CosignAnswer, ForkProof, Word},
};
use mesh_link::{flow::Flow, session::Session};
use serde::Serialize;
use trust::{Envelope, KeyRole, NodeRevocations, RevokedNode, revocation::REVOCATIONS_TYPE};

type Done = Result<(), Box<dyn Error>>;

/// A ledger's signed head (C2SP tlog-checkpoint).
const NOTE: &str =
    "log.example/a\n3\nqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqo=\n\n\u{2014} log.example/a AAAAAAAA\n";

fn put(target: &str, name: &str, bytes: &[u8]) -> Done {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    durable::create_folder(&folder)?;
    Ok(durable::write(&folder.join(name), bytes, Mode::Public)?)
}

fn json(value: &impl Serialize) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(value)
}

/// A message that came to the node in the middle.
struct Heard {
    at: Timestamp,
    from: u8,
    stream: Stream,
    binary: bool,
    bytes: Vec<u8>,
}

/// What `middle` hears in half a minute from its two neighbours.
fn overheard(middle: &Member, neighbours: [&Member; 2]) -> Result<Vec<Heard>, Box<dyn Error>> {
    let members = [neighbours[0], neighbours[1], middle];
    let start = |member: &Member| {
        let (key, certificate) = (member.key.clone(), member.certificate.clone());
        Node::new(Config::default(), key, certificate, house().trust.clone(), Vec::new(), 1, now())
    };
    let mut nodes = [start(members[0])?, start(members[1])?, start(members[2])?];
    let mut heard = Vec::new();
    let mut time = now();
    let up = |link: u64, member: &Member| Input::Up {
        link: Link(link),
        manifest: Box::new(member.manifest.clone()),
        certificate: Box::new(member.certificate.clone()),
    };
    let mut inputs =
        vec![(2, up(0, members[0])), (2, up(1, members[1])), (0, up(2, middle)), (1, up(2, middle))];
    for _ in 0..300 {
        inputs.extend((0..3).map(|nth| (nth, Input::Tick)));
        while let Some((nth, input)) = inputs.pop() {
            let node: &mut Node = &mut nodes[nth];
            node.handle(time, input);
            while let Some(output) = node.poll() {
                let Output::Send { link, stream, binary, bytes } = output else { continue };
                let to = usize::try_from(link.0)?;
                let back = Link(u64::try_from(nth).unwrap_or(0));
                if to == 2 {
                    let from = u8::try_from(nth).unwrap_or(0);
                    heard.push(Heard { at: time, from, stream, binary, bytes: bytes.clone() });
                }
                inputs.push((to, Input::Received { link: back, stream, binary, bytes }));
            }
        }
        time = time.checked_add(Duration::from_millis(100)).unwrap_or(time);
    }
    Ok(heard)
}

/// The messages of real nodes, the first of each kind, and the rest of what they can say.
fn wire(heard: &[Heard]) -> Done {
    let mut seen = BTreeSet::new();
    for message in heard {
        let kind = match Wire::decode(message.stream, message.binary, &message.bytes)? {
            Wire::Message(message) => {
                json(&message)?.into_iter().skip(9).take_while(|b| *b != b'"').collect()
            }
            Wire::Membership(membership) => vec![b'm', b'0' + membership.data[0]],
            Wire::File(_) | Wire::Chunk(_) => continue,
        };
        let name = String::from_utf8(kind)?;
        if seen.insert(name.clone()) {
            put("wire", &format!("heard_{name}"), &message.bytes)?;
        }
    }
    for (name, words) in files() {
        put("wire", name, &words.encode().1)?;
    }
    for (name, message) in said()? {
        put("wire", name, &Wire::Message(message).encode().1)?;
    }
    Ok(())
}

/// What is said about files.
fn files() -> Vec<(&'static str, Wire)> {
    let id = TransferId([7; 16]);
    let (name, digest) = ("report.pdf".to_owned(), Digest::of(b"x"));
    let receipt = Box::new(house().peer.certificate.clone());
    vec![
        ("file_offer", Wire::File(Say::Offer { id, name, size: 1 << 20, digest })),
        ("file_accept", Wire::File(Say::Accept { id, from: CHUNK, upto: 2 * CHUNK })),
        ("file_credit", Wire::File(Say::Credit { id, kept: CHUNK, upto: 3 * CHUNK })),
        ("file_refuse", Wire::File(Say::Refuse { id, declined: Declined::new(Code::NoRoom, "it is full") })),
        ("file_cancel", Wire::File(Say::Cancel { id })),
        ("file_kept", Wire::File(Say::Kept { id, receipt })),
        ("file_piece", Wire::Chunk(Chunk { id, offset: CHUNK, data: vec![1; 40] })),
    ]
}

fn bodies() -> Result<Vec<(&'static str, Body)>, Box<dyn Error>> {
    let House { peer, .. } = house();
    let [grant, call, answer, ack, kept, pulses] = mesh_papers::genuine() else {
        return Err("there are six papers".into());
    };
    let manifest = peer.certificate.clone();
    Ok(vec![
        ("body_call", Body::Call { call: call.clone(), manifest, grant: grant.clone() }),
        ("body_answer", Body::Answer { answer: answer.clone() }),
        ("body_unroutable", Body::Unroutable { call: Digest::of(b"x"), reason: "no way".to_owned() }),
        ("body_pulses", Body::Pulses { batch: pulses.clone() }),
        ("body_acks", Body::Acks { acks: vec![ack.clone()] }),
        ("body_kept", Body::Kept { kept: kept.clone() }),
        (
            "body_settle",
            Body::Settle {
                answers: vec![answer.clone()],
                calls: vec![call.clone()],
                grants: vec![grant.clone()],
            },
        ),
    ])
}

fn said() -> Result<Vec<(&'static str, Message)>, Box<dyn Error>> {
    let House { me, peer, third, .. } = house();
    let versions = house().trust.chain().versions().to_vec();
    let list = Envelope::sign(REVOCATIONS_TYPE, &revoked(), &[&house().keys[&KeyRole::DeviceIssuer]])?;
    let mut said = vec![
        ("bye", Message::Bye { reason: "it is shutting down".to_owned() }),
        ("registry", Message::Registry { versions }),
        ("revocations", Message::Revocations { list }),
        ("notices", Message::Notices { notices: Vec::new() }),
    ];
    said.extend(words().into_iter().map(|(name, word)| (name, Message::Witness(Box::new(word)))));
    for (name, body) in bodies()? {
        let routed = Routed { from: peer.id(), to: me.id(), path: vec![third.id()], body };
        said.push((name, Message::Routed(Box::new(routed))));
    }
    Ok(said)
}

fn words() -> Vec<(&'static str, Word)> {
    let (origin, note) = ("log.example/a".to_owned(), NOTE.to_owned());
    let proof = ForkProof { origin: origin.clone(), note_a: note.clone(), note_b: note.clone() };
    vec![
        ("witness_cosign", Word::Cosign { request: format!("old 0\n\n{NOTE}") }),
        ("witness_stale", Word::Cosigned { origin: origin.clone(), answer: CosignAnswer::Stale(3) }),
        (
            "witness_line",
            Word::Cosigned { origin: origin.clone(), answer: CosignAnswer::Line("a\n".to_owned()) },
        ),
        ("witness_heads", Word::Heads { notes: vec![note] }),
        ("witness_prove", Word::Prove { origin: origin.clone(), from: 1, to: 3 }),
        ("witness_proof", Word::Proof { origin, from: 1, to: 3, proof: Some(vec![Digest::of(b"x")]) }),
        ("witness_forks", Word::Forks { proofs: vec![proof] }),
    ]
}

fn revoked() -> NodeRevocations {
    let entry = RevokedNode {
        did: house().third.id().to_string(),
        since: at("2027-03-01"),
        reason: "stolen".to_owned(),
    };
    NodeRevocations { version: 1, at: at("2027-03-02"), nodes: vec![entry] }
}

/// What real nodes heard, as steps; and one step of each kind.
fn rows(name: &str, heard: &[Heard]) -> Done {
    let mut row = Vec::new();
    let mut time = now();
    for message in heard {
        let kind = match (message.stream, message.binary) {
            (Stream::Control, false) => Kind::Control,
            (Stream::Control, true) => Kind::Binary,
            (Stream::Rpc, _) => Kind::Rpc,
            _ => Kind::Telemetry,
        };
        let tens = message.at.as_millisecond().saturating_sub(time.as_millisecond()) / 10;
        if tens > 0 {
            row.extend(step(Kind::Pass, 0, &u16::try_from(tens)?.to_be_bytes()));
            time = message.at;
        }
        row.extend(step(kind, message.from, &message.bytes));
        if row.len() > 14_000 {
            break;
        }
    }
    put("presence", name, &row)
}

fn steps(heard: &[Heard]) -> Done {
    let House { me, peer, third, .. } = house();
    let life = u64::try_from(now().as_millisecond())?;
    let record = |seq, neighbours| PresenceRecord {
        node: peer.id(),
        realm: mesh::Realm::of(&peer.manifest).tag(),
        seq,
        life,
        at: now(),
        until: at("2027-05-11"),
        capabilities: vec![Offering { skill: SKILL.to_owned(), sku: None, price: None }],
        neighbours,
        certificate: Envelope { payload_type: String::new(), payload: String::new(), signatures: Vec::new() },
    };
    let first = json(&record(1, vec![me.id(), third.id()]))?;
    let both =
        [step(Kind::Record, 0, &first), step(Kind::Record, 2, &json(&record(1, vec![peer.id()]))?)].concat();
    put("presence", "record", &both)?;
    let second = step(Kind::Record, 0, &json(&record(u64::MAX, Vec::new()))?);
    put("presence", "record_again", &[both.clone(), step(Kind::Again, 0, b""), second].concat())?;
    // The peer says that the third node is down (tag 9: gossip; state 2).
    let one = |member: &Member| [&member.id().bytes()[..], &life.to_be_bytes()].concat();
    let down = [vec![9, 0], one(peer), vec![0, 0], one(me), vec![0, 1], one(third), vec![0, 0, 2]].concat();
    let wait = step(Kind::Pass, 0, &[0, 100]);
    put("presence", "packet_down", &[both.clone(), step(Kind::Packet, 0, &down), wait].concat())?;
    let packets = heard.iter().filter(|message| message.binary && message.from == 0).take(8);
    let packets: Vec<u8> =
        packets.flat_map(|m| step(Kind::Packet, 0, m.bytes.get(74..).unwrap_or(&[]))).collect();
    put("presence", "packets", &[step(Kind::Record, 0, &first), packets].concat())?;
    for (name, body) in bodies()? {
        let twice = step(Kind::Body, 0, &json(&body)?).repeat(2);
        put("presence", name, &[both.clone(), twice, step(Kind::Pass, 0, &[1, 0])].concat())?;
    }
    let mut next = house().registry.clone();
    next.version = 2;
    let registry = step(Kind::Registry, 1, &json(&next)?);
    let revoked = step(Kind::Revocations, 1, &json(&revoked())?);
    put("presence", "registry", &[both.clone(), registry].concat())?;
    put("presence", "revocations", &[both, revoked].concat())
}

fn signals() -> Done {
    let genuine = signal::genuine();
    for (name, signed) in ["signed_offer", "signed_answer", "signed_candidates"].iter().zip(&genuine.signed) {
        put("signal", name, &signed.to_json())?;
    }
    put("signal", "offer", &json(&genuine.offer)?)?;
    put("signal", "answer", &json(&genuine.answer)?)?;
    put("signal", "candidates", &json(&genuine.candidates)?)?;
    let refused = Refused::of(signal::SESSION, &Refusal::WrongToken, 1);
    put("signal", "refused", &refused.to_json())?;
    let versions = house().trust.chain().versions().to_vec();
    put("signal", "refused_versions", &Refused { versions: versions.clone(), ..refused }.to_json())?;
    let behind = mesh::Signed { versions, ..genuine.signed[0].clone() };
    put("signal", "signed_versions", &behind.to_json())?;
    for (name, member) in ["me", "peer", "third", "platform", "stranger"].iter().zip(house().members()) {
        put("signal", &format!("manifest_{name}"), &json(&member.manifest)?)?;
    }
    Ok(())
}

fn relays() -> Done {
    let (node, gateway) = (house().me.id(), house().platform.id());
    let (raw, login) = (node.bytes(), relay::login());
    let observed = "[2001:db8::1]:4711".parse()?;
    let offer = signal::genuine().signed[0].to_json();
    let frames = [
        ("challenge", Frame::Challenge { gateway: gateway.bytes(), challenge: &relay::CHALLENGE }),
        ("login", Frame::Login { node: raw, login: &login }),
        ("welcome", Frame::Welcome { gateway: gateway.bytes(), observed }),
        ("refused", Frame::Refused { code: "expired", reason: "the manifest expired: enrol again" }),
        ("datagram", Frame::Datagram { node: raw, payload: &[1; 40] }),
        ("signal", Frame::Signal { node: raw, payload: &offer }),
        ("away", Frame::Away { node: raw }),
        ("ping", Frame::Ping([1; 8])),
        ("pong", Frame::Pong([2; 8])),
    ];
    for (name, frame) in frames {
        put("relay", name, &frame.encode())?;
    }
    put("relay", "login_alone", &login)?;
    let challenge = "09".repeat(relay::CHALLENGE.len());
    put("relay", "proof", &json(&LoginProof { challenge, node, gateway, url: relay::URL.to_owned() })?)
}

fn papers() -> Done {
    let (grant, call, answer) = mesh_papers::papers();
    let (ack, kept, pulses) = mesh_papers::others();
    put("mesh_papers", "grant", &json(&grant)?)?;
    put("mesh_papers", "call", &json(&call)?)?;
    put("mesh_papers", "ack", &json(&ack)?)?;
    put("mesh_papers", "kept", &json(&kept)?)?;
    put("mesh_papers", "pulses", &json(&pulses)?)?;
    put("mesh_papers", "papers", &json(&(&grant, &call, &answer))?)?;
    for (name, reply) in [
        ("papers_failed", mesh::Reply::Failed("no disk".to_owned())),
        ("papers_refused", mesh::Reply::Refused("not paid".to_owned())),
    ] {
        let answer = mesh::AnswerDoc { reply, receipt: None, ..answer.clone() };
        put("mesh_papers", name, &json(&(&grant, &call, &answer))?)?;
        // The answers that the peer could sign are those that name it.
        let peer = mesh::AnswerDoc { from: call.from, to: call.to, ..answer };
        put("mesh_papers", &name.replace("papers", "answer"), &json(&peer)?)?;
    }
    for (nth, envelope) in mesh_papers::genuine().iter().enumerate() {
        put("mesh_papers", &format!("signed_{nth}"), &json(envelope)?)?;
    }
    Ok(())
}

fn places() -> Done {
    for (name, text) in [
        ("address", "10.0.0.1:80"),
        ("token", "a.example:7000#abc"),
        ("hosts", "10.0.0.1:80,[fe80::1%3]:80#0f"),
        ("gateway", "wss://gate.example/v1/mesh/relay"),
        ("plain_gateway", "ws://127.0.0.1:1/v1/mesh/relay"),
        ("many", "a:1,b:2,c:3,d:4,e:5,f:6,g:7,h:8"),
    ] {
        put("place", name, text.as_bytes())?;
    }
    Ok(())
}

fn descriptions() -> Done {
    let ours = Session::offer(std::time::Instant::now(), Vec::new(), Arc::new(Flow::default()))?.1;
    put("sdp", "ours", ours.as_bytes())?;
    for (name, line) in [
        ("host", "candidate:1 1 udp 2113929471 203.0.113.100 10100 typ host"),
        ("name", "candidate:2 1 udp 2113937151 8f3a2b10-77aa-4c3d-9f00-0a1b2c3d4e5f.local 54321 typ host"),
        ("outside", "candidate:3 1 udp 1694498815 192.0.2.3 45664 typ srflx raddr 10.0.1.1 rport 8998"),
        ("relayed", "candidate:4 1 udp 1 100::1 9 typ relay raddr 100::1 rport 9 ufrag abcd"),
        ("tcp", "candidate:5 1 tcp 1518280447 10.0.0.1 9 typ host tcptype active generation 0"),
    ] {
        let text = format!("{ours}a={line}\r\na=end-of-candidates\r\n");
        put("sdp", name, text.as_bytes())?;
        put("sdp", &format!("{name}_alone"), format!("a={line}").as_bytes())?;
    }
    Ok(())
}

fn main() -> Done {
    let House { me, peer, platform, stranger, .. } = house();
    let heard = overheard(me, [peer, platform])?;
    wire(&heard)?;
    rows("heard_by_a_customer", &heard)?;
    rows("heard_by_the_platform", &overheard(platform, [peer, stranger])?)?;
    steps(&heard)?;
    signals()?;
    relays()?;
    papers()?;
    places()?;
    descriptions()
}
