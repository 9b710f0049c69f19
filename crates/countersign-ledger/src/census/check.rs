//! Verifies what a census is claimed to say of a subject.

use super::{Answer, Census, CensusError, Placed, Row};
use crate::hash::leaf_hash;
use crate::proof::verify_inclusion;

impl Census {
    /// Checks an answer about a subject: its row, or nothing if the census shows that it has no entry.
    ///
    /// # Errors
    /// The answer does not follow from this census, or is about other subjects.
    pub fn check<'a>(&self, subject: &str, answer: &'a Answer) -> Result<Option<&'a Row>, CensusError> {
        match answer {
            Answer::Present(placed) if placed.row.subject == subject => {
                self.check_placed(placed)?;
                Ok(Some(&placed.row))
            }
            Answer::Present(_) => Err(CensusError::OtherSubject),
            Answer::Absent { before, after } => {
                self.check_absent(subject, (before.as_ref(), after.as_ref())).map(|()| None)
            }
        }
    }

    fn check_absent(
        &self,
        subject: &str,
        (before, after): (Option<&Placed>, Option<&Placed>),
    ) -> Result<(), CensusError> {
        let stands_before = before.is_none_or(|before| before.row.subject.as_str() < subject);
        let stands_after = after.is_none_or(|after| after.row.subject.as_str() > subject);
        if !(stands_before && stands_after) {
            return Err(CensusError::OtherSubject);
        }
        // The rank at which the subject would stand, as either neighbour tells it: the end of the rows if there is none after it.
        let after_before = before.map_or(Some(0), |before| before.rank.checked_add(1));
        let place = after.map_or(self.subjects, |after| after.rank);
        if after_before != Some(place) {
            let empty = before.is_none() && after.is_none();
            return Err(if empty { CensusError::NotEmpty } else { CensusError::NotAdjacent });
        }
        before.into_iter().chain(after).try_for_each(|placed| self.check_placed(placed))
    }

    fn check_placed(&self, placed: &Placed) -> Result<(), CensusError> {
        let leaf = leaf_hash(&placed.row.leaf()?);
        verify_inclusion(leaf, placed.rank, self.subjects, &placed.proof, &self.root_sha256)
            .map_err(CensusError::Proof)
    }
}
