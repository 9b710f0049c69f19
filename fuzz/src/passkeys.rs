//! What browsers and authenticators send: what is read is written the same, and an independent reader sees the same in it.
//!
//! The seeds are of the test vectors that the specification publishes (WebAuthn Level 3, section 16).

use countersign_ledger::webauthn::{
    AttestationObject, AuthenticatorData, ClientData, CoseKey, Expected, Passkey, Registration,
    UserVerification, cbor, verify_registration,
};

use crate::ground::unhex;

const NONE: &str = "a363666d74646e6f6e656761747453746d74a068617574684461746158a4bfabc37432958b063360d3ad6461c9c4735ae7f8edd46592a5e0f01452b2e4b559000000008446ccb9ab1db374750b2367ff6f3a1f0020f91f391db4c9b2fde0ea70189cba3fb63f579ba6122b33ad94ff3ec330084be4a5010203262001215820afefa16f97ca9b2d23eb86ccb64098d20db90856062eb249c33a9b672f26df61225820930a56b87a2fca66334b03458abf879717c12cc68ed73290af2e2664796b9220";
const ITSELF: &str = "a363666d74667061636b65646761747453746d74a263616c672663736967584630440220067a20754ab925005dbf378097c92120031581c73228d1fb4f5b881bcd7da98302207fc7b147558c7c0eba3af18bd9d121fa3d3a26d17fe3f220272178f473b6006d68617574684461746158a4bfabc37432958b063360d3ad6461c9c4735ae7f8edd46592a5e0f01452b2e4b55d00000000df850e09db6afbdfab51697791506cfc0020455ef34e2043a87db3d4afeb39bbcb6cc32df9347c789a865ecdca129cbef58ca5010203262001215820eb151c8176b225cc651559fecf07af450fd85802046656b34c18f6cf193843c5225820927b8aa427a2be1b8834d233a2d34f61f13bfd44119c325d5896e183fee484f2";
const ED25519: &str = "a401010327200621582044e06ddd331c36a8dc667bab52bcae63486c916aa5e339e6acebaa84934bf832";

const CLIENT_DATA: [&str; 3] = [
    r#"{"type":"webauthn.get","challenge":"OcDnUhQXulTUPo3JUXT0I97pvzzYBP9tZchXyav01Ag","origin":"https://example.org","crossOrigin":false}"#,
    r#"{"type":"webauthn.create","challenge":"Th9MYZhpnjPBTxkhU_Sdfg6ONXfVrEFsXzrckqQfJ-U","origin":"https://example.org","crossOrigin":true,"topOrigin":"https://example.com"}"#,
    r#"{"type":"webauthn.get","challenge":"AA","origin":"null","later":[{"\u00e9":-1}]}"#,
];

pub(crate) fn cbor_seeds() -> Vec<Vec<u8>> {
    let others = ["a26161820001626161f6", "846378797a4203e8f5386318ff", "1bffffffffffffffff"];
    [NONE, ITSELF, ED25519].into_iter().chain(others).map(unhex).collect()
}

pub(crate) fn check_cbor(input: &[u8]) {
    if let Ok(item) = cbor::parse(input) {
        assert_eq!(item.to_bytes(), input);
    }
    if let Ok(key) = CoseKey::from_bytes(input) {
        assert_eq!(key.as_bytes(), input);
    }
}

pub(crate) fn attestation_seeds() -> Vec<Vec<u8>> {
    let objects = [NONE, ITSELF].map(unhex);
    let data = objects.iter().map(|object| AttestationObject::parse(object).unwrap().authenticator_data);
    objects.iter().cloned().chain(data).collect()
}

pub(crate) fn check_attestation(input: &[u8]) {
    // Whatever the rest says, only what was asked for is registered.
    let origins = [String::from("https://example.org")];
    let (challenge, client_data) = (&[0; 32], CLIENT_DATA[1].as_bytes());
    let verification = UserVerification::NotRequired;
    let expected = Expected { rp_id: "example.org", origins: &origins, challenge, verification };
    let registration = Registration { attestation_object: input, client_data_json: client_data };
    assert!(verify_registration(&expected, &registration).is_err(), "another challenge was accepted");
    if let Ok(object) = AttestationObject::parse(input) {
        assert_eq!(cbor::parse(input).map(|item| item.to_bytes()), Ok(input.to_vec()));
        check_data(&object.authenticator_data);
    }
    check_data(input);
}

/// Each byte of authenticator data is in one of its parts.
fn check_data(bytes: &[u8]) {
    let Ok(data) = AuthenticatorData::parse(bytes) else { return };
    let credential = data.credential.as_ref().map_or(0, |credential| {
        assert_eq!(CoseKey::from_bytes(credential.key.as_bytes()).as_ref(), Ok(&credential.key));
        18 + credential.id.len() + credential.key.as_bytes().len()
    });
    let rest = &bytes[37 + credential..];
    let extensions = cbor::parse(rest).map(|item| item.as_map().unwrap().len());
    assert_eq!(extensions.unwrap_or(0), data.extensions.len());
    assert_eq!(rest.is_empty(), data.flags.bits() & 0x80 == 0);
    assert_eq!(data.flags.bits() & 0x22, 0);
}

pub(crate) fn client_data_seeds() -> Vec<Vec<u8>> {
    CLIENT_DATA.map(|text| text.as_bytes().to_vec()).into()
}

/// What is read here, a reader of ordinary JSON reads the same.
pub(crate) fn check_client_data(input: &[u8]) {
    let Ok(data) = ClientData::parse(input) else { return };
    let read: serde_json::Value = serde_json::from_slice(input).expect("it is JSON");
    assert_eq!(read["type"], data.ceremony);
    assert_eq!(read["challenge"], data.challenge);
    assert_eq!(read["origin"], data.origin);
    assert_eq!(read["crossOrigin"] == true, data.cross_origin);
    assert_eq!(read["topOrigin"].as_str(), data.top_origin.as_deref());
}

pub(crate) fn enrolled_seeds() -> Vec<Vec<u8>> {
    let page = r#"{"_type":"countersign/passkey/v1","backup_eligible":false,"credential_id":"AwM","origins":["https://example.org"],"public_key":"pAEBAycgBiFYIETgbd0zHDao3GZ7q1K8rmNIbJFqpeM55qzrqoSTS_gy","rp_id":"example.org"}"#;
    let local =
        page.replace("https://example.org", "http://localhost:8700").replace("example.org", "localhost");
    let synced = page.replace("false", "true").replace("[\"", "[\"https://a.example.org\",\"");
    let seeds = [page.to_owned(), local, synced];
    assert!(seeds.iter().all(|seed| Passkey::parse(seed.as_bytes()).is_ok()));
    seeds.map(String::into_bytes).into()
}

/// A passkey has one text, by which it is named, and every page it names is under its relying party.
pub(crate) fn check_enrolled(input: &[u8]) {
    let Ok(passkey) = Passkey::parse(input) else { return };
    assert_eq!(passkey.to_text().map(String::into_bytes).as_deref(), Ok(input));
    for origin in &passkey.origins {
        let host = origin.split("://").nth(1).and_then(|rest| rest.split(':').next()).unwrap();
        assert!(host == passkey.rp_id || host.ends_with(&format!(".{}", passkey.rp_id)), "{origin}");
    }
}
