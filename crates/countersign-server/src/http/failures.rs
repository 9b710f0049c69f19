//! What was shown to sign in and was wrong: whoever sends much of it waits (`attempts`), and is told of in the log (`engine::failures`).
//!
//! Every way to sign in comes by here, so that none of them is forgotten in either.

use countersign_core::id::PersonId;

use super::App;
use super::attempts::Network;
pub(super) use crate::engine::Shown;

impl App {
    /// Counts what did not sign in, from this network and for the account it named, if it named one; or says for how many seconds to wait.
    pub(super) fn failed(
        &self,
        shown: Shown,
        (network, person): (Network, Option<PersonId>),
    ) -> Result<(), u32> {
        self.engine.count_failure(shown, (person, &network.to_string()));
        let now = self.engine.now();
        match shown {
            Shown::Claim => self.attempts.admit(network, now),
            Shown::Passkey | Shown::Password | Shown::Sso => self.sign_ins.wrong((network, person), now),
        }
    }

    /// Counts a password that was tried in vain. For how long others wait then, `guesses` says.
    pub(super) fn guessed(&self, (network, person): (Network, Option<PersonId>)) {
        self.engine.count_failure(Shown::Password, (person, &network.to_string()));
    }

    /// Notes that somebody signed in: that matters where many had failed before.
    pub(super) fn succeeded(&self, person: PersonId, network: Network) {
        self.engine.count_success(person, &network.to_string());
    }
}
