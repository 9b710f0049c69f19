//! Passkeys as they are enrolled: one text each, bound to a relying party and to its pages.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_ledger::hash::sha256;
use countersign_ledger::webauthn::{Assertion, CoseKey, Passkey, PasskeyError, WebauthnError};

use super::token::{ORIGIN, RP_ID, Token, UP_UV, client_data, data};
use super::{origins, signed_bytes};

fn passkey(token: &Token) -> Passkey {
    Passkey {
        backup_eligible: false,
        credential_id: vec![3; 16],
        origins: origins(&[ORIGIN]),
        public_key: CoseKey::from_bytes(&token.cose()).unwrap(),
        rp_id: RP_ID.into(),
    }
}

#[test]
fn a_passkey_has_one_text_and_its_hash_is_its_name() {
    for token in Token::both() {
        let text = passkey(&token).to_text().unwrap();
        assert!(
            text.starts_with("{\"_type\":\"countersign/passkey/v1\",\"backup_eligible\":false,"),
            "{text}"
        );
        assert_eq!(Passkey::parse(text.as_bytes()), Ok(passkey(&token)));
        assert_eq!(passkey(&token).sha256(), Ok(sha256(text.as_bytes())));
        let read = |text: String| Passkey::parse(text.as_bytes()).map(drop);
        assert_eq!(read(format!("{text} ")), Err(PasskeyError::NotCanonical));
        assert_eq!(read(text.replace(',', ", ")), Err(PasskeyError::NotCanonical));
        assert_eq!(read("[]".into()), Err(PasskeyError::NotCanonical));
        assert_eq!(read(text.replace("/v1", "/v2")), Err(PasskeyError::Member("_type")));
        assert_eq!(read(text.replace("}", ",\"z\":1}")), Err(PasskeyError::Member("_type")));
        assert_eq!(read(text.replace("false", "0")), Err(PasskeyError::Member("backup_eligible")));
        for id in ["", "AwMDAwMDAwMDAwMDAwMDAw==", "AwMDAwMDAwMDAwMDAwMDAx", "A+"] {
            let other = text.replace("AwMDAwMDAwMDAwMDAwMDAw", id);
            assert_eq!(read(other), Err(PasskeyError::Member("credential_id")), "{id}");
        }
        let other = text.replace(&URL_SAFE_NO_PAD.encode(token.cose()), "oA");
        assert!(matches!(read(other), Err(PasskeyError::Key(WebauthnError::Malformed(_)))));
    }
}

#[test]
fn origins_are_pages_of_the_relying_party() {
    let [token, _] = Token::both();
    let with = |rp_id: &str, names: &[&str]| {
        let passkey = Passkey { rp_id: rp_id.into(), origins: origins(names), ..passkey(&token) };
        passkey.to_text().map(|text| assert_eq!(Passkey::parse(text.as_bytes()), Ok(passkey)))
    };
    for (rp_id, origin) in [
        ("countersign.example", "https://countersign.example"),
        ("countersign.example", "https://votes.countersign.example:8443"),
        ("localhost", "http://localhost:8700"),
        ("localhost", "https://localhost"),
    ] {
        assert_eq!(with(rp_id, &[origin]), Ok(()), "{origin}");
    }
    for origin in [
        "https://countersign.example/",
        "https://countersign.example:443",
        "https://countersign.example:08443",
        "https://countersign.example:",
        "https://countersign.example:65536",
        "http://countersign.example",
        "https://evilcountersign.example",
        "https://countersign.example.evil.example",
        "https://user@countersign.example",
        "https://Countersign.example",
        "https://.countersign.example",
        "https://example",
        "android:apk-key-hash:AA",
        "null",
        "",
    ] {
        assert_eq!(with("countersign.example", &[origin]), Err(PasskeyError::Origin), "{origin}");
    }
    for rp_id in ["", "Countersign.example", "countersign.example.", "a..b", "a b", "ü.example", "*.example"]
    {
        assert_eq!(with(rp_id, &[ORIGIN]), Err(PasskeyError::RelyingParty), "{rp_id}");
    }
    let two = ["https://a.countersign.example", "https://b.countersign.example"];
    assert_eq!(with(RP_ID, &two), Ok(()));
    for odd in [&[two[1], two[0]][..], &[two[0], two[0]], &[]] {
        assert_eq!(with(RP_ID, odd), Err(PasskeyError::Origin));
    }
}

#[test]
fn a_passkey_signs_what_it_was_asked_for_from_its_own_pages_by_somebody_verified() {
    for token in Token::both() {
        let challenge = sha256(b"statement").0;
        let verdict = |flags: u8, origin: &str, challenged: &[u8]| {
            let (data, client_data) = (data(RP_ID, flags, 1), client_data("get", challenged, origin));
            let signature = token.sign(&signed_bytes(&data, &client_data));
            let (authenticator_data, client_data_json) = (data.as_slice(), client_data.as_slice());
            let assertion = Assertion { authenticator_data, client_data_json, signature: &signature };
            passkey(&token).verify(&challenge, &assertion).map(drop)
        };
        assert_eq!(verdict(UP_UV, ORIGIN, &challenge), Ok(()));
        assert_eq!(verdict(0x01, ORIGIN, &challenge), Err(WebauthnError::NotVerified));
        assert_eq!(verdict(UP_UV | 0x08, ORIGIN, &challenge), Err(WebauthnError::OtherBackupEligibility));
        assert_eq!(verdict(UP_UV, ORIGIN, &sha256(b"other").0), Err(WebauthnError::Challenge));
        let elsewhere = "https://evil.example";
        assert_eq!(verdict(UP_UV, elsewhere, &challenge), Err(WebauthnError::Origin(elsewhere.into())));
    }
}
