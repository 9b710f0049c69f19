//! Pairs of certificate and key that are read, changed, broken and renewed.

use std::os::unix::fs::OpenOptionsExt as _;

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use tempfile::TempDir;

use super::*;
use crate::secrets::SecretRef;

/// Files of a certificate and its key, for `localhost`.
pub(in crate::node) struct Shelf {
    folder: TempDir,
}

/// A certificate with its key, both in PEM.
pub(in crate::node) struct Made {
    pub(in crate::node) certificate: String,
    pub(in crate::node) key: String,
}

/// A certificate that signs for itself and ends at the beginning of that year.
pub(in crate::node) fn made(until: i32) -> Made {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(until, 1, 1);
    let certificate = params.self_signed(&key).unwrap().pem();
    Made { certificate, key: key.serialize_pem() }
}

impl Shelf {
    pub(in crate::node) fn holding(made: &Made) -> Self {
        let shelf = Self { folder: tempfile::tempdir().unwrap() };
        shelf.put("tls.crt", &made.certificate);
        shelf.put("tls.key", &made.key);
        shelf
    }

    fn put(&self, name: &str, text: &str) {
        let mut options = std::fs::OpenOptions::new();
        let file = options.write(true).create(true).truncate(true).mode(0o600).open(self.path(name));
        std::io::Write::write_all(&mut file.unwrap(), text.as_bytes()).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(in crate::node) fn config(&self) -> TlsConfig {
        TlsConfig { certificate: self.path("tls.crt"), key: SecretRef::File(self.path("tls.key")) }
    }
}

fn complaint(config: TlsConfig) -> String {
    Certificates::open(config).expect_err("refused").to_string()
}

fn kept(looked: Looked) -> String {
    match looked {
        Looked::Kept(error) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

/// The first certificate that would be shown.
fn shown(certificates: &Certificates) -> Vec<u8> {
    certificates.shown.load().end_entity_cert().unwrap().to_vec()
}

fn der(made: &Made) -> Vec<u8> {
    CertificateDer::from_pem_slice(made.certificate.as_bytes()).unwrap().to_vec()
}

#[test]
fn what_cannot_be_shown_is_refused_with_its_key_and_what_would_be_right() {
    let (one, other) = (made(2090), made(2090));
    let shelf = Shelf::holding(&one);
    let absent = TlsConfig { certificate: shelf.path("absent"), ..shelf.config() };
    assert!(complaint(absent).starts_with("certificate: cannot read `"));
    let absent = TlsConfig { key: SecretRef::File(shelf.path("absent")), ..shelf.config() };
    assert!(complaint(absent).starts_with("key: cannot read the secret file"));
    // The two the other way round.
    let swapped = TlsConfig { certificate: shelf.path("tls.key"), ..shelf.config() };
    assert!(complaint(swapped).contains("holds no certificate in PEM (`BEGIN CERTIFICATE`)"));
    shelf.put("public", &one.certificate);
    let swapped = TlsConfig { key: SecretRef::File(shelf.path("public")), ..shelf.config() };
    assert!(complaint(swapped).starts_with("key: what it refers to is not a private key in PEM"));
    for (text, told) in [
        (String::new(), "holds no certificate in PEM"),
        (one.certificate.replace("-----END", "-----ENDE"), "is not PEM"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned(), "cannot be read"),
        ("#".repeat(MAX_BYTES + 1), "is longer than"),
        (other.certificate, "it is not the key of the first certificate in"),
    ] {
        shelf.put("tls.crt", &text);
        let complaint = complaint(shelf.config());
        assert!(complaint.contains(told), "{complaint}");
    }
    shelf.put("tls.crt", &one.certificate);
    Certificates::open(shelf.config()).expect("the pair is fine");
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    std::fs::set_permissions(shelf.path("tls.key"), open).unwrap();
    assert!(complaint(shelf.config()).contains("is open to others (mode 0644)"));
}

#[test]
fn a_certificate_ends_when_it_says_before_2050_and_after() {
    let until = |year| not_after(&der(&made(year))).unwrap().to_string();
    assert_eq!(until(2049), "2049-01-01T00:00:00.000Z");
    assert_eq!(until(2077), "2077-01-01T00:00:00.000Z");
    let whole = der(&made(2049));
    for cut in [0, 1, 8, 40, whole.len() - 1] {
        assert!(not_after(&whole[..cut]).is_err(), "{cut}");
    }
}

#[test]
fn another_pair_is_shown_once_it_is_whole() {
    let (one, two) = (made(2090), made(2091));
    let shelf = Shelf::holding(&one);
    let certificates = Certificates::open(shelf.config()).unwrap();
    assert!(matches!(certificates.look(), Looked::Same));
    shelf.put("tls.crt", &two.certificate);
    assert!(kept(certificates.look()).starts_with("key: it is not the key of the first certificate"));
    assert!(matches!(certificates.look(), Looked::Same), "one trouble is told once");
    assert_eq!(shown(&certificates), der(&one));
    shelf.put("tls.key", &two.key);
    assert!(matches!(certificates.look(), Looked::Renewed(_)));
    assert_eq!(shown(&certificates), der(&two));
}

#[test]
fn what_is_broken_missing_or_over_leaves_the_one_before() {
    let (one, ended) = (made(2090), made(2021));
    let shelf = Shelf::holding(&one);
    let certificates = Certificates::open(shelf.config()).unwrap();
    std::fs::rename(shelf.path("tls.crt"), shelf.path("away")).unwrap();
    assert!(kept(certificates.look()).contains("cannot read"));
    shelf.put("tls.crt", "nothing");
    assert!(kept(certificates.look()).contains("holds no certificate"));
    shelf.put("tls.crt", &ended.certificate);
    shelf.put("tls.key", &ended.key);
    assert!(kept(certificates.look()).contains("ended at 2021-01-01T00:00:00.000Z"));
    assert_eq!(shown(&certificates), der(&one));
    shelf.put("tls.crt", &one.certificate);
    shelf.put("tls.key", &one.key);
    assert!(matches!(certificates.look(), Looked::Renewed(_)), "back to what it was");
    // A node whose only certificate is over still starts, and says so.
    let shelf = Shelf::holding(&ended);
    Certificates::open(shelf.config()).expect("it starts");
}
