//! The published vectors: the core shows what each of them says, and together they show what they are meant to.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use countersign_core::trial::Vector;
use countersign_core::{Refusal, approval, permit};

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors/approvals");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    files
}

fn vectors() -> impl Iterator<Item = Vector> {
    files().into_iter().map(|path| {
        let text = std::fs::read_to_string(&path).unwrap();
        let vector: Vector =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(path.file_stem().unwrap().to_str().unwrap(), vector.name);
        vector
    })
}

#[test]
fn every_published_vector_holds() {
    let mut broken = Vec::new();
    for vector in vectors() {
        let shown = vector.play().unwrap_or_else(|error| panic!("{}: {error}", vector.name));
        broken.extend(vector.differences(&shown).iter().map(|line| format!("{}: {line}", vector.name)));
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// Refusals that no step of a vector can provoke: they are about what has no place in an approval's life, or about signatures, which no
/// step has.
const ELSEWHERE: [&str; 8] = [
    "use_rotation",
    "not_a_reconciler",
    "self_reconciliation",
    "permit_not_unknown",
    "permit_already_reconciled",
    "signature_required",
    "voting_key_not_in_force",
    "other_statement",
];

#[test]
fn the_vectors_show_every_refusal_of_approvals_and_permits() {
    let shown: BTreeSet<String> =
        vectors().flat_map(|vector| vector.steps).filter_map(|step| step.expect.refused).collect();
    let all = approval::Refusal::ALL.iter().map(approval::Refusal::code);
    let all = all.chain(permit::Refusal::ALL.iter().map(permit::Refusal::code));
    let missed: BTreeSet<&str> =
        all.filter(|code| !shown.contains(*code) && !ELSEWHERE.contains(code)).collect();
    assert!(missed.is_empty(), "no vector shows {missed:?}");
    assert!(Refusal::all().any(|(_, refusal)| ELSEWHERE.contains(&refusal.code())));
    assert!(vectors().count() >= 60);
}
