//! The form of a bundle: a page that shows the report in any browser, with the evidence itself in a block of data.
//!
//! One file for people and programs, so that the two cannot be separated. The page has no script and loads nothing. The data are
//! strict JSON; every `<` in them is written `\u003c`, so no text in them can end the block.

use countersign_ledger::json;
use serde::Deserialize;

use super::{Bundle, VERSION};
use crate::report::{self, ReportError};
use crate::verify::Case;

/// The largest file that is read, bytes.
pub const MAX_BUNDLE: usize = 512 << 20;

/// What stands before the data, on a line of its own; once in a file.
pub(crate) const BEGIN: &str =
    "<script type=\"application/vnd.countersign.evidence+json\" id=\"evidence\">\n";

/// What stands after the data.
pub(crate) const END: &str = "\n</script>\n";

/// Why a file is not a bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// It is larger than [`MAX_BUNDLE`].
    #[error("the file has {0} bytes, a bundle has at most {MAX_BUNDLE}")]
    TooLarge(usize),
    /// There is not exactly one block of evidence in it.
    #[error("not an evidence bundle: {0}")]
    Block(&'static str),
    /// The data are not strict JSON.
    #[error("the evidence is not strict JSON: {0}")]
    Json(#[from] json::JsonError),
    /// The data are not those of a bundle.
    #[error("the evidence does not have the form of a bundle: {0}")]
    Form(String),
    /// It is of a version that is not known here.
    #[error("the bundle is of version {0}, this program knows version {VERSION}")]
    Version(u32),
}

/// The one member that every version has.
#[derive(Deserialize)]
struct Claimed {
    countersign_evidence: u32,
}

/// Reads the evidence out of a file. The page around it is not looked at.
///
/// # Errors
/// The file has no block of evidence or more than one, or the data are malformed or of another version.
pub fn parse(file: &[u8]) -> Result<Bundle, BundleError> {
    if file.len() > MAX_BUNDLE {
        return Err(BundleError::TooLarge(file.len()));
    }
    let text = std::str::from_utf8(file).map_err(|_| BundleError::Block("it is not UTF-8 text"))?;
    let (_, after) = text.split_once(BEGIN).ok_or(BundleError::Block("it has no block of evidence"))?;
    if after.contains(BEGIN.trim_end()) {
        return Err(BundleError::Block("it has several blocks of evidence"));
    }
    let (data, _) = after.split_once(END).ok_or(BundleError::Block("the block of evidence does not end"))?;
    json::validate(data.as_bytes())?;
    let form = |error: serde_json::Error| BundleError::Form(error.to_string());
    // Looked at first: a later version must be named as such and not as a malformed one.
    match serde_json::from_str::<Claimed>(data).map_err(form)?.countersign_evidence {
        VERSION => serde_json::from_str(data).map_err(form),
        other => Err(BundleError::Version(other)),
    }
}

/// The file of a bundle: the page with the report and the evidence.
///
/// # Errors
/// The report cannot be made of what the bundle holds.
pub fn print(bundle: &Bundle) -> Result<String, ReportError> {
    print_case(&Case::of(bundle)?)
}

/// The file of a bundle whose entries are read already.
pub(crate) fn print_case(case: &Case<'_>) -> Result<String, ReportError> {
    let data =
        serde_json::to_string(case.bundle).map_err(|error| ReportError::Evidence(error.to_string()))?;
    // Outside of strings JSON has no `<`, and in strings the escape means the same.
    report::page(case, &data.replace('<', "\\u003c"))
}
