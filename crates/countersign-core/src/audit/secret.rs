//! Secrets: one rotation holds one at a time, and version numbers are never used twice.

use super::owed::{Owed, Versions};
use super::violation::Breach;
use super::{Auditor, Verdict, by_node, is_of, must};
use crate::domain::{Event, Fact};
use crate::id::RotationId;
use crate::secret::{SecretKey, Settled};
use crate::state::Subject;

/// A secret.
#[derive(Clone, Debug)]
pub(super) struct Secret {
    pub current: u32,
    pub highest: u32,
    pub holder: Option<RotationId>,
}

impl Auditor {
    pub(super) fn secret(&mut self, event: &Event, owed: Option<&Owed>) -> Verdict {
        let Subject::Secret(key) = event.fact.subject() else { return Err(Breach::Unknown) };
        is_of(event, &key.environment)?;
        match (&event.fact, owed) {
            (Fact::SecretAdopted(_, adopted), _) => {
                must(self.adopting, Breach::Unprompted)?;
                by_node(event)?;
                must(adopted.version == 1, Breach::WrongVersion)?;
                let secret = Secret { current: 1, highest: 1, holder: None };
                must(self.secrets.insert(key, secret).is_none(), Breach::BegunTwice)
            }
            (Fact::SecretReserved(_, reserved), Some(Owed::Version { rotation, permit, .. })) => {
                must(reserved.rotation == *rotation, Breach::OtherRotation)?;
                let secret = self.secrets.get_mut(&key).ok_or(Breach::Unknown)?;
                must(secret.holder.is_none(), Breach::SecretBusy)?;
                must(Some(reserved.version) == secret.highest.checked_add(1), Breach::WrongVersion)?;
                (secret.highest, secret.holder) = (reserved.version, Some(*rotation));
                self.owed.push(Owed::Rotation { rotation: *rotation, secret: key, permit: *permit });
                Ok(())
            }
            (Fact::SecretPromoted(_, promoted), Some(Owed::Promoted { rotation, version, .. })) => {
                must(promoted.rotation == *rotation, Breach::OtherRotation)?;
                must(promoted.version == *version, Breach::WrongVersion)?;
                self.held(&key, *rotation)?.current = *version;
                Ok(())
            }
            (Fact::SecretSettled(_, settled), Some(Owed::Settled { rotation, versions, .. })) => {
                must(settled.rotation == *rotation, Breach::OtherRotation)?;
                self.settled(&key, settled, *versions)
            }
            _ => Err(Breach::Unprompted),
        }
    }

    fn held(&mut self, key: &SecretKey, rotation: RotationId) -> Verdict<&mut Secret> {
        let secret = self.secrets.get_mut(key).ok_or(Breach::Unknown)?;
        must(secret.holder == Some(rotation), Breach::SecretBusy)?;
        Ok(secret)
    }

    fn settled(&mut self, key: &SecretKey, settled: &Settled, versions: Versions) -> Verdict {
        let secret = self.held(key, settled.rotation)?;
        // Nobody ever promoted what an abort leaves, so what is current must be so already.
        must(secret.current == versions.current, Breach::WrongVersion)?;
        must(settled.version == versions.current, Breach::WrongVersion)?;
        must(settled.destroyed == versions.destroyed, Breach::WrongVersion)?;
        secret.holder = None;
        Ok(())
    }
}
