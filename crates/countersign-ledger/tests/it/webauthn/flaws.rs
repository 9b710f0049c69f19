//! One flaw at a time: each is called by its name, and none passes because something else was in order.

use countersign_ledger::json::JsonErrorKind;
use countersign_ledger::webauthn::cbor::CborError;
use countersign_ledger::webauthn::{
    Assertion, CoseAlgorithm, CoseKey, Credential, Expected, Growth, Registration, UserVerification,
    WebauthnError, counter, verify_assertion, verify_registration,
};

use super::token::{AT, ED, ORIGIN, RP_ID, Token, UP_UV, bytes, client_data, data, object, text};
use super::{from_hex, origins, signed_bytes};

const CHALLENGE: &[u8] = &[0xFB; 32];

/// What is sent; a flaw changes a part of it.
struct Sent {
    key: Vec<u8>,
    backup_eligible: bool,
    data: Vec<u8>,
    client_data: Vec<u8>,
    signature: Vec<u8>,
}

impl Sent {
    /// An assertion as it should be, but for this authenticator data and client data, which are signed.
    fn over(token: &Token, data: Vec<u8>, client_data: Vec<u8>) -> Self {
        let signature = token.sign(&signed_bytes(&data, &client_data));
        Self { key: token.cose(), backup_eligible: false, data, client_data, signature }
    }

    fn good(token: &Token) -> Self {
        Self::over(token, data(RP_ID, UP_UV, 1), client_data("get", CHALLENGE, ORIGIN))
    }

    fn verdict(&self) -> Result<(), WebauthnError> {
        let origins = origins(&["https://other.example", ORIGIN]);
        let key = CoseKey::from_bytes(&self.key).unwrap();
        let credential = Credential { key: &key, backup_eligible: self.backup_eligible };
        let assertion = Assertion {
            authenticator_data: &self.data,
            client_data_json: &self.client_data,
            signature: &self.signature,
        };
        verify_assertion(&expected(&origins), &credential, &assertion).map(drop)
    }
}

fn expected(origins: &[String]) -> Expected<'_> {
    Expected { rp_id: RP_ID, origins, challenge: CHALLENGE, verification: UserVerification::Required }
}

#[test]
fn what_an_authenticator_signs_holds() {
    for token in Token::both() {
        assert_eq!(Sent::good(&token).verdict(), Ok(()));
        let origins = origins(&[ORIGIN]);
        let client_data_json = client_data("create", CHALLENGE, ORIGIN);
        let data = token.made(RP_ID, UP_UV, &[3; 64]);
        let by_itself = token.sign(&signed_bytes(&data, &client_data_json));
        for object in [object("none", &[0xA0], &data), object("packed", &packed(&token, &by_itself), &data)] {
            let registration =
                Registration { attestation_object: &object, client_data_json: &client_data_json };
            let (made, data) = verify_registration(&expected(&origins), &registration).unwrap();
            assert_eq!((made.id, made.aaguid), (vec![3; 64], [7; 16]));
            assert_eq!(made.key.as_bytes(), token.cose());
            assert!(data.flags.is_verified() && data.extensions.is_empty());
        }
    }
}

/// The statement of an attestation by the credential itself.
fn packed(token: &Token, signature: &[u8]) -> Vec<u8> {
    let algorithm = if matches!(token, Token::P256(_)) { 0x26 } else { 0x27 };
    [&[0xA2], &*text("alg"), &[algorithm], &text("sig"), &bytes(signature)].concat()
}

#[test]
fn each_step_of_an_assertion_refuses_its_flaw_in_the_order_of_the_steps() {
    for token in Token::both() {
        let (good, asked) = (data(RP_ID, UP_UV, 1), client_data("get", CHALLENGE, ORIGIN));
        let client = |ceremony, challenge: &[u8], origin| {
            Sent::over(&token, good.clone(), client_data(ceremony, challenge, origin)).verdict()
        };
        let flagged = |flags| Sent::over(&token, data(RP_ID, flags, 1), asked.clone()).verdict();
        assert_eq!(client("create", CHALLENGE, ORIGIN), Err(WebauthnError::Type("webauthn.create".into())));
        assert_eq!(client("get", &[0xFA; 32], ORIGIN), Err(WebauthnError::Challenge));
        assert_eq!(client("get", &CHALLENGE[1..], ORIGIN), Err(WebauthnError::Challenge));
        for origin in [
            "https://countersign.example.evil.example",
            "http://countersign.example",
            "https://countersign.example:8443",
            "https://countersign.example/",
            "https://COUNTERSIGN.example",
            "null",
        ] {
            assert_eq!(client("get", CHALLENGE, origin), Err(WebauthnError::Origin(origin.into())));
        }
        let other = Sent::over(&token, data("other.example", UP_UV, 1), asked.clone()).verdict();
        assert_eq!(other, Err(WebauthnError::RelyingParty));
        assert_eq!(flagged(0x04), Err(WebauthnError::NobodyPresent));
        assert_eq!(flagged(0x01), Err(WebauthnError::NotVerified));
        assert_eq!(flagged(UP_UV | 0x10), Err(WebauthnError::BackupState));
        assert_eq!(flagged(UP_UV | 0x08), Err(WebauthnError::OtherBackupEligibility));
        assert_eq!(flagged(UP_UV | 0x02), Err(WebauthnError::ReservedFlags(0x02)));
        assert_eq!(flagged(UP_UV | 0x20), Err(WebauthnError::ReservedFlags(0x20)));
        let made = Sent::over(&token, token.made(RP_ID, UP_UV, &[3; 16]), asked.clone()).verdict();
        assert_eq!(made, Err(WebauthnError::UnexpectedCredential));
        let longer = Sent::over(&token, [good.as_slice(), &[0]].concat(), asked.clone()).verdict();
        assert_eq!(longer, Err(WebauthnError::TrailingBytes));
        for cut in 0..good.len() {
            let cut = Sent::over(&token, good[..cut].to_vec(), asked.clone()).verdict();
            assert_eq!(cut, Err(WebauthnError::Malformed("the authenticator data")));
        }
        // A synced credential says so each time, and may say that it was copied.
        let mut synced = Sent::over(&token, data(RP_ID, UP_UV | 0x18, 0), asked.clone());
        assert_eq!(synced.verdict(), Err(WebauthnError::OtherBackupEligibility));
        synced.backup_eligible = true;
        assert_eq!(synced.verdict(), Ok(()));
    }
}

#[test]
fn signatures_of_others_over_other_things_and_in_other_forms_do_not_hold() {
    let [ed25519, p256] = Token::both();
    for (token, other) in [(&ed25519, &p256), (&p256, &ed25519)] {
        let good = Sent::good(token);
        let broken = |change: &dyn Fn(&mut Sent)| {
            let mut sent = Sent::good(token);
            change(&mut sent);
            sent.verdict()
        };
        assert_eq!(broken(&|sent| sent.key = other.cose()), Err(WebauthnError::Signature));
        let message = signed_bytes(&good.data, &good.client_data);
        assert_eq!(broken(&|sent| sent.signature = other.sign(&message)), Err(WebauthnError::Signature));
        // The counter and white space are signed, too.
        assert_eq!(broken(&|sent| *sent.data.last_mut().unwrap() ^= 1), Err(WebauthnError::Signature));
        assert_eq!(broken(&|sent| sent.client_data.push(b' ')), Err(WebauthnError::Signature));
        for place in 0..good.signature.len() {
            assert_eq!(broken(&|sent| sent.signature[place] ^= 1), Err(WebauthnError::Signature), "{place}");
            assert_eq!(broken(&|sent| sent.signature.truncate(place)), Err(WebauthnError::Signature));
        }
        assert_eq!(broken(&|sent| sent.signature.push(0)), Err(WebauthnError::Signature));
    }
    // The same scalar with the group's order added: `verify` of some libraries takes it.
    let mut second = Sent::good(&ed25519);
    let order = from_hex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    let mut carry = 0;
    for (digit, added) in second.signature[32..].iter_mut().zip(order) {
        let sum = u16::from(*digit) + u16::from(added) + carry;
        (*digit, carry) = (u8::try_from(sum & 0xFF).unwrap(), sum >> 8);
    }
    assert_eq!(second.verdict(), Err(WebauthnError::Signature));
}

/// The other `s` of an ECDSA signature holds: authenticators make both. So a signature never tells two votes apart.
#[test]
fn ecdsa_has_two_signatures_and_each_has_one_form() {
    let [_, token] = Token::both();
    let good = Sent::good(&token);
    let signature = p256::ecdsa::Signature::from_der(&good.signature).unwrap();
    let (r, s) = signature.split_scalars();
    let other = p256::ecdsa::Signature::from_scalars(r, -s).unwrap();
    let with = |signature: Vec<u8>| Sent { signature, ..Sent::good(&token) }.verdict();
    assert_eq!(with(other.to_der().as_bytes().to_vec()), Ok(()));
    // Not wrapped at all, with a longer length, with a zero too many, and with something after the end.
    let der = &good.signature;
    let length = usize::from(der[3]);
    let long = [&[0x30, 0x81, der[1]], &der[2..]].concat();
    let padded = [&[0x30, der[1] + 1, 0x02, der[3] + 1, 0], &der[4..]].concat();
    let inside = [&[0x30, der[1] + 2], &der[2..], &[0x05, 0]].concat();
    for bad in [signature.to_bytes().to_vec(), long, padded, inside, der[..4 + length].to_vec()] {
        assert_eq!(with(bad.clone()), Err(WebauthnError::Signature), "{bad:02x?}");
    }
}

#[test]
fn client_data_is_strict_json_with_members_of_one_type() {
    let [token, _] = Token::both();
    let good = String::from_utf8(client_data("get", CHALLENGE, ORIGIN)).unwrap();
    let with = |text: String| {
        Sent::over(&token, data(RP_ID, UP_UV, 1), text.into_bytes()).verdict().map_err(|error| match error {
            WebauthnError::ClientData(error) => Some(error.kind),
            WebauthnError::Malformed(_) => None,
            other => panic!("{other}"),
        })
    };
    let added = |member: &str| good.replace(",\"crossOrigin\":false", member);
    assert_eq!(with(added("")), Ok(()));
    assert_eq!(with(added(",\"crossOrigin\":false,\"later\":{\"a\":[1,null]}")), Ok(()));
    assert_eq!(with(format!(" {good}\n")), Ok(()));
    let duplicate = with(added(",\"origin\":\"https://evil.example\"")).unwrap_err();
    assert!(matches!(duplicate, Some(JsonErrorKind::DuplicateKey { .. })), "{duplicate:?}");
    for member in [
        ",\"crossOrigin\":null",
        ",\"crossOrigin\":\"false\"",
        ",\"crossOrigin\":0",
        ",\"topOrigin\":null",
        ",\"topOrigin\":[]",
    ] {
        assert_eq!(with(added(member)), Err(None), "{member}");
    }
    for key in ["type", "challenge", "origin"] {
        assert_eq!(with(good.replace(key, "other")), Err(None), "{key}");
    }
    assert_eq!(with("[]".into()), Err(None));
    for bad in [format!("\u{feff}{good}"), format!("{good}x"), good[..good.len() - 1].to_string()] {
        assert!(matches!(with(bad), Err(Some(_))));
    }
    let raw = |bytes: Vec<u8>| Sent::over(&token, data(RP_ID, UP_UV, 1), bytes).verdict();
    let not_utf8 = good.replace("false}", "false,\"x\":\"?\"}").into_bytes();
    let not_utf8 = not_utf8.into_iter().map(|byte| if byte == b'?' { 0xFF } else { byte }).collect();
    assert!(matches!(raw(not_utf8), Err(WebauthnError::ClientData(_))));
    assert_eq!(raw(vec![b' '; 4097]), Err(WebauthnError::TooLarge("the client data")));
    // A second spelling of the challenge: with padding, and in the other alphabet.
    let challenge = good.split('"').nth(7).unwrap().to_string();
    for other in [format!("{challenge}="), challenge.replace('-', "+"), challenge.replace('_', "/")] {
        let spelled = good.replace(&challenge, &other);
        let verdict = raw(spelled.clone().into_bytes());
        assert!(spelled == good || verdict == Err(WebauthnError::Challenge), "{other}");
    }
    // From inside another page, whatever that page is.
    for framed in [",\"crossOrigin\":true", ",\"topOrigin\":\"https://countersign.example\""] {
        assert_eq!(raw(added(framed).into_bytes()), Err(WebauthnError::CrossOrigin));
    }
}

/// What a registration with this attestation object and client data is refused for.
fn registered(object: &[u8]) -> Result<(), WebauthnError> {
    let origins = origins(&[ORIGIN]);
    let client_data_json = client_data("create", CHALLENGE, ORIGIN);
    let registration = Registration { attestation_object: object, client_data_json: &client_data_json };
    verify_registration(&expected(&origins), &registration).map(drop)
}

#[test]
fn attestations_are_of_nobody_or_of_the_credential_itself() {
    let object_error = |error| Err(WebauthnError::Cbor("the attestation object", error));
    for (token, other) in Token::both().into_iter().zip(Token::both().into_iter().rev()) {
        let data = token.made(RP_ID, UP_UV, &[3; 16]);
        let good = object("none", &[0xA0], &data);
        assert_eq!(registered(&good), Ok(()));
        let message = signed_bytes(&data, &client_data("create", CHALLENGE, ORIGIN));
        let statement = |signature: &[u8]| object("packed", &packed(&token, signature), &data);
        assert_eq!(registered(&statement(&token.sign(&message))), Ok(()));
        assert_eq!(registered(&statement(&token.sign(b"x"))), Err(WebauthnError::Attestation));
        assert_eq!(registered(&statement(&other.sign(&message))), Err(WebauthnError::Attestation));
        let foreign = object("packed", &packed(&other, &other.sign(&message)), &data);
        assert_eq!(registered(&foreign), Err(WebauthnError::OtherAlgorithm));
        let rsa = [&[0xA2], &*text("alg"), &[0x39, 1, 0], &text("sig"), &[0x40]].concat();
        let rsa = registered(&object("packed", &rsa, &data));
        assert_eq!(rsa, Err(WebauthnError::UnsupportedAlgorithm(-257)));
        for format in ["tpm", "android-key", "apple", "fido-u2f", "compound", "NONE", ""] {
            let refused = registered(&object(format, &[0xA0], &data));
            assert_eq!(refused, Err(WebauthnError::UnsupportedAttestation(format.into())));
        }
        let statement = Err(WebauthnError::Malformed("the attestation statement"));
        let more = [&[0xA3], &packed(&token, &[1])[1..], &text("ver"), &[1]].concat();
        // The key `ver` stands where its order wants it: after `alg` and `sig`.
        assert_eq!(registered(&object("packed", &more, &data)), statement);
        assert_eq!(registered(&object("packed", &[0xA0], &data)), statement);
        assert_eq!(registered(&object("none", &packed(&token, &[1]), &data)), statement);
        let shape = Err(WebauthnError::Malformed("the attestation object"));
        assert_eq!(registered(&object("none", &[0x80], &data)), shape);
        assert_eq!(registered(&[0xA0]), shape);
        assert_eq!(registered(&[0x80]), shape);
        let epilogue = [&[0xA4], &good[1..], &text("xxxxxxxxx"), &[1]].concat();
        assert_eq!(registered(&epilogue), shape);
        assert_eq!(registered(&[good.as_slice(), &[0]].concat()), object_error(CborError::TrailingBytes));
        for cut in 0..good.len() {
            assert_eq!(registered(&good[..cut]), object_error(CborError::Truncated));
        }
        // The same map in the order in which the specification's picture has it.
        let parts =
            [&*text("authData"), &bytes(&data), &text("fmt"), &text("none"), &text("attStmt"), &[0xA0]];
        let unsorted = [&[0xA3], parts.concat().as_slice()].concat();
        assert_eq!(registered(&unsorted), object_error(CborError::Order));
    }
}

#[test]
fn credentials_of_a_registration_are_whole() {
    let [token, _] = Token::both();
    let registered = |data: &[u8]| registered(&object("none", &[0xA0], data));
    assert_eq!(registered(&data(RP_ID, UP_UV, 0)), Err(WebauthnError::NoCredential));
    assert_eq!(registered(&token.made(RP_ID, UP_UV, &[])), Err(WebauthnError::CredentialId));
    assert_eq!(registered(&token.made("other.example", UP_UV, &[3; 16])), Err(WebauthnError::RelyingParty));
    assert_eq!(registered(&token.made(RP_ID, 0x01, &[3; 16])), Err(WebauthnError::NotVerified));
    assert_eq!(registered(&token.made(RP_ID, 0x15, &[3; 16])), Err(WebauthnError::BackupState));
    let good = token.made(RP_ID, UP_UV, &[3; 16]);
    let mut long = good.clone();
    (long[53], long[54]) = (0x04, 0x00);
    assert_eq!(registered(&long), Err(WebauthnError::CredentialId));
    (long[53], long[54]) = (0x03, 0xFF);
    let truncated = "the credential in the authenticator data";
    assert_eq!(registered(&long), Err(WebauthnError::Malformed(truncated)));
    assert_eq!(registered(&[good.as_slice(), &[0]].concat()), Err(WebauthnError::TrailingBytes));
    for cut in 37..good.len() {
        assert!(registered(&good[..cut]).is_err(), "{cut}");
    }
    // Extensions are announced and there, or neither; what they say is not ours to judge.
    let extended = |members: &[u8]| {
        let mut data = token.made(RP_ID, UP_UV | ED, &[3; 16]);
        data.extend_from_slice(members);
        registered(&data)
    };
    assert_eq!(extended(&[&[0xA1], &*text("credProtect"), &[2]].concat()), Ok(()));
    let part = "the extensions in the authenticator data";
    assert_eq!(extended(&[]), Err(WebauthnError::Cbor(part, CborError::Truncated)));
    assert_eq!(extended(&[0x80]), Err(WebauthnError::Malformed(part)));
    assert_eq!(extended(&[0xA1, 1, 2]), Err(WebauthnError::Malformed(part)));
    assert_eq!(extended(&[0xA0, 0]), Err(WebauthnError::TrailingBytes));
    assert_eq!(data(RP_ID, UP_UV | AT, 0).len(), 37);
}

#[test]
fn keys_that_prove_nothing_or_have_two_forms_are_refused() {
    let [ed25519, p256] = Token::both().map(|token| token.cose());
    let read = |bytes: &[u8]| CoseKey::from_bytes(bytes).map(|key| key.algorithm());
    assert_eq!(read(&ed25519), Ok(CoseAlgorithm::EdDsa));
    assert_eq!(read(&p256), Ok(CoseAlgorithm::Es256));
    let malformed = || Err(WebauthnError::Malformed("the credential's key"));
    let (edwards, nist) = (
        |x: &[u8]| [&ed25519[..8], &bytes(x)].concat(),
        |x: &[u8], y: &[u8]| [&p256[..8], &bytes(x), &[0x22], &bytes(y)].concat(),
    );
    // Of small order: the neutral point, and one of order eight. Not in its one encoding: y = p + 1.
    let mut one = [0; 32];
    one[0] = 1;
    let order_eight = from_hex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a");
    let mut second_form = [0xFF; 32];
    (second_form[0], second_form[31]) = (0xEE, 0x7F);
    for weak in [one.as_slice(), &order_eight, &second_form] {
        assert_eq!(read(&edwards(weak)), Err(WebauthnError::WeakKey));
    }
    assert_eq!(read(&edwards(&[1; 31])), malformed());
    let (x, y) = (&p256[10..42], &p256[45..]);
    assert_eq!(read(&nist(x, y)), Ok(CoseAlgorithm::Es256));
    let mut off = y.to_vec();
    off[31] ^= 1;
    assert_eq!(read(&nist(x, &off)), Err(WebauthnError::WeakKey));
    assert_eq!(read(&nist(&[0; 32], &[0; 32])), Err(WebauthnError::WeakKey));
    assert_eq!(read(&nist(x, &y[1..])), malformed());
    // Compressed: the sign in place of the second coordinate.
    assert_eq!(read(&[&p256[..8], &*bytes(x), &[0x22, 0xF5]].concat()), malformed());
    // The point of one curve under the name of the other, and a member that nobody asked for (`key_ops`).
    assert_eq!(read(&[&[0xA4, 1, 1, 3, 0x27, 0x20, 1, 0x21], &ed25519[8..]].concat()), malformed());
    assert_eq!(read(&[&[0xA4, 1, 2, 3, 0x27, 0x20, 6, 0x21], &ed25519[8..]].concat()), malformed());
    assert_eq!(read(&[&[0xA5, 1, 1, 3, 0x27, 4, 0x80, 0x20, 6, 0x21], &ed25519[8..]].concat()), malformed());
    for (number, encoded) in
        [(-257, [0x39, 1, 0].as_slice()), (-35, &[0x38, 34]), (-9, &[0x28]), (-19, &[0x32])]
    {
        let other = [&[0xA4, 1, 1, 3], encoded, &[0x20, 6, 0x21], &ed25519[8..]].concat();
        assert_eq!(read(&other), Err(WebauthnError::UnsupportedAlgorithm(number)));
    }
    let form = |error| Err(WebauthnError::Cbor("the credential's key", error));
    assert_eq!(read(&[&[0xA4, 3, 0x27, 1, 1], &ed25519[5..]].concat()), form(CborError::Order));
    assert_eq!(read(&[&[0xA4, 1, 0x18, 1], &ed25519[3..]].concat()), form(CborError::NotShortest));
    assert_eq!(read(&[&ed25519, [0].as_slice()].concat()), form(CborError::TrailingBytes));
    assert_eq!(read(&ed25519[..ed25519.len() - 1]), form(CborError::Truncated));
}

#[test]
fn a_counter_that_does_not_grow_may_mean_a_copy() {
    assert_eq!(counter(0, 0), Growth::Uncounted);
    for (last, now) in [(0, 1), (1, 2), (7, u32::MAX)] {
        assert_eq!(counter(last, now), Growth::Grew);
    }
    for (last, now) in [(1, 1), (2, 1), (1, 0), (u32::MAX, 0)] {
        assert_eq!(counter(last, now), Growth::PossibleClone);
    }
}
