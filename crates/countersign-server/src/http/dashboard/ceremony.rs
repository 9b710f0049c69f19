//! What a browser answers when it makes a passkey or asks one, held against what was asked for.
//!
//! A passkey for signing in is a text like one for voting: it says for which pages it is. Who has none of the id that was shown is answered as slowly
//! as who has, so that nobody learns from the time which people and passkeys there are.

use std::sync::LazyLock;

use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::State;
use countersign_core::digest::Digest;
use countersign_core::id::PersonId;
use countersign_core::passkey::NewPasskey;
use countersign_ledger::webauthn::{
    self, CoseKey, Credential, Expected, Passkey, Registration, UserVerification, verify_registration,
};

use super::super::Site;
use super::super::problem::{Rejected, Words};

/// What a passkey signed, field by field as the form has it.
#[derive(Clone, Debug)]
pub(super) struct Asserted {
    pub credential_id: String,
    pub authenticator_data: String,
    pub client_data_json: String,
    pub signature: String,
    pub user_handle: String,
}

/// The same in bytes.
struct Signed {
    credential_id: Vec<u8>,
    authenticator_data: Vec<u8>,
    client_data_json: Vec<u8>,
    signature: Vec<u8>,
}

impl Asserted {
    /// Whose passkey it says it is.
    pub(super) fn person(&self) -> Option<PersonId> {
        let handle = URL_SAFE_NO_PAD.decode(&self.user_handle).ok()?;
        String::from_utf8(handle).ok()?.parse().ok()
    }

    fn signed(&self) -> Option<Signed> {
        let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).ok();
        Some(Signed {
            credential_id: bytes(&self.credential_id)?,
            authenticator_data: bytes(&self.authenticator_data)?,
            client_data_json: bytes(&self.client_data_json)?,
            signature: bytes(&self.signature)?,
        })
    }
}

/// Which passkey of the person signed the challenge; none if none did, whatever the reason.
pub(super) fn shown(
    state: &State,
    (person, site): (Option<PersonId>, &Site),
    (asserted, challenge): (&Asserted, &[u8]),
) -> Option<Digest> {
    let signed = asserted.signed()?;
    let assertion = webauthn::Assertion {
        authenticator_data: &signed.authenticator_data,
        client_data_json: &signed.client_data_json,
        signature: &signed.signature,
    };
    let held = person.and_then(|person| state.person(person)).into_iter().flat_map(|it| &it.passkeys);
    let in_force = held.filter(|passkey| passkey.is_in_force());
    let read = |held: &countersign_core::passkey::Passkey| {
        let passkey = Passkey::parse(held.key.as_bytes()).ok()?;
        (passkey.credential_id == signed.credential_id).then_some((held.key_sha256, passkey))
    };
    let mut looked = false;
    for (key_sha256, passkey) in in_force.filter_map(read) {
        looked = true;
        if passkey.verify(challenge, &assertion).is_ok() {
            return Some(key_sha256);
        }
    }
    if !looked && let Some(key) = DECOY.as_ref() {
        let origins = [site.origin().to_owned()];
        let verification = UserVerification::Required;
        let expected = Expected { rp_id: site.host(), origins: &origins, challenge, verification };
        // Its outcome is known; what counts is that it takes as long.
        let credential = Credential { key, backup_eligible: false };
        let _ = std::hint::black_box(webauthn::verify_assertion(&expected, &credential, &assertion));
    }
    None
}

/// A key whose other half nobody has: the generator of the curve P-256, in the form of COSE.
static DECOY: LazyLock<Option<CoseKey>> = LazyLock::new(|| {
    let point = "a5010203262001215820\
                 6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296\
                 225820\
                 4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";
    let digit = |at: usize| point.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let bytes: Vec<u8> = (0..point.len()).step_by(2).filter_map(digit).collect();
    CoseKey::from_bytes(&bytes).ok()
});

/// A passkey that was made, field by field as the form has it.
#[derive(Clone, Debug)]
pub(super) struct Made<'a> {
    pub attestation_object: &'a str,
    pub client_data_json: &'a str,
}

/// The passkey, if it was made as it was asked for: on one of these pages, by somebody whom the authenticator verified.
pub(super) fn made(site: &Site, made: &Made<'_>, challenge: &[u8]) -> Result<NewPasskey, Rejected> {
    let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| unfit("it is not base64url"));
    let attestation_object = bytes(made.attestation_object)?;
    let client_data_json = bytes(made.client_data_json)?;
    let origins = vec![site.origin().to_owned()];
    let verification = UserVerification::Required;
    let expected = Expected { rp_id: site.host(), origins: &origins, challenge, verification };
    let registration =
        Registration { attestation_object: &attestation_object, client_data_json: &client_data_json };
    let (credential, data) = verify_registration(&expected, &registration).map_err(unfit)?;
    let public_key_sha256 = Digest::of(credential.key.as_bytes());
    let passkey = Passkey {
        backup_eligible: data.flags.is_backup_eligible(),
        credential_id: credential.id,
        origins,
        public_key: credential.key,
        rp_id: site.host().to_owned(),
    };
    let key = passkey.to_text().map_err(unfit)?;
    Ok(NewPasskey {
        key_sha256: Digest::of(key.as_bytes()),
        public_key_sha256,
        synced: passkey.backup_eligible,
        key,
    })
}

/// The ids of a person's passkeys, for a browser that is to ask one of them, or none of them again.
pub(super) fn held(state: &State, person: PersonId) -> String {
    let held = state.person(person).into_iter().flat_map(|it| &it.passkeys).filter(|it| it.is_in_force());
    let ids = held.filter_map(|held| Passkey::parse(held.key.as_bytes()).ok());
    ids.map(|passkey| URL_SAFE_NO_PAD.encode(passkey.credential_id)).collect::<Vec<_>>().join(" ")
}

fn unfit(why: impl std::fmt::Display) -> Rejected {
    let words = Words {
        code: "passkey_unfit",
        detail: format!("the browser's passkey cannot be used: {why}"),
        hint: "try another authenticator; it must be able to verify you, by a PIN, a finger or a face",
    };
    Rejected::new(StatusCode::UNPROCESSABLE_ENTITY, words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_key_to_look_at_for_who_has_none() {
        assert!(DECOY.is_some());
    }
}
