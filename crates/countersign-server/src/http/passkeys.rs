//! Passkeys for voting: what a browser sends, held against the passkeys that the voter enrolled.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_api::approval::PasskeySignature;
use countersign_core::State;
use countersign_core::id::PersonId;
use countersign_core::signature::{Assertion, Signature};
use countersign_evidence::votes::{self, VotingKey};
use countersign_ledger::webauthn::{self, Passkey};

/// What the log keeps of what a passkey of the voter's signed under a statement, or why it is none. Revoked ones are looked at, too: that they count no
/// more is the core's to say.
pub(super) fn signed(
    state: &State,
    (person, sent): (PersonId, &PasskeySignature),
    statement: &[u8],
) -> Result<Signature, String> {
    let id = decoded("credential_id", &sent.credential_id)?;
    let authenticator_data = decoded("authenticator_data", &sent.authenticator_data)?;
    let client_data_json = decoded("client_data_json", &sent.client_data_json)?;
    let signature = decoded("signature", &sent.signature)?;
    let assertion = webauthn::Assertion {
        authenticator_data: &authenticator_data,
        client_data_json: &client_data_json,
        signature: &signature,
    };
    let keys = state.person(person).into_iter().flat_map(|person| &person.keys);
    let passkeys = keys.filter_map(|key| passkey(&key.key)).filter(|passkey| passkey.credential_id == id);
    // Ids are drawn by authenticators, so nobody promises that there is only one.
    let mut why = "you have no passkey of this id".to_owned();
    for passkey in passkeys {
        match votes::assertion(&passkey, &assertion, statement) {
            Ok(signature) => return Ok(signature),
            Err(error) => why = error.to_string(),
        }
    }
    Err(why)
}

/// The passkey in a voting key, if it is one.
pub(super) fn passkey(key: &str) -> Option<Passkey> {
    match VotingKey::from_record(key) {
        Ok(VotingKey::Passkey(passkey)) => Some(passkey),
        _ => None,
    }
}

/// The ids of a person's passkeys for voting that sign on pages of this origin, as browsers want them.
pub(super) fn voting(state: &State, (person, origin): (PersonId, &str)) -> Vec<String> {
    let keys = state.person(person).into_iter().flat_map(|person| &person.keys);
    let in_force = keys.filter(|key| key.revoked_at.is_none()).filter_map(|key| passkey(&key.key));
    let here = in_force.filter(|passkey| passkey.origins.iter().any(|it| it == origin));
    here.map(|passkey| URL_SAFE_NO_PAD.encode(passkey.credential_id)).collect()
}

/// What a passkey signed, as it was sent.
pub(super) fn show(signed: &Assertion) -> Option<PasskeySignature> {
    Some(PasskeySignature {
        credential_id: URL_SAFE_NO_PAD.encode(passkey(&signed.passkey)?.credential_id),
        authenticator_data: signed.authenticator_data.clone(),
        client_data_json: signed.client_data_json.clone(),
        signature: signed.signature.clone(),
    })
}

fn decoded(name: &str, text: &str) -> Result<Vec<u8>, String> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| format!("`{name}` is not base64url without padding"))
}
