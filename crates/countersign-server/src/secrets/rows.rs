//! The versions of one secret and how they may change, over whatever database keeps the rows.
//!
//! A change of stage seals the value anew, because the stage is part of what the seal binds. No database is known here.

use std::fmt;

use countersign_core::secret::SecretKey;

use super::sealing::{self, SealedValue, SealingKey, Slot};
use super::{SecretError, SecretValue, Stage};

/// One row, still sealed.
pub(super) struct Stored {
    pub version: u32,
    pub stage: Stage,
    pub rotation: Option<String>,
    pub value: SealedValue,
}

impl Stored {
    /// As the columns hold it.
    pub(super) fn read(
        key: &SecretKey,
        (version, stage, rotation): (u32, &str, Option<String>),
        value: SealedValue,
    ) -> Result<Self, SecretError> {
        let stage = Stage::parse(stage).ok_or_else(|| {
            SecretError::Corrupt(format!("a version of {key} has the unknown stage `{stage}`"))
        })?;
        Ok(Self { version, stage, rotation, value })
    }
}

/// The rows of all secrets in one database. Between `begin` and `commit` nobody else changes them.
pub(super) trait Rows: Send + fmt::Debug {
    /// Begins a change; one that was not ended is undone.
    fn begin(&mut self) -> Result<(), SecretError>;
    /// Keeps what was changed since.
    fn commit(&mut self) -> Result<(), SecretError>;
    /// Undoes it.
    fn undo(&mut self);
    /// All versions of a secret, ascending.
    fn load(&mut self, key: &SecretKey) -> Result<Vec<Stored>, SecretError>;
    /// Adds a row.
    fn insert(
        &mut self,
        slot: Slot<'_>,
        rotation: Option<&str>,
        value: &SealedValue,
    ) -> Result<(), SecretError>;
    /// Gives the version of the slot its stage and the value sealed for it; says how many rows that were.
    fn restage(&mut self, slot: Slot<'_>, value: &SealedValue) -> Result<u64, SecretError>;
    /// Deletes the version of the slot if it is at its stage; says how many rows that were.
    fn delete(&mut self, slot: Slot<'_>) -> Result<u64, SecretError>;
    /// Deletes all versions; says how many rows that were.
    fn delete_all(&mut self, key: &SecretKey) -> Result<u64, SecretError>;
    /// The names of secrets from `first` up to but not `end`, in an environment.
    fn names(&mut self, bounds: [&str; 2], environment: &str) -> Result<Vec<String>, SecretError>;
    /// Does what can be done that deleted rows leave no trace. That it cannot be done now is no failure: what remains is sealed.
    fn clean(&mut self);
}

/// All versions of one secret inside one change.
pub(super) struct Versions<'a> {
    pub rows: &'a mut dyn Rows,
    pub sealing: &'a SealingKey,
    pub key: &'a SecretKey,
    pub stored: Vec<Stored>,
}

impl Versions<'_> {
    pub(super) fn find(&self, version: u32) -> Option<&Stored> {
        self.stored.iter().find(|row| row.version == version)
    }

    pub(super) fn open(&self, row: &Stored) -> Result<SecretValue, SecretError> {
        open(self.sealing, self.key, row)
    }

    pub(super) fn insert(
        &mut self,
        (version, stage): (u32, Stage),
        rotation: Option<&str>,
        value: &SecretValue,
    ) -> Result<(), SecretError> {
        let key = self.key;
        let current = self.stored.iter().find(|row| row.stage == Stage::Current && stage == Stage::Current);
        if let Some(current) = current {
            let what = format!("{key} already has a current version, {}", current.version);
            return Err(SecretError::Refused(what));
        }
        if let Some(found) = self.find(version) {
            let what = format!("version {version} of {key} already exists as {}", found.stage);
            return Err(SecretError::Refused(what));
        }
        let slot = Slot { key, version, stage };
        self.rows.insert(slot, rotation, &sealing::seal(self.sealing, slot, value)?)
    }

    /// Moves `version` from stage `from` to current and what was current to `retired`.
    pub(super) fn make_current(
        &mut self,
        version: u32,
        from: Stage,
        retired: Stage,
    ) -> Result<(), SecretError> {
        let row = self.find(version).ok_or_else(|| self.wrong_stage(version, "missing", from))?;
        if row.stage == Stage::Current {
            return Ok(());
        }
        if row.stage != from {
            return Err(self.wrong_stage(version, row.stage.as_str(), from));
        }
        // The old one first: the table holds one current version per secret at every moment.
        let current = self.stored.iter().filter(|row| row.stage == Stage::Current).map(|row| row.version);
        for current in current.collect::<Vec<_>>() {
            self.restage(current, retired)?;
        }
        self.restage(version, Stage::Current)
    }

    fn restage(&mut self, version: u32, stage: Stage) -> Result<(), SecretError> {
        let slot = Slot { key: self.key, version, stage };
        let row = self.find(version).ok_or_else(|| self.wrong_stage(version, "missing", stage))?;
        let sealed = sealing::seal(self.sealing, slot, &self.open(row)?)?;
        let changed = self.rows.restage(slot, &sealed)?;
        self.changed(changed, 1)
    }

    pub(super) fn remove(&mut self, version: u32, stage: Stage) -> Result<(), SecretError> {
        let Some(row) = self.find(version) else { return Ok(()) };
        if row.stage != stage {
            return Err(self.wrong_stage(version, row.stage.as_str(), stage));
        }
        let changed = self.rows.delete(Slot { key: self.key, version, stage })?;
        self.changed(changed, 1)
    }

    pub(super) fn forget(&mut self) -> Result<(), SecretError> {
        if let Some(row) = self.stored.iter().find(|row| row.rotation.is_some()) {
            let what =
                format!("a rotation made version {} of {}: only one takes it away", row.version, self.key);
            return Err(SecretError::Refused(what));
        }
        let removed = self.rows.delete_all(self.key)?;
        self.changed(removed, self.stored.len())
    }

    fn wrong_stage(&self, version: u32, is: &str, wanted: Stage) -> SecretError {
        SecretError::Refused(format!("version {version} of {} is {is}, not {wanted}", self.key))
    }

    fn changed(&self, rows: u64, expected: usize) -> Result<(), SecretError> {
        if usize::try_from(rows) == Ok(expected) {
            Ok(())
        } else {
            Err(SecretError::Corrupt(format!("{rows} rows of {} changed, not {expected}", self.key)))
        }
    }
}

/// Opens a row's value.
pub(super) fn open(sealing: &SealingKey, key: &SecretKey, row: &Stored) -> Result<SecretValue, SecretError> {
    sealing::open(sealing, Slot { key, version: row.version, stage: row.stage }, &row.value)
}
