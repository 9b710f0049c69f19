//! Rules broken on purpose, to show that the judge bites.

use countersign_core::sabotage::{ALL, Sabotage};

/// What is broken beyond what is simulated: the disk's own promises, sockets, and other people's witnesses.
const ELSEWHERE: [Sabotage; 3] =
    [Sabotage::SynchronousOff, Sabotage::InventedOutcome, Sabotage::ForgetfulWitness];

/// The names of the defects that a simulation must notice.
pub fn defects() -> impl Iterator<Item = &'static str> {
    ALL.into_iter().filter(|(_, it)| !ELSEWHERE.contains(it)).map(|(name, _)| name)
}

/// Breaks the rule of this name for the rest of the process.
///
/// # Errors
/// There is no such defect.
pub fn introduce(name: &str) -> Result<(), String> {
    let defect = name.parse().map_err(|_| {
        let known: Vec<&str> = defects().collect();
        format!("there is no defect `{name}`; there are {}", known.join(", "))
    })?;
    countersign_core::sabotage::activate(defect);
    Ok(())
}
