//! The four data channels: which are open, and which sends next.

use str0m::channel::{ChannelId, Reliability};

use super::{Happened, NEAR, SEND_BUFFER_FAR, SEND_BUFFER_NEAR, Session, Stream};

impl Session {
    /// A channel is open. One that is none of ours, or is not reliable and ordered, stays unused.
    pub(super) fn opened(&mut self, id: ChannelId, label: &str) -> Option<Happened> {
        let stream = Stream::of_label(label)?;
        let channel = self.rtc.channel(id)?;
        let sound = channel.config().is_none_or(|c| c.ordered && c.reliability == Reliability::Reliable);
        let slot = &mut self.channels[stream as usize];
        if !sound || slot.is_some_and(|known| known != id) {
            self.end(format!(
                "the peer opened a {label} stream that is not reliable, not in order, or there already"
            ));
            return None;
        }
        *slot = Some(id);
        let all = self.channels;
        let ready = all.iter().all(|id| id.is_some_and(|id| self.rtc.channel(id).is_some()));
        if ready && !self.open {
            self.open = true;
            return Some(Happened::Open);
        }
        None
    }

    /// Gives the transport the next message, the streams in turn. Whether it took one.
    pub(super) fn pump(&mut self) -> bool {
        if !self.open || self.queues.iter().all(std::collections::VecDeque::is_empty) {
            return false;
        }
        let limit = if self.rtt.is_some_and(|rtt| rtt > NEAR) { SEND_BUFFER_FAR } else { SEND_BUFFER_NEAR };
        let ids = self.channels;
        let under_way: usize =
            ids.iter().flatten().filter_map(|id| Some(self.rtc.channel(*id)?.buffered_amount())).sum();
        if under_way >= limit {
            return false;
        }
        for step in 1..=4 {
            let at = (self.turn + step) % 4;
            let Some((binary, bytes)) = self.queues[at].pop_front() else { continue };
            let written =
                self.channels[at].and_then(|id| self.rtc.channel(id)).map(|mut c| c.write(binary, &bytes));
            match written {
                Some(Ok(true)) => {
                    self.turn = at;
                    self.flow.release(Stream::ALL[at], bytes.len());
                    return true;
                }
                Some(Ok(false)) => self.queues[at].push_front((binary, bytes)),
                Some(Err(error)) => self.end(format!("the transport failed: {error}")),
                None => self.end("a stream is closed".to_owned()),
            }
        }
        false
    }
}
