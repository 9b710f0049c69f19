//! Notes that other people's logs and witnesses have published, opened with their published keys.

use countersign_ledger::checkpoint::{Checkpoint, CheckpointError, Cosigned};
use countersign_ledger::note::{NoteError, SignatureType, VerifierKey, open};

/// The vector of c2sp.org/signed-note.
const FOO: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
const FOO_NOTE: &str = "This is an example message.\n\n\u{2014} example.com/foo \
    Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

/// The Go checksum database, whose key's name is not its origin.
const GO_SUM: &str = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";
const GO_SUM_NOTE: &str = "go.sum database tree\n65209736\n5+uGFjx6xBZG8ip1+wi77v+grwbhhukIrxEUS8PXvRo=\n\n\
    \u{2014} sum.golang.org Az3grnbssgK7ubgFX36gVETtNv0U23qxyAhAMai2QUfeGa3nB/akvkMdlUErfcZz7l/R3cVtYspg3dxXABkGZZKdsQ8=\n";

/// A Certificate Transparency log, which signs twice (the first time with type 0x05), and some of its witnesses.
const ARCHE: &str =
    "arche2025h1.staging.ct.transparency.dev+ba2f06c0+AU0vHmlGCS/PdN8b2OaGmKprLI8HKM+dJ472xgFYh15f";
const REMORA: &str = "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2";
const ARCHE_NOTE: &str = "arche2025h1.staging.ct.transparency.dev\n1432088532\nU7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=\n\n\
    \u{2014} arche2025h1.staging.ct.transparency.dev zTM8sQAAAZ5W0WdjBAMARjBEAiBjW5IQf9pvsYLfQFX6hoGREPMHbdQ3urbllzalApkptQIgIpwtEroeW2BXaHAI4kJXFbon5Ch9MNL5zRNZ55lvGt0=\n\
    \u{2014} arche2025h1.staging.ct.transparency.dev ui8GwCF1+kWqZrxGdhj4aX3gcw7XUlXQQabg/27lefwhUkzbC3NygNI75MdhL1bfTW9g8Ei59RA23oHP7Ry1k3ZFWwQ=\n\
    \u{2014} transparency.dev/DEV:witness-little-garden 2AQqhwAAAABqEiEgzgFIqqhbUoDwjMWE6UP8nd8/KYTzwZ2rhIgcqoXHAwVkjZr4AscylP3v7sEodkRAErumC2q44vdgJY096st5BQ==\n\
    \u{2014} witness1.smartit.nu/witness1 pIyCDwAAAABqEiEghIp82KWebrw7/oHQwlTAm3g2RKS4+eebl8eO0WH+/iEcxZ75W3u5hNI7TOQtmJbqmNWVuE0tgh0XwzdZsDsUAQ==\n\
    \u{2014} remora.n621.de 2net5wAAAABqEiEgPlfF3V06o0Y+fHM+J5J9s27wgxxcOVSpZ/2g/KSiXCg9DEZI+aVCIobWX9sXTynk5XeU/zZ0WBxtqB0DrAWfBw==\n\
    \u{2014} witness.stagemole.eu Z/euoAAAAABqEiEgw0i+7g2ENfDAWHmtRzCfKTHSDwYDJA2NmKeGi9Y8FtEyOUvVr+AJmIY/2TUFucgKi7lI7cUiOvKFYe/TmN9DAg==\n";

fn key(vkey: &str) -> VerifierKey {
    let key = VerifierKey::parse(vkey).unwrap();
    assert_eq!(key.to_string(), vkey);
    key
}

#[test]
fn the_vector_of_the_specification_of_notes() {
    assert_eq!(open(FOO_NOTE, &[key(FOO)]).unwrap().text, "This is an example message.\n");
    let changed = FOO_NOTE.replace("an example", "another example");
    assert_eq!(open(&changed, &[key(FOO)]), Err(NoteError::InvalidSignature("example.com/foo".into())));
}

#[test]
fn the_go_checksum_database() {
    let checkpoint = Checkpoint::open(GO_SUM_NOTE, &[key(GO_SUM)]).unwrap();
    assert_eq!((checkpoint.origin.as_str(), checkpoint.size), ("go.sum database tree", 65_209_736));
    assert!(GO_SUM_NOTE.starts_with(&checkpoint.to_text()));
    let changed = GO_SUM_NOTE.replace("65209736", "65209737");
    let invalid = NoteError::InvalidSignature("sum.golang.org".into());
    assert_eq!(Checkpoint::open(&changed, &[key(GO_SUM)]), Err(CheckpointError::Note(invalid)));
}

#[test]
fn a_public_log_and_a_public_witness() {
    assert_eq!(key(REMORA).signature_type(), SignatureType::CosignatureV1);
    let cosigned = Cosigned::open(ARCHE_NOTE, &[key(ARCHE)], &[key(REMORA)]).unwrap();
    assert_eq!(cosigned.checkpoint.size, 1_432_088_532);
    assert!(cosigned.signed_by[0].is(&key(ARCHE)) && cosigned.signed_by.len() == 1);
    let [remora] = cosigned.cosigned_by.as_slice() else { panic!("one known witness") };
    assert_eq!(remora.cosigned_at, Some(0x6A12_2120));
    // A second later is another statement.
    let later = ARCHE_NOTE.replace("2net5wAAAABqEiEg", "2net5wAAAABqEiEh");
    let invalid = CheckpointError::Note(NoteError::InvalidSignature("remora.n621.de".into()));
    assert_eq!(Cosigned::open(&later, &[key(ARCHE)], &[key(REMORA)]), Err(invalid));
}
