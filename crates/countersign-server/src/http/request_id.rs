//! What a request is called: 64 random bits, drawn here, so that nobody can choose what a log line says.
//!
//! They are asked of the operating system for many requests at once, by each thread for itself: a question costs more than everything else about an id.

use std::cell::RefCell;
use std::fmt;

use axum::http::HeaderValue;

/// Random bytes in an id.
const BYTES: usize = 8;

/// Ids for which one question is enough.
const AT_ONCE: usize = 64;

const PREFIX: &[u8; 4] = b"req_";

/// Characters of an id.
const LENGTH: usize = PREFIX.len() + 2 * BYTES;

const DIGITS: &[u8; 16] = b"0123456789abcdef";

thread_local! {
    static DRAWN: RefCell<Drawn> = const { RefCell::new(Drawn { bytes: [0; AT_ONCE * BYTES], left: 0 }) };
}

/// Randomness at hand. It is no secret: all of it is told to whoever asks.
struct Drawn {
    bytes: [u8; AT_ONCE * BYTES],
    /// Ids that can be made of the beginning of it.
    left: usize,
}

impl Drawn {
    fn next(&mut self) -> Option<[u8; BYTES]> {
        if self.left == 0 {
            getrandom::fill(&mut self.bytes).ok()?;
            self.left = AT_ONCE;
        }
        self.left -= 1;
        self.bytes.chunks_exact(BYTES).nth(self.left)?.try_into().ok()
    }
}

/// The name of one request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct RequestId(Option<[u8; LENGTH]>);

impl RequestId {
    /// Without randomness the request is answered all the same.
    pub(super) fn draw() -> Self {
        Self(DRAWN.with_borrow_mut(Drawn::next).map(|random| {
            let mut text = [0; LENGTH];
            let (prefix, hex) = text.split_at_mut(PREFIX.len());
            prefix.copy_from_slice(PREFIX);
            for (pair, byte) in hex.chunks_exact_mut(2).zip(random) {
                let digits = [byte >> 4, byte & 0xf].map(|half| DIGITS[usize::from(half)]);
                pair.copy_from_slice(&digits);
            }
            text
        }))
    }

    pub(super) fn as_str(&self) -> &str {
        let drawn = self.0.as_ref().and_then(|text| std::str::from_utf8(text).ok());
        drawn.unwrap_or("req_unknown")
    }

    pub(super) fn header(&self) -> Option<HeaderValue> {
        HeaderValue::from_str(self.as_str()).ok()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_requests_have_one_name_on_any_thread() {
        let draw = || (0..10 * AT_ONCE).map(|_| RequestId::draw().to_string()).collect::<Vec<_>>();
        let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(draw)).collect();
        let mut all: Vec<String> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        all.extend(draw());
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
        let random = |id: &String| {
            id.strip_prefix("req_")
                .is_some_and(|rest| rest.len() == 16 && rest.chars().all(|c| c.is_ascii_hexdigit()))
        };
        assert!(all.iter().all(random), "{:?}", all.first());
        assert_eq!(RequestId(None).header().unwrap(), "req_unknown");
    }
}
