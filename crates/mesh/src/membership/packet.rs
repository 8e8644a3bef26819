//! The wire form of a membership packet: fixed sizes, so that a packet can be read, and cleaned of nodes that were not
//! admitted, before the protocol sees any of it.
//!
//! Head: tag (1), probe number (1), sender (40), its incarnation (2), receiver (40), a third node (40) where the tag has
//! one. Then, where the message carries updates, how many (2, big-endian) and each in 43 bytes. A node is its key (32)
//! and its life (8, big-endian).

use bytes::{Buf, BufMut};
use foca::{Codec, Header, Identity, Member, Message, State};

use crate::NodeId;

/// A node in one of its lives: who comes back after it was declared down is the same node with a later life.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) node: NodeId,
    /// The milliseconds of its start by its own clock; one more each time it was wrongly declared down.
    pub(crate) life: u64,
}

impl std::fmt::Debug for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} ({})", self.node, self.life)
    }
}

impl Identity for Peer {
    type Addr = NodeId;

    fn renew(&self) -> Option<Self> {
        Some(Self { node: self.node, life: self.life.checked_add(1)? })
    }

    fn addr(&self) -> NodeId {
        self.node
    }

    fn win_addr_conflict(&self, adversary: &Self) -> bool {
        self.life > adversary.life
    }
}

/// The most bytes of a packet.
pub(crate) const MAX_PACKET: usize = 2_000;
const PEER: usize = 40;
const MEMBER: usize = PEER + 3;

/// Why bytes are no packet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a membership packet: {0}")]
pub struct PacketError(&'static str);

pub(crate) struct Fixed;

impl Codec<Peer> for Fixed {
    type Error = PacketError;

    fn encode_header(&mut self, header: &Header<Peer>, mut buf: impl BufMut) -> Result<(), PacketError> {
        let (tag, probe, third) = tagged(&header.message);
        let length = 4 + PEER * if third.is_some() { 3 } else { 2 };
        if buf.remaining_mut() < length {
            return Err(PacketError("no room for the head"));
        }
        buf.put_u8(tag);
        buf.put_u8(probe);
        put_peer(&mut buf, &header.src);
        buf.put_u16(header.src_incarnation);
        put_peer(&mut buf, &header.dst);
        if let Some(third) = third {
            put_peer(&mut buf, &third);
        }
        Ok(())
    }

    fn decode_header(&mut self, mut buf: impl Buf) -> Result<Header<Peer>, PacketError> {
        if buf.remaining() < 4 + 2 * PEER {
            return Err(PacketError("the head is cut"));
        }
        let (tag, probe_number) = (buf.get_u8(), buf.get_u8());
        let src = get_peer(&mut buf);
        let src_incarnation = buf.get_u16();
        let dst = get_peer(&mut buf);
        let mut third = || {
            if buf.remaining() < PEER { Err(PacketError("the head is cut")) } else { Ok(get_peer(&mut buf)) }
        };
        let message = match tag {
            1 => Message::Ping(probe_number),
            2 => Message::Ack(probe_number),
            3 => Message::PingReq { target: third()?, probe_number },
            4 => Message::IndirectPing { origin: third()?, probe_number },
            5 => Message::IndirectAck { target: third()?, probe_number },
            6 => Message::ForwardedAck { origin: third()?, probe_number },
            7 => Message::Announce,
            8 => Message::Feed,
            9 => Message::Gossip,
            10 => Message::TurnUndead,
            _ => return Err(PacketError("the kind is not known")),
        };
        Ok(Header { src, src_incarnation, dst, message })
    }

    fn encode_member(&mut self, member: &Member<Peer>, mut buf: impl BufMut) -> Result<(), PacketError> {
        if buf.remaining_mut() < MEMBER {
            return Err(PacketError("no room for a member"));
        }
        put_peer(&mut buf, member.id());
        buf.put_u16(member.incarnation());
        buf.put_u8(match member.state() {
            State::Alive => 0,
            State::Suspect => 1,
            State::Down => 2,
        });
        Ok(())
    }

    fn decode_member(&mut self, mut buf: impl Buf) -> Result<Member<Peer>, PacketError> {
        if buf.remaining() < MEMBER {
            return Err(PacketError("a member is cut"));
        }
        let peer = get_peer(&mut buf);
        let incarnation = buf.get_u16();
        let state = match buf.get_u8() {
            0 => State::Alive,
            1 => State::Suspect,
            2 => State::Down,
            _ => return Err(PacketError("the state is not known")),
        };
        Ok(Member::new(peer, incarnation, state))
    }
}

/// A packet, read whole.
pub(crate) struct Packet {
    pub(crate) header: Header<Peer>,
    pub(crate) updates: Vec<Member<Peer>>,
}

impl Packet {
    /// Reads `data`; anything left over is refused.
    pub(crate) fn read(mut data: &[u8]) -> Result<Self, PacketError> {
        if data.len() > MAX_PACKET {
            return Err(PacketError("it is too large"));
        }
        let header = Fixed.decode_header(&mut data)?;
        let mut updates = Vec::new();
        if data.len() >= 2 {
            let count = data.get_u16();
            if data.len() != usize::from(count) * MEMBER {
                return Err(PacketError("its length does not fit its count"));
            }
            for _ in 0..count {
                updates.push(Fixed.decode_member(&mut data)?);
            }
        }
        if data.is_empty() { Ok(Self { header, updates }) } else { Err(PacketError("bytes are left over")) }
    }

    /// The third node that it speaks of, where its kind has one.
    pub(crate) fn third(&self) -> Option<Peer> {
        tagged(&self.header.message).2
    }

    /// The packet as bytes.
    pub(crate) fn write(&self) -> Result<Vec<u8>, PacketError> {
        let mut out = Vec::with_capacity(MAX_PACKET);
        Fixed.encode_header(&self.header, &mut out)?;
        if !matches!(self.header.message, Message::Announce | Message::TurnUndead) {
            let count = u16::try_from(self.updates.len()).map_err(|_| PacketError("too many members"))?;
            out.put_u16(count);
            for update in &self.updates {
                Fixed.encode_member(update, &mut out)?;
            }
        }
        Ok(out)
    }
}

fn tagged(message: &Message<Peer>) -> (u8, u8, Option<Peer>) {
    match message {
        Message::Ping(probe) => (1, *probe, None),
        Message::Ack(probe) => (2, *probe, None),
        Message::PingReq { target, probe_number } => (3, *probe_number, Some(*target)),
        Message::IndirectPing { origin, probe_number } => (4, *probe_number, Some(*origin)),
        Message::IndirectAck { target, probe_number } => (5, *probe_number, Some(*target)),
        Message::ForwardedAck { origin, probe_number } => (6, *probe_number, Some(*origin)),
        Message::Announce => (7, 0, None),
        Message::Feed => (8, 0, None),
        // Custom broadcasts are not used here; as gossip one would say nothing.
        Message::Gossip | Message::Broadcast => (9, 0, None),
        Message::TurnUndead => (10, 0, None),
    }
}

fn put_peer(buf: &mut impl BufMut, peer: &Peer) {
    buf.put_slice(&peer.node.bytes());
    buf.put_u64(peer.life);
}

/// Whether the bytes are a key is not looked at: only nodes that were admitted, and so are known by a real key, pass
/// [`super::Members::receive`].
fn get_peer(buf: &mut impl Buf) -> Peer {
    let mut bytes = [0; 32];
    buf.copy_to_slice(&mut bytes);
    Peer { node: NodeId::unchecked(bytes), life: buf.get_u64() }
}

#[cfg(test)]
mod tests {
    use echo_core::SeededEntropy;
    use proptest::prelude::*;
    use trust::KeyPair;

    use super::*;

    fn peer(seed: u64) -> Peer {
        Peer { node: NodeId::of(&KeyPair::generate(&SeededEntropy::new(seed)).public()), life: seed }
    }

    #[test]
    fn a_packet_reads_back_as_it_was_written() {
        let header = Header {
            src: peer(1),
            src_incarnation: 7,
            dst: peer(2),
            message: Message::PingReq { target: peer(3), probe_number: 9 },
        };
        let updates = vec![Member::new(peer(4), 1, State::Suspect), Member::new(peer(5), 2, State::Down)];
        let bytes = Packet { header: header.clone(), updates: updates.clone() }.write().unwrap();
        let read = Packet::read(&bytes).unwrap();
        assert_eq!((read.header, read.updates), (header, updates));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            if let Ok(packet) = Packet::read(&bytes) {
                prop_assert!(packet.updates.len() <= MAX_PACKET / MEMBER);
            }
        }

        #[test]
        fn a_packet_that_is_cut_or_has_more_is_refused(cut in 1_usize..120, more in 1_usize..42) {
            let header =
                Header { src: peer(1), src_incarnation: 0, dst: peer(2), message: Message::Gossip };
            let whole = Packet { header, updates: vec![Member::alive(peer(3))] }.write().unwrap();
            let at = whole.len() - cut;
            // Without its updates and their count it is a packet again.
            if at != 4 + 2 * PEER {
                prop_assert!(Packet::read(&whole[..at]).is_err());
            }
            let mut longer = whole;
            longer.extend(vec![0; more]);
            prop_assert!(Packet::read(&longer).is_err());
        }
    }
}
