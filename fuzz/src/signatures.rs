//! SSH keys and signatures: what is read is written the same, and nothing holds that these keys did not sign.
//!
//! The keys were made by `ssh-keygen`, which signed the text `fuzz` for the purpose `fuzz@countersign`; the private keys are gone.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_ledger::sshsig::{HashAlgorithm, PublicKey, SshSignature};

use crate::ground::text;

const KEYS: [&str; 2] = [
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPGE4SnnJiHCkx+fi680USX4TnO2K0B//K6yFZHISOft",
    "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBAhsLUNPcB9FuO96pQauBcxDhGJnJIA+zt1z9S5OASIrB5bDrpke12JKqpUVtyAkkuu8s1m934dIXFBADpf53G4=",
];

const SIGNATURES: [&str; 2] = [
    "U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAg8YThKecmIcKTH5+LrzRRJfhOc7YrQH/8rrIVkchI5+0AAAAQZnV6ekBjb3VudGVyc2lnbgAAAAAAAAAGc2hhNTEyAAAAUwAAAAtzc2gtZWQyNTUxOQAAAEB9xBBZdklb6XPxnq/7+j2D36mELPD1RtGtnltZ/WYZCqtxJ7o4XSUeJkRETp3ibUr/DCotb+cM5zda15oXiiMP",
    "U1NIU0lHAAAAAQAAAGgAAAATZWNkc2Etc2hhMi1uaXN0cDI1NgAAAAhuaXN0cDI1NgAAAEEECGwtQ09wH0W473qlBq4FzEOEYmckgD7O3XP1Lk4BIisHlsOumR7XYkqqlRW3ICSS67yzWb3fh0hcUEAOl/ncbgAAABBmdXp6QGNvdW50ZXJzaWduAAAAAAAAAAZzaGE1MTIAAABkAAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAABJAAAAIGi0b3Tu19ub1UPLLPxdlQZwwNepG6///e7q1re7IW+vAAAAIQCQkjQNs/dvY4TYENXCp4f7BNnQMr/uOGdJ/CQcUQpuKQ==",
];

const PURPOSE: &str = "fuzz@countersign";
const MESSAGE: &[u8] = b"fuzz";

pub(crate) fn key_seeds() -> Vec<Vec<u8>> {
    let blobs = KEYS.map(|line| PublicKey::parse(line).unwrap().blob().to_vec());
    let token = b"\0\0\0\x1ask-ssh-ed25519@openssh.com\0\0\0\x20";
    let point = b"\xf1\x84\xe1\x29\xe7\x26\x21\xc2\x93\x1f\x9f\x8b\xaf\x34\x51\x25\xf8\x4e\x73\xb6\x2b\x40\x7f\xfc\xae\xb2\x15\x91\xc8\x48\xe7\xed";
    let token = [token.as_slice(), point, b"\0\0\0\x04ssh:"].concat();
    KEYS.map(|line| line.as_bytes().to_vec()).into_iter().chain(blobs).chain([token]).collect()
}

pub(crate) fn check_key(input: &[u8]) {
    if let Ok(key) = PublicKey::from_blob(input) {
        assert_eq!(key.blob(), input);
        assert_eq!(PublicKey::parse(&key.to_string()), Ok(key));
    }
    let Some(line) = text(input) else { return };
    if let Ok(key) = PublicKey::parse(line) {
        assert!(line.starts_with(&key.to_string()));
        assert_eq!(PublicKey::from_blob(key.blob()), Ok(key));
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let blobs = SIGNATURES.map(|encoded| STANDARD.decode(encoded).unwrap());
    let armors =
        SIGNATURES.map(|encoded| SshSignature::from_base64(encoded).unwrap().to_armor().into_bytes());
    blobs.into_iter().chain(armors).collect()
}

pub(crate) fn check(input: &[u8]) {
    if let Ok(signature) = SshSignature::from_blob(input) {
        assert_eq!(signature.blob(), input);
        assert_eq!(SshSignature::from_armor(&signature.to_armor()).as_ref(), Ok(&signature));
        check_one(&signature);
    }
    if let Some(Ok(signature)) = text(input).map(SshSignature::from_armor) {
        assert_eq!(SshSignature::from_blob(signature.blob()).as_ref(), Ok(&signature));
        check_one(&signature);
    }
}

fn check_one(signature: &SshSignature) {
    let holds = signature.verify(PURPOSE, MESSAGE);
    if holds.is_ok() {
        let known = KEYS.iter().any(|line| PublicKey::parse(line).as_ref() == Ok(signature.key()));
        assert!(known && signature.namespace() == PURPOSE, "a signature holds that nobody made");
    }
    assert!(signature.verify(PURPOSE, b"another").is_err());
    assert!(signature.verify("another", MESSAGE).is_err());
    for algorithm in [HashAlgorithm::Sha256, HashAlgorithm::Sha512] {
        let by_hash = signature.verify_hash(PURPOSE, &algorithm.hash(MESSAGE));
        assert_eq!(by_hash.is_ok(), holds.is_ok() && algorithm == signature.hash_algorithm());
    }
}
