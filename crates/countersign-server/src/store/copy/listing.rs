//! What both stores list after a copy, page by page, and whether it is the same.

use std::ops::Range;

use super::{CopyError, Side, Target, Whole};
use crate::store::{Details, Reader, Redaction, StoreError, StoredEntry};

/// Some entries and what stands beside each.
#[derive(PartialEq, Eq)]
pub(super) struct Stretch {
    pub entries: Vec<StoredEntry>,
    details: Vec<(u64, Details)>,
    redactions: Vec<Redaction>,
}

/// The entries of a range, as far as there are any.
pub(super) fn stretch<R: Reader + ?Sized>(reader: &mut R, range: Range<u64>) -> Result<Stretch, StoreError> {
    let count = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX);
    Ok(Stretch {
        entries: reader.entries(range.start, count)?,
        details: reader.details_in(range.clone())?,
        redactions: reader.redactions_in(range)?,
    })
}

/// What is listed beside the entries.
#[derive(Clone, Copy)]
pub(super) enum Listing {
    Blobs,
    Records,
    Answers,
    Checkpoints,
    Sealed,
}

impl Listing {
    pub(super) const ALL: [Self; 5] =
        [Self::Blobs, Self::Records, Self::Answers, Self::Checkpoints, Self::Sealed];

    /// For people.
    fn what(self) -> &'static str {
        match self {
            Self::Blobs => "policies",
            Self::Records => "records",
            Self::Answers => "idempotency keys",
            Self::Checkpoints => "checkpoints",
            Self::Sealed => "sealed secrets",
        }
    }

    /// Reads both to the end of this listing.
    pub(super) fn compare(
        self,
        (source, target): (&mut dyn Whole, &mut dyn Target),
        limit: usize,
    ) -> Result<(), CopyError> {
        let differ = |place: String| CopyError::Differs { what: self.what(), place };
        match self {
            Self::Blobs => {
                let mut after = None;
                loop {
                    let here = source.blobs_after(after, 1).map_err(Side::Source.says())?;
                    let there = target.blobs_after(after, 1).map_err(Side::Target.says())?;
                    if here != there {
                        return Err(differ(
                            after.map_or_else(|| "the first".to_owned(), |it| format!("after {it}")),
                        ));
                    }
                    let Some((last, _)) = here.last() else { return Ok(()) };
                    after = Some(*last);
                }
            }
            Self::Records => pages(differ, |(kind, id)| {
                let here = source.records_after((kind, id), limit).map_err(Side::Source.says())?;
                let there = target.records_after((kind, id), limit).map_err(Side::Target.says())?;
                let last = here.last().map(|record| (record.kind.to_owned(), record.id.clone()));
                Ok((here == there, last))
            }),
            Self::Answers => pages(differ, |(actor, key)| {
                let here = source.answers_after((actor, key), limit).map_err(Side::Source.says())?;
                let there = target.answers_after((actor, key), limit).map_err(Side::Target.says())?;
                let last = here.last().map(|answer| (answer.actor.clone(), answer.key.clone()));
                Ok((here == there, last))
            }),
            Self::Checkpoints => {
                let mut after = 0;
                loop {
                    let here = source.checkpoints(after, limit).map_err(Side::Source.says())?;
                    let there = target.checkpoints(after, limit).map_err(Side::Target.says())?;
                    if here != there {
                        return Err(differ(format!("above {after} entries")));
                    }
                    let Some(last) = here.last() else { return Ok(()) };
                    after = last.size;
                }
            }
            Self::Sealed => {
                let (here, there) = (source.sealed(), target.sealed());
                let same = here.map_err(Side::Source.says())? == there.map_err(Side::Target.says())?;
                if same { Ok(()) } else { Err(differ("all".to_owned())) }
            }
        }
    }
}

/// Goes through pages by their last two keys, as long as they are the same.
fn pages(
    differ: impl Fn(String) -> CopyError,
    mut page: impl FnMut((&str, &str)) -> Result<(bool, Option<(String, String)>), CopyError>,
) -> Result<(), CopyError> {
    let mut after = (String::new(), String::new());
    loop {
        let (same, last) = page((&after.0, &after.1))?;
        if !same {
            return Err(differ(format!("after `{} {}`", after.0, after.1)));
        }
        let Some(last) = last else { return Ok(()) };
        after = last;
    }
}
