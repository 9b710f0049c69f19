//! One exchange with one witness (c2sp.org/tlog-witness, `add-checkpoint`): the proof from what it cosigned last, its answer, and the
//! check of the answer before anything is kept.

use std::fmt;
use std::sync::Arc;

use countersign_ledger::note::{self, unverified_text};
use countersign_ledger::proof::consistency_proof;
use countersign_ledger::witness::{AddCheckpoint, parse_size_body};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, StatusCode};

use crate::config::WitnessEndpoint;
use crate::engine::{Cosignature, Engine, EngineError};
use crate::outgoing;
use crate::store::{StoredCheckpoint, Tree};

/// The most that is read of an answer, bytes: some signature lines.
const MAX_ANSWER: usize = 16 * 1024;

/// The most that is told of an answer that was not understood, characters.
const MAX_QUOTED: usize = 120;

/// Why there is no cosignature.
#[derive(Debug)]
pub(super) enum Trouble {
    /// It does not answer.
    Unreachable(String),
    /// It answers, but gives no cosignature.
    Refused { status: StatusCode, words: String },
    /// What it gives is no cosignature of its own on this checkpoint.
    Unsigned(String),
    /// It says that it has cosigned more than there is.
    Ahead { cosigned: u64, size: u64 },
    /// It says that it has cosigned another history of this size.
    OtherHistory(u64),
    /// It does not stay with what it says it cosigned last.
    Undecided,
    /// This node cannot read or keep what it needs.
    Node(EngineError),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(why) => write!(f, "it does not answer: {why}"),
            Self::Refused { status, words } => write!(f, "it answers {status}: `{}`", words.escape_debug()),
            Self::Unsigned(why) => write!(f, "it gives no cosignature of its own on this checkpoint: {why}"),
            Self::Ahead { cosigned, size } => write!(
                f,
                "it says that it has cosigned {cosigned} entries and this log has {size}: is this an old copy of the log?"
            ),
            Self::OtherHistory(size) => {
                write!(f, "it says that it has cosigned another history of {size} entries")
            }
            Self::Undecided => f.write_str("it does not stay with what it says it cosigned last"),
            Self::Node(error) => write!(f, "{error}"),
        }
    }
}

impl From<EngineError> for Trouble {
    fn from(error: EngineError) -> Self {
        Self::Node(error)
    }
}

/// What a witness answers when it understands the question.
enum Reply {
    /// Signature lines.
    Lines(String),
    /// The size of what it cosigned last.
    Size(u64),
}

/// Whoever talks to witnesses.
pub(super) struct Asker {
    engine: Engine,
    client: Client,
}

impl Asker {
    pub(super) fn new(engine: Engine, client: Client) -> Self {
        Self { engine, client }
    }

    /// Gets the witness' cosignature of the checkpoint and has it kept. `known` is the size it is believed to have cosigned last.
    pub(super) async fn ask(
        &self,
        witness: &WitnessEndpoint,
        (checkpoint, known): (&StoredCheckpoint, u64),
    ) -> Result<Arc<StoredCheckpoint>, Trouble> {
        let size = checkpoint.size;
        let mut old = known.min(size);
        // A second time after it said where it is. It may have forgotten or been replaced: what it says counts, not what we remember.
        for _ in 0..2 {
            match self.post(witness, self.request(checkpoint, old).await?).await? {
                Reply::Lines(lines) => {
                    check(&checkpoint.note, (&lines, witness))?;
                    let cosignature = Cosignature { size, key: witness.key.clone(), lines };
                    return Ok(self.engine.keep(cosignature).await?);
                }
                Reply::Size(cosigned) if cosigned > size => return Err(Trouble::Ahead { cosigned, size }),
                Reply::Size(cosigned) if cosigned == old => return Err(Trouble::OtherHistory(cosigned)),
                Reply::Size(cosigned) => old = cosigned,
            }
        }
        Err(Trouble::Undecided)
    }

    async fn request(&self, checkpoint: &StoredCheckpoint, old: u64) -> Result<String, Trouble> {
        let size = checkpoint.size;
        let proof = if (1..size).contains(&old) {
            let made = self.engine.read(move |reader| Ok(consistency_proof(&Tree::over(reader), old, size)));
            made.await?.map_err(|error| EngineError::Unavailable(error.to_string()))?
        } else {
            Vec::new()
        };
        Ok(AddCheckpoint { old_size: old, proof, checkpoint: checkpoint.note.clone() }.to_string())
    }

    async fn post(&self, witness: &WitnessEndpoint, body: String) -> Result<Reply, Trouble> {
        let mut url = witness.url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push("add-checkpoint");
        }
        let sent =
            self.client.post(url).header(CONTENT_TYPE, "text/plain; charset=utf-8").body(body).send().await;
        // Without the address: it may carry a token.
        let answer = sent.map_err(|error| Trouble::Unreachable(told(&error.without_url())))?;
        let status = answer.status();
        let text = outgoing::beginning(answer, MAX_ANSWER).await;
        let text = String::from_utf8_lossy(&text).into_owned();
        match status {
            StatusCode::OK => Ok(Reply::Lines(text)),
            StatusCode::CONFLICT if let Some(size) = parse_size_body(&text) => Ok(Reply::Size(size)),
            _ => Err(Trouble::Refused { status, words: text.trim().chars().take(MAX_QUOTED).collect() }),
        }
    }
}

/// Believes nothing but a signature by the witness' own key on this very text.
fn check(note: &str, (lines, witness): (&str, &WitnessEndpoint)) -> Result<(), Trouble> {
    let unsigned = |error: note::NoteError| Trouble::Unsigned(error.to_string());
    let text = unverified_text(note).map_err(unsigned)?;
    let opened =
        note::open(&format!("{text}\n{lines}"), std::slice::from_ref(&witness.key)).map_err(unsigned)?;
    if opened.text == text {
        Ok(())
    } else {
        Err(Trouble::Unsigned("it answers with more than signatures".into()))
    }
}

/// An error with its causes; the outermost alone says only that something failed.
fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text
}
