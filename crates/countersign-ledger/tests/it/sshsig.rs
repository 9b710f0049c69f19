//! Signatures by SSH keys, held against the real `ssh-keygen`: what it signs verifies here, what an authenticator signs is accepted by
//! both, and whatever was tampered with is called by its name.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_ledger::sshsig::{HashAlgorithm, KeyAlgorithm, PublicKey, SshError, SshSignature};

use crate::authenticator::{TOUCHED, Token};
use crate::keygen::Keygen;

const PURPOSE: &str = "approval@countersign";
const MESSAGE: &[u8] = b"{\"what\":\"is signed\"}";

const KINDS: [(&[&str], KeyAlgorithm); 2] =
    [(&["-t", "ed25519"], KeyAlgorithm::Ed25519), (&["-t", "ecdsa", "-b", "256"], KeyAlgorithm::EcdsaP256)];

#[test]
fn keys_of_ssh_keygen_are_read_and_show_the_same_fingerprint() {
    let keygen = Keygen::new();
    for (number, (kind, algorithm)) in KINDS.into_iter().enumerate() {
        let line = keygen.make(&format!("key{number}"), kind);
        let key = PublicKey::parse(&line).unwrap();
        assert_eq!(key.algorithm(), algorithm);
        assert_eq!(key.fingerprint(), keygen.fingerprint(&line));
        assert!(line.starts_with(&format!("{key} ")));
        assert_eq!(PublicKey::from_blob(key.blob()).unwrap(), key);
    }
}

#[test]
fn what_ssh_keygen_signs_verifies_here_over_the_message_and_over_its_hash() {
    let keygen = Keygen::new();
    for (number, (kind, _)) in KINDS.into_iter().enumerate() {
        let name = format!("key{number}");
        let key = PublicKey::parse(&keygen.make(&name, kind)).unwrap();
        for (hash, algorithm) in [("sha256", HashAlgorithm::Sha256), ("sha512", HashAlgorithm::Sha512)] {
            let armor = keygen.sign(&name, (PURPOSE, hash), MESSAGE);
            let signature = SshSignature::from_armor(&armor).unwrap();
            assert_eq!(signature.key(), &key);
            assert_eq!((signature.namespace(), signature.hash_algorithm()), (PURPOSE, algorithm));
            assert_eq!(signature.presence(), None);
            assert_eq!(signature.to_armor(), armor);
            assert_eq!(signature.verify(PURPOSE, MESSAGE), Ok(()));
            assert_eq!(signature.verify_hash(PURPOSE, &algorithm.hash(MESSAGE)), Ok(()));
            assert_eq!(signature.verify(PURPOSE, b"another"), Err(SshError::Invalid));
            let other = "break-glass@countersign";
            assert_eq!(signature.verify(other, MESSAGE), Err(SshError::Namespace(PURPOSE.into())));
            let [short, long] = [HashAlgorithm::Sha256, HashAlgorithm::Sha512].map(|it| it.hash(MESSAGE));
            let wrong = if algorithm == HashAlgorithm::Sha256 { long } else { short };
            assert_eq!(signature.verify_hash(PURPOSE, &wrong), Err(SshError::OtherHash));
        }
    }
}

#[test]
fn what_an_authenticator_signs_is_accepted_here_and_by_ssh_keygen() {
    let keygen = Keygen::new();
    for token in [Token::ed25519(7), Token::ecdsa(8)] {
        let key = PublicKey::parse(&token.line()).unwrap();
        assert!(key.algorithm().is_hardware());
        assert_eq!(key.fingerprint(), keygen.fingerprint(&token.line()));
        let blob = token.sign(PURPOSE, MESSAGE, (TOUCHED, 41));
        let signature = SshSignature::from_blob(&blob).unwrap();
        assert_eq!(signature.key(), &key);
        let presence = signature.presence().unwrap();
        assert_eq!((presence.is_present(), presence.is_verified(), presence.counter()), (true, false, 41));
        assert_eq!(signature.verify(PURPOSE, MESSAGE), Ok(()));
        assert!(keygen.accepts((&token.line(), &signature.to_armor()), PURPOSE, MESSAGE));
        assert!(!keygen.accepts((&token.line(), &signature.to_armor()), PURPOSE, b"another"));
        // Without a touch anybody with the computer could sign. `ssh-keygen` does not ask for one, so here alone it is refused.
        let untouched = SshSignature::from_blob(&token.sign(PURPOSE, MESSAGE, (0, 42))).unwrap();
        assert_eq!(untouched.verify(PURPOSE, MESSAGE), Err(SshError::NobodyPresent));
        assert!(keygen.accepts((&token.line(), &untouched.to_armor()), PURPOSE, MESSAGE));
        // What it says of the moment is signed too: here the counter, the last byte.
        let mut later = blob.clone();
        *later.last_mut().unwrap() ^= 1;
        let later = SshSignature::from_blob(&later).unwrap();
        assert_eq!(later.verify(PURPOSE, MESSAGE), Err(SshError::Invalid));
    }
}

/// One bit of every byte is changed: nothing that reads still holds. Nor does `ssh-keygen` take more than we do, tried at some places.
#[test]
fn no_changed_byte_passes() {
    let keygen = Keygen::new();
    keygen.make("key", KINDS[0].0);
    let made = SshSignature::from_armor(&keygen.sign("key", (PURPOSE, "sha512"), MESSAGE)).unwrap();
    let tokens = [Token::ed25519(7), Token::ecdsa(8)].map(|it| it.sign(PURPOSE, MESSAGE, (TOUCHED, 1)));
    for blob in [made.blob().to_vec()].into_iter().chain(tokens) {
        assert_eq!(SshSignature::from_blob(&blob).unwrap().verify(PURPOSE, MESSAGE), Ok(()));
        let key = SshSignature::from_blob(&blob).unwrap().key().clone();
        for place in 0..blob.len() {
            let mut changed = blob.clone();
            changed[place] ^= 1;
            let Ok(read) = SshSignature::from_blob(&changed) else { continue };
            let passes = read.key() == &key && read.verify(PURPOSE, MESSAGE).is_ok();
            assert!(!passes, "byte {place}");
        }
        for cut in 0..blob.len() {
            assert!(SshSignature::from_blob(&blob[..cut]).is_err(), "{cut} bytes");
        }
        let longer = [blob.as_slice(), &[0]].concat();
        assert_eq!(SshSignature::from_blob(&longer), Err(SshError::TrailingBytes));
    }
}

fn string(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

/// A signature blob of parts as they come.
fn blob(version: u32, parts: [&[u8]; 5]) -> Vec<u8> {
    let parts: Vec<u8> = parts.into_iter().flat_map(string).collect();
    [b"SSHSIG".as_slice(), &version.to_be_bytes(), &parts].concat()
}

#[test]
fn whatever_is_out_of_order_is_called_by_its_name() {
    let keygen = Keygen::new();
    let key = PublicKey::parse(&keygen.make("key", KINDS[0].0)).unwrap();
    let proof = [string(b"ssh-ed25519"), string(&[1; 64])].concat();
    let [magic, key] = [b"sha512".as_slice(), key.blob()];
    let read = |version, parts| SshSignature::from_blob(&blob(version, parts)).map(drop);
    let good: [&[u8]; 5] = [key, b"purpose", b"", magic, &proof];
    assert_eq!(read(1, good), Ok(()));
    assert_eq!(read(2, good), Err(SshError::Version(2)));
    assert_eq!(read(1, [key, b"", b"", magic, &proof]), Err(SshError::Malformed("the namespace")));
    assert_eq!(read(1, [key, b"\xFF", b"", magic, &proof]), Err(SshError::Malformed("the namespace")));
    assert_eq!(read(1, [key, b"purpose", b"x", magic, &proof]), Err(SshError::Reserved));
    assert_eq!(
        read(1, [key, b"purpose", b"", b"sha1", &proof]),
        Err(SshError::UnsupportedHash("sha1".into()))
    );
    let other = [string(b"ssh-rsa"), string(&[1; 64])].concat();
    assert_eq!(read(1, [key, b"purpose", b"", magic, &other]), Err(SshError::OtherAlgorithm));
    let longer = [proof.as_slice(), b"x"].concat();
    assert_eq!(read(1, [key, b"purpose", b"", magic, &longer]), Err(SshError::TrailingBytes));
    assert_eq!(SshSignature::from_blob(&[0; 4096]), Err(SshError::TooLarge));
    let armored = |text: &str| SshSignature::from_armor(text).map(drop);
    let armor = SshSignature::from_blob(&blob(1, good)).unwrap().to_armor();
    assert_eq!(armored(&armor), Ok(()));
    for bad in [
        "",
        &format!("{armor}\n"),
        &armor.replace('\n', "\r\n"),
        &armor.replace("BEGIN", "BEGIN "),
        &format!(" {armor}"),
    ] {
        assert!(armored(bad).is_err(), "{bad}");
    }
}

#[test]
fn keys_that_prove_nothing_or_have_two_forms_are_refused() {
    let ed25519 = |point: &[u8]| [string(b"ssh-ed25519"), string(point)].concat();
    let read = |blob: &[u8]| PublicKey::from_blob(blob).map(drop);
    // Of small order: the neutral point, and one of order eight. Not in its one encoding: y = p + 1.
    let mut one = [0; 32];
    one[0] = 1;
    let order_eight = "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a";
    let order_eight: Vec<u8> =
        (0..32).map(|at| u8::from_str_radix(&order_eight[2 * at..2 * at + 2], 16).unwrap()).collect();
    let mut second_form = [0xFF; 32];
    (second_form[0], second_form[31]) = (0xEE, 0x7F);
    for weak in [one.as_slice(), &order_eight, &second_form] {
        assert_eq!(read(&ed25519(weak)), Err(SshError::WeakKey));
    }
    assert_eq!(read(&ed25519(&[1; 31])), Err(SshError::Malformed("the Ed25519 key")));
    let token = Token::ecdsa(8);
    assert_eq!(read(&token.blob("ssh:")), Ok(()));
    assert_eq!(
        read(&token.blob("https://shop.example")),
        Err(SshError::Application("https://shop.example".into()))
    );
    let nist = |curve: &[u8], point: &[u8]| {
        read(&[string(b"ecdsa-sha2-nistp256"), string(curve), string(point)].concat())
    };
    let blob = token.blob("ssh:");
    let point = &blob[blob.len() - 8 - 65..blob.len() - 8];
    assert_eq!(nist(b"nistp256", point), Ok(()));
    assert_eq!(nist(b"nistp384", point), Err(SshError::Malformed("the curve")));
    assert_eq!(
        nist(b"nistp256", &[&[2 | point[64] & 1], &point[1..33]].concat()),
        Err(SshError::Malformed("the point on the curve"))
    );
    let mut off = point.to_vec();
    off[64] ^= 1;
    assert_eq!(nist(b"nistp256", &off), Err(SshError::WeakKey));
    let rsa = PublicKey::from_blob(&string(b"ssh-rsa"));
    assert_eq!(rsa, Err(SshError::UnsupportedAlgorithm("ssh-rsa".into())));
    let line = token.line();
    let other = line.replace("sk-ecdsa-sha2-nistp256@openssh.com", "ssh-ed25519");
    assert_eq!(PublicKey::parse(&other), Err(SshError::OtherAlgorithm));
    for bad in ["", "ssh-ed25519", &format!("{line}\nx"), &format!(" {line}"), &line.replace(' ', "  ")] {
        assert!(PublicKey::parse(bad).is_err(), "{bad:?}");
    }
    assert!(PublicKey::parse(&format!("{line} ana@laptop with a comment\n")).is_ok());
}

/// A number with a zero too many, a negative one, zero, and one too long: each would be a second form of a signature, or none.
#[test]
fn numbers_of_ecdsa_have_one_form() {
    let token = Token::ecdsa(8);
    let key = token.blob("ssh:");
    let proof = |r: &[u8], s: &[u8]| {
        let numbers = [string(r), string(s)].concat();
        [string(b"sk-ecdsa-sha2-nistp256@openssh.com"), string(&numbers), vec![TOUCHED, 0, 0, 0, 1]].concat()
    };
    let read = |r: &[u8], s: &[u8]| {
        SshSignature::from_blob(&blob(1, [&key, b"purpose", b"", b"sha512", &proof(r, s)])).is_ok()
    };
    let long = [&[0_u8][..], &[0x80; 32]].concat();
    assert!(read(&[1], &[0x7F; 32]) && read(&long, &[1]));
    for bad in [&[][..], &[0], &[0, 1], &[0x80], &[0x80; 32], &[1; 33], &[0, 0, 0x80]] {
        assert!(!read(bad, &[1]) && !read(&[1], bad), "{bad:?}");
    }
    // The order of the curve itself, and anything above, is no number of a signature.
    let order = STANDARD.decode("AP////8AAAAA//////////+85vqtpxeehPO5ysL8YyVR").unwrap();
    assert!(!read(&order, &[1]) && !read(&[1], &order));
}
