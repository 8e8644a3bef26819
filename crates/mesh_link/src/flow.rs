//! How much waits on the streams of a link: counted where it is handed over, so that a full stream is known at once.

use std::sync::atomic::{AtomicUsize, Ordering};

use mesh::Stream;
use tokio::sync::Notify;

/// The most bytes that wait on one stream of a link; each message counts [`PER_MESSAGE`] more than it holds.
pub const MAX_WAITING: usize = 1024 * 1024;
/// What a message counts beside its bytes.
pub const PER_MESSAGE: usize = 64;

/// A stream has no room now. Nothing was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    /// Too much waits already: wait for room, or shut the link.
    #[error("{MAX_WAITING} bytes wait on the {0} stream, which is the most: the other end is too slow")]
    Waiting(&'static str),
    /// The message is larger than the stream takes.
    #[error("{bytes} bytes on the {stream} stream, which takes {most} at most")]
    Oversize {
        /// Its bytes.
        bytes: usize,
        /// The stream.
        stream: &'static str,
        /// The bound.
        most: usize,
    },
    /// There is no such link any more.
    #[error("the link is gone")]
    Gone,
}

/// What waits on the four streams of one link.
#[derive(Debug, Default)]
pub struct Flow {
    waiting: [AtomicUsize; 4],
    room: Notify,
}

impl Flow {
    /// Counts a message in, when there is room for it.
    pub fn take(&self, stream: Stream, bytes: usize) -> Result<(), Full> {
        let most = stream.max_message();
        if bytes > most {
            return Err(Full::Oversize { bytes, stream: stream.label(), most });
        }
        let counted = &self.waiting[stream as usize];
        let grown = counted.fetch_add(bytes + PER_MESSAGE, Ordering::AcqRel) + bytes + PER_MESSAGE;
        if grown > MAX_WAITING {
            counted.fetch_sub(bytes + PER_MESSAGE, Ordering::AcqRel);
            return Err(Full::Waiting(stream.label()));
        }
        Ok(())
    }

    /// Counts a message out: the transport has it.
    pub fn release(&self, stream: Stream, bytes: usize) {
        self.waiting[stream as usize].fetch_sub(bytes + PER_MESSAGE, Ordering::AcqRel);
        self.room.notify_waiters();
    }

    /// Waits until a stream has room for its largest message. It may be taken by somebody else by then.
    pub async fn room(&self, stream: Stream) {
        loop {
            let freed = self.room.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            let waiting = self.waiting[stream as usize].load(Ordering::Acquire);
            if waiting + stream.max_message() + PER_MESSAGE <= MAX_WAITING {
                return;
            }
            freed.await;
        }
    }

    /// Nobody waits any longer: the link is gone.
    pub fn shut(&self) {
        for counted in &self.waiting {
            counted.store(0, Ordering::Release);
        }
        self.room.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_full_at_its_bound_and_has_room_again_when_the_transport_took_something() {
        let flow = Flow::default();
        let size = Stream::Bulk.max_message();
        let mut taken = 0;
        while flow.take(Stream::Bulk, size).is_ok() {
            taken += 1;
        }
        assert_eq!(taken, MAX_WAITING / (size + PER_MESSAGE));
        assert_eq!(flow.take(Stream::Bulk, size), Err(Full::Waiting("bulk")));
        assert_eq!(flow.take(Stream::Control, 10), Ok(()), "streams do not share their room");
        flow.release(Stream::Bulk, size);
        assert_eq!(flow.take(Stream::Bulk, size), Ok(()));
    }

    #[test]
    fn a_message_above_the_stream_s_bound_never_goes_out() {
        let flow = Flow::default();
        let size = Stream::Control.max_message() + 1;
        assert!(matches!(flow.take(Stream::Control, size), Err(Full::Oversize { .. })));
    }
}
