//! What somebody shows when they sign in, or prove themselves once more.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::id::SessionId;
use crate::text::Name;

/// What somebody showed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Method {
    /// An assertion by one of their passkeys for signing in, with user verification.
    Passkey {
        /// SHA-256 of the passkey.
        key_sha256: Digest,
    },
    /// Their password and a one-time code.
    Password {
        /// The code of which time: RFC 6238's counter, in steps of 30 seconds since the Unix epoch.
        totp_step: u32,
    },
    /// Their password and one of their recovery codes.
    RecoveryCode {
        /// SHA-256 of the code.
        code_sha256: Digest,
    },
    /// The word of an `OpenID` provider.
    Sso {
        /// SHA-256 of the identity, as [`crate::identity::sha256`] gives it.
        identity_sha256: Digest,
        /// The provider, as the policy calls it.
        provider: Name,
    },
    /// The one-time claim of their invitation, in the same decision.
    Claim {},
    /// The session by which they confirmed that a terminal may act for them.
    HandedOn {
        /// That session.
        session: SessionId,
    },
    /// Their credential, for a terminal.
    Credential {},
}

impl Method {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Passkey { .. } => "passkey",
            Self::Password { .. } => "password",
            Self::RecoveryCode { .. } => "recovery-code",
            Self::Sso { .. } => "sso",
            Self::Claim {} => "claim",
            Self::HandedOn { .. } => "handed-on",
            Self::Credential {} => "credential",
        }
    }

    /// Whether the node verified something that the person did at that moment, rather than that somebody holds a secret: only this is a proof for one
    /// request. A passkey is bound to a challenge that is used once, a code of the clock is used once itself.
    #[must_use]
    pub fn is_proof(&self) -> bool {
        match self {
            Self::Passkey { .. } | Self::Password { .. } => true,
            Self::RecoveryCode { .. }
            | Self::Sso { .. }
            | Self::Claim {}
            | Self::HandedOn { .. }
            | Self::Credential {} => false,
        }
    }

    /// Whether something must be used up for it.
    pub(crate) fn spends(&self) -> bool {
        matches!(self, Self::Passkey { .. } | Self::Sso { .. })
    }
}
