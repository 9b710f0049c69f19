//! The report: a page for people, rendered from the bundle alone, so that whoever verifies the bundle can render it again.
//!
//! It shows what the entries say; whether they are authentic and allowed it does not say, because a page cannot vouch for itself. Every
//! text from elsewhere is escaped, with invisible and bidirectional characters made visible.
//!
//! # Layout
//! - `content`: what the page shows, worked out from the entries
//! - `templates/report.html`: how

use askama::Template;
use countersign_ledger::checkpoint::Checkpoint;

use crate::bundle::{Bundle, Completeness};
use crate::text::visible;
use crate::verify::{self, Case};

mod content;

use content::Content;

/// Why there is no report.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// The bundle's entries cannot be read.
    #[error("the entries cannot be read: {0}")]
    Entries(#[from] verify::Lie),
    /// The checkpoint cannot be read.
    #[error("the checkpoint cannot be read: {0}")]
    Checkpoint(String),
    /// The evidence cannot be written.
    #[error("the evidence cannot be written: {0}")]
    Evidence(String),
    /// The page cannot be written.
    #[error("the page cannot be written: {0}")]
    Page(String),
}

/// What writes bundles: name and version. Pages are compared only with those of the same.
#[must_use]
pub fn generator() -> String {
    concat!("countersign ", env!("CARGO_PKG_VERSION")).to_owned()
}

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    generator: String,
    scope: String,
    origin: String,
    size: u64,
    root: String,
    completeness: String,
    content: Content,
    checkpoint: String,
    evidence: &'a str,
}

/// The page of a case, with its evidence as text that is safe within a block of data.
pub(crate) fn page(case: &Case<'_>, evidence: &str) -> Result<String, ReportError> {
    let bundle = case.bundle;
    // The text before the first signature; whether the signatures hold is not the report's business.
    let text = bundle.checkpoint.rsplit_once("\n\n").map_or("", |(text, _)| text);
    let checkpoint = Checkpoint::parse(&format!("{text}\n"))
        .map_err(|error| ReportError::Checkpoint(error.to_string()))?;
    let page = Page {
        generator: visible(&bundle.generator),
        scope: visible(&bundle.scope.to_string()),
        origin: visible(&checkpoint.origin),
        size: checkpoint.size,
        root: checkpoint.root.to_string(),
        completeness: completeness(bundle),
        content: Content::of(case)?,
        checkpoint: lines(&bundle.checkpoint),
        evidence,
    };
    page.render().map_err(|error| ReportError::Page(error.to_string()))
}

fn completeness(bundle: &Bundle) -> String {
    match &bundle.completeness {
        Completeness::EveryLeaf => {
            "The bundle holds every leaf of the log up to the checkpoint: nothing in the scope can have been left out.".to_owned()
        }
        Completeness::Census { size, .. } => format!(
            "The bundle holds every leaf from {size} on, and a census in the log counts the entries before it: of the subjects shown nothing can have been left out."
        ),
        Completeness::NotShown { why } => format!("Completeness: not shown. {}", visible(why)),
    }
}

/// Text of several lines, each made visible.
fn lines(text: &str) -> String {
    text.lines().map(visible).collect::<Vec<_>>().join("\n")
}
