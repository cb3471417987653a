use streamalert_proto::v1::Credit;

use crate::StreamLimits;

/// A client sent more than it had been granted. That is a defect of the client, and the stream ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "request of {weight_bytes} bytes sent without credit ({in_flight_batches} requests, {in_flight_bytes} bytes in flight)"
)]
pub(crate) struct Overrun {
    weight_bytes: u64,
    in_flight_batches: u64,
    in_flight_bytes: u64,
}

/// The server's account of one stream: what was granted, what is in flight, what is to be granted again.
///
/// Invariant: what was granted and not used, plus what is in flight or owed, is the window.
#[derive(Debug)]
pub(crate) struct Window {
    limits: StreamLimits,
    in_flight_bytes: u64,
    in_flight_batches: u64,
    owed: Credit,
}

impl Window {
    pub(crate) fn new(limits: StreamLimits) -> Self {
        Self {
            limits,
            in_flight_bytes: 0,
            in_flight_batches: 0,
            owed: Credit::default(),
        }
    }

    /// The first grant: the whole window.
    pub(crate) fn opening(&self) -> Credit {
        Credit {
            bytes: self.limits.window_bytes,
            batches: self.limits.window_batches,
            message_bytes_max: self.limits.message_bytes_max as u64,
        }
    }

    /// A request has come.
    pub(crate) fn admit(&mut self, weight_bytes: u64) -> Result<(), Overrun> {
        let bytes = self.in_flight_bytes.saturating_add(weight_bytes);
        let fits = self.in_flight_batches == 0 || bytes <= self.limits.window_bytes;
        if !fits || self.in_flight_batches >= self.limits.window_batches {
            let Self {
                in_flight_bytes,
                in_flight_batches,
                ..
            } = *self;
            return Err(Overrun {
                weight_bytes,
                in_flight_batches,
                in_flight_bytes,
            });
        }
        self.in_flight_bytes = bytes;
        self.in_flight_batches += 1;
        Ok(())
    }

    /// A request is answered: its share may be used again.
    pub(crate) fn finish(&mut self, weight_bytes: u64) {
        self.in_flight_bytes = self.in_flight_bytes.saturating_sub(weight_bytes);
        self.in_flight_batches = self.in_flight_batches.saturating_sub(1);
        self.owed.bytes = self.owed.bytes.saturating_add(weight_bytes);
        self.owed.batches += 1;
    }

    /// What is to be granted now, if anything.
    pub(crate) fn take_owed(&mut self) -> Option<Credit> {
        (self.owed.batches > 0).then(|| std::mem::take(&mut self.owed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(bytes: u64, batches: u64) -> Window {
        let limits = StreamLimits {
            window_bytes: bytes,
            window_batches: batches,
            ..StreamLimits::default()
        };
        Window::new(limits)
    }

    #[test]
    fn what_is_answered_is_granted_again_once() {
        let mut window = window(100, 10);
        window.admit(60).unwrap();
        window.admit(40).unwrap();
        window.finish(60);
        window.finish(40);
        let credit = window.take_owed().unwrap();
        assert_eq!((credit.bytes, credit.batches), (100, 2));
        assert_eq!(window.take_owed(), None);
    }

    #[test]
    fn a_request_larger_than_the_window_passes_alone() {
        let mut window = window(100, 10);
        window.admit(500).unwrap();
        assert!(window.admit(1).is_err());
        window.finish(500);
        assert_eq!(window.take_owed().unwrap().bytes, 500);
        window.admit(1).unwrap();
        assert!(window.admit(500).is_err());
    }

    #[test]
    fn more_requests_than_granted_are_an_overrun() {
        let mut window = window(100, 2);
        window.admit(1).unwrap();
        window.admit(1).unwrap();
        assert_eq!(
            window.admit(1).unwrap_err().to_string(),
            "request of 1 bytes sent without credit (2 requests, 2 bytes in flight)"
        );
    }
}
