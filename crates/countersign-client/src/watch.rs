//! Watching a request: the server's events, one after another, across connections that end.
//!
//! A connection that ends before the request has is begun again after the last event that was seen, so nothing is missed and nothing comes
//! twice. Whether the server is still there is told by its comments: silence for longer than those ends a connection too.

use std::time::Duration;

use countersign_api::approval::Watched;
use reqwest::Response;

use crate::{Client, ClientError};

/// How long the server may say nothing: it sends a comment every 15 seconds.
const SILENCE: Duration = Duration::from_secs(45);

/// The first wait before a connection is begun again; each further one is twice as long, up to the longest.
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Connections in a row that brought nothing before the watch gives up.
const MOST_IN_VAIN: u32 = 8;

/// The longest event, bytes.
const MOST: usize = 1 << 20;

/// What happens to one request.
#[derive(Debug)]
pub struct Watch<'c> {
    client: &'c Client,
    id: String,
    last: Option<u64>,
    answer: Option<Response>,
    buffer: Vec<u8>,
    in_vain: u32,
    over: bool,
}

impl<'c> Watch<'c> {
    pub(crate) fn new(client: &'c Client, id: &str) -> Self {
        Self {
            client,
            id: id.to_owned(),
            last: None,
            answer: None,
            buffer: Vec::new(),
            in_vain: 0,
            over: false,
        }
    }

    /// The next event, the first of which is the last that happened so far; none once the request has ended.
    ///
    /// # Errors
    /// The server says no, or could not be reached for a while.
    pub async fn next(&mut self) -> Result<Option<Watched>, ClientError> {
        loop {
            if let Some(watched) = self.taken()? {
                self.last = Some(watched.index);
                self.in_vain = 0;
                self.over = watched.approval.as_ref().is_some_and(|approval| !waits(&approval.status));
                return Ok(Some(watched));
            }
            if self.over && self.answer.is_none() {
                return Ok(None);
            }
            if let Err(error) = self.more().await {
                self.answer = None;
                self.buffer.clear();
                self.in_vain += 1;
                let again = matches!(error, ClientError::Unreachable { .. });
                if !again || self.in_vain > MOST_IN_VAIN {
                    return Err(error);
                }
                let wait = FIRST_WAIT.saturating_mul(1 << self.in_vain.min(6));
                tokio::time::sleep(wait.min(LONGEST_WAIT)).await;
            }
        }
    }

    /// Reads on, or begins a connection.
    async fn more(&mut self) -> Result<(), ClientError> {
        let Some(answer) = &mut self.answer else {
            self.answer = Some(self.client.open_watch(&self.id, self.last).await?);
            return Ok(());
        };
        let chunk = tokio::time::timeout(SILENCE, answer.chunk()).await;
        match chunk {
            Ok(Ok(Some(chunk))) if self.buffer.len() + chunk.len() <= MOST => {
                self.buffer.extend_from_slice(&chunk);
                Ok(())
            }
            Ok(Ok(Some(_))) => Err(self.client.odd(format!("an event of more than {MOST} bytes"))),
            Ok(Ok(None)) => {
                self.answer = None;
                self.ended().await
            }
            Ok(Err(error)) => Err(self.client.cut_off(Box::new(error.without_url()))),
            Err(silence) => Err(self.client.cut_off(Box::new(silence))),
        }
    }

    /// The server ended the connection: because the request has ended, or because the server does.
    async fn ended(&mut self) -> Result<(), ClientError> {
        self.over = self.over || !waits(&self.client.approval(&self.id).await?.status);
        if self.over { Ok(()) } else { Err(self.client.cut_off("the server ended the connection".into())) }
    }

    /// The first whole event of what was read, without comments.
    fn taken(&mut self) -> Result<Option<Watched>, ClientError> {
        while let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\n\n") {
            let block: Vec<u8> = self.buffer.drain(..end + 2).collect();
            let text = String::from_utf8_lossy(&block);
            let Some(data) = text.lines().find_map(|line| line.strip_prefix("data: ")) else {
                // A comment: the server is there.
                self.in_vain = 0;
                continue;
            };
            let watched = serde_json::from_str(data);
            return watched
                .map(Some)
                .map_err(|error| self.client.odd(format!("an event that is none: {error}")));
        }
        Ok(None)
    }
}

/// Whether something may still happen to a request in this state.
fn waits(status: &str) -> bool {
    matches!(status, "pending" | "approved")
}
