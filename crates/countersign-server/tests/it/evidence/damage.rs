//! Every kind of damage to a bundle is caught and called by its name, also when the forger keeps everything else consistent.

use std::collections::BTreeMap;

use countersign_evidence::bundle::{self, Bundle, Completeness};
use countersign_evidence::verify::Lie;
use countersign_ledger::census::Answer;
use countersign_ledger::checkpoint::Checkpoint;
use countersign_ledger::entry::EntryView;
use countersign_ledger::hash::{Hash, leaf_hash};
use countersign_ledger::note::{Ed25519Signer, VerifierKey};
use countersign_ledger::proof::batch_proof;
use countersign_ledger::tree::{CompactRange, Nodes};

use countersign_server::evidence::Limits;

use super::fixture::{Cases, print, verify};
use crate::engine::fixture::{ORIGIN, signer};

/// A bundle, the page it was printed as, and what a forger does to it.
struct Forgery {
    page: String,
    bundle: Bundle,
}

impl Forgery {
    async fn new() -> Self {
        Self::of(Cases::played().await.bundle())
    }

    fn of(bundle: Bundle) -> Self {
        Self { page: print(&bundle), bundle }
    }

    /// The lie that is found after a change to the evidence; the page around it stays as it was.
    fn found(&self, change: impl FnOnce(&mut Bundle)) -> Lie {
        let mut bundle = self.bundle.clone();
        change(&mut bundle);
        let data = serde_json::to_string(&bundle).expect("json").replace('<', "\\u003c");
        let (before, rest) = self.page.split_once("id=\"evidence\">\n").expect("the evidence begins");
        let (_, after) = rest.split_once("\n</script>").expect("the evidence ends");
        let file = format!("{before}id=\"evidence\">\n{data}\n</script>{after}");
        assert_eq!(bundle::parse(file.as_bytes()), Ok(bundle), "the forgery has the form of a bundle");
        verify(&file).expect_err("a lie").lie
    }

    /// Where the first entry of a kind stands.
    fn place(&self, kind: &str) -> usize {
        let wanted = format!("\"kind\":\"{kind}\"");
        self.bundle.entries.iter().position(|entry| entry.leaf.contains(&wanted)).expect("such an entry")
    }

    /// A change of one leaf, whose hash beside it agrees again.
    fn rewritten(&self, kind: &str, (from, to): (&str, &str)) -> impl FnOnce(&mut Bundle) {
        let (place, from, to) = (self.place(kind), from.to_owned(), to.to_owned());
        move |bundle| {
            let entry = &mut bundle.entries[place];
            assert!(entry.leaf.contains(&from), "{}", entry.leaf);
            entry.leaf = entry.leaf.replace(&from, &to);
            entry.leaf_hash = leaf_hash(entry.leaf.as_bytes());
        }
    }
}

fn index(place: usize) -> Option<u64> {
    u64::try_from(place).ok()
}

fn is(lie: &Lie, code: &str, entry: Option<u64>) {
    assert_eq!((lie.code.as_str(), lie.entry), (code, entry), "{lie}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flipped() {
    let forgery = Forgery::new().await;
    let place = forgery.place("permit.started");
    let lie = forgery.found(|bundle| {
        let leaf = &mut bundle.entries[place].leaf;
        *leaf = leaf.replace("permit.started", "permit.startee");
    });
    is(&lie, "leaf", index(place));
    let time = forgery.rewritten("approval.granted", ("Z\",\"v\":1", "Z\",\"v\":2"));
    is(&forgery.found(time), "leaf", None);
    // Rehashed by the forger, it is still not in the signed tree.
    let voter = forgery.rewritten(
        "approval.granted",
        ("per_00000000000000000000000000000002", "per_00000000000000000000000000000003"),
    );
    is(&forgery.found(voter), "proof", None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropped_inserted_swapped_truncated() {
    let forgery = Forgery::new().await;
    let place = forgery.place("approval.granted");
    is(&forgery.found(|bundle| drop(bundle.entries.remove(place))), "proof", None);
    let doubled = forgery.found(|bundle| bundle.entries.insert(place, bundle.entries[place].clone()));
    is(&doubled, "order", index(place));
    is(&forgery.found(|bundle| bundle.entries.swap(place, place + 1)), "order", index(place));
    is(&forgery.found(|bundle| drop(bundle.entries.pop())), "proof", None);
    is(&forgery.found(|bundle| bundle.proof.push(Hash([1; 32]))), "proof", None);
}

/// Leaves as a tree, so that a forger can make a proof that holds.
struct Leaves<'b>(&'b [bundle::Entry]);

impl Nodes for Leaves<'_> {
    type Error = &'static str;

    fn node(&self, level: u8, index: u64) -> Result<Hash, Self::Error> {
        let width = 1_u64 << level;
        let mut tree = CompactRange::new();
        for leaf in index * width..(index + 1) * width {
            let entry =
                usize::try_from(leaf).ok().and_then(|leaf| self.0.get(leaf)).ok_or("beyond the log")?;
            tree.push(leaf_hash(entry.leaf.as_bytes()));
        }
        Ok(tree.root())
    }
}

/// Leaves entries out and proves the rest, as a server could that wants to hide them.
fn without(bundle: &mut Bundle, places: &[usize]) {
    let all = bundle.entries.clone();
    let kept = (0..all.len()).filter(|place| !places.contains(place));
    let indices: Vec<u64> = kept.clone().filter_map(index).collect();
    let size = index(all.len()).expect("a size");
    bundle.proof = batch_proof(&Leaves(&all), &indices, size).expect("a proof");
    bundle.entries = kept.map(|place| all[place].clone()).collect();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hidden_entry_of_a_subject() {
    let forgery = Forgery::new().await;
    // In the middle: the next entry's number shows it.
    let granted = forgery.place("approval.granted");
    let lie = forgery.found(|bundle| without(bundle, &[granted]));
    is(&lie, "subject_gap", index(granted + 1));
    // At the end only the claim that every leaf is here shows it; without the claim, that is what is said.
    let end = forgery.place("permit.succeeded");
    let lie = forgery.found(|bundle| without(bundle, &[end]));
    is(&lie, "hidden_entry", index(end));
    let mut bundle = forgery.bundle.clone();
    without(&mut bundle, &[end]);
    bundle.completeness = Completeness::NotShown { why: "It is hidden.".to_owned() };
    let verified = verify(&print(&bundle)).expect("no lie");
    let completeness = verified.checks.iter().find(|check| check.what == "completeness").expect("said");
    assert!(matches!(completeness.verdict, countersign_evidence::verify::Verdict::NotShown(_)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_entries_rest_on_is_left_out() {
    let forgery = Forgery::new().await;
    let approval: Vec<usize> = (0..forgery.bundle.entries.len())
        .filter(|place| forgery.bundle.entries[*place].leaf.contains("\"kind\":\"approval."))
        .collect();
    let lie = forgery.found(|bundle| {
        without(bundle, &approval);
        bundle.completeness = Completeness::NotShown { why: String::new() };
    });
    is(&lie, "closure", None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn swapped_details() {
    let forgery = Forgery::new().await;
    let requested = forgery.place("approval.requested");
    let details = |bundle: &mut Bundle, change: &dyn Fn(&mut Option<bundle::Details>)| {
        change(&mut bundle.entries[requested].details);
    };
    let changed = forgery.found(|bundle| {
        details(bundle, &|details| {
            let details = details.as_mut().expect("details");
            details.body = details.body.replace("100", "999");
        });
    });
    is(&changed, "details", index(requested));
    is(
        &forgery.found(|bundle| details(bundle, &|details| *details = None)),
        "details_missing",
        index(requested),
    );
    let unnamed = forgery.place("permit.started");
    let lie =
        forgery.found(|bundle| bundle.entries[unnamed].details = bundle.entries[requested].details.clone());
    is(&lie, "details", index(unnamed));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn details_that_are_there_although_redacted_or_gone_without_a_word() {
    let (cases, before) = Cases::redacted().await;
    let forgery = Forgery::of(cases.bundle());
    let requested = forgery.place("approval.requested");
    assert!(forgery.bundle.entries[requested].details.is_none());
    let kept = forgery.found(|bundle| {
        bundle.entries[requested].details = before.entries[requested].details.clone();
    });
    is(&kept, "redaction", index(requested));
    let enrolled = forgery.place("person.enrolled");
    let lost = forgery.found(|bundle| bundle.entries[enrolled].details = None);
    is(&lost, "details_missing", index(enrolled));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forged_checkpoint_and_replay_of_an_old_one() {
    let forgery = Forgery::new().await;
    let checkpoint = Checkpoint::open(&forgery.bundle.checkpoint, &[key()]).expect("signed");
    let resign =
        |checkpoint: &Checkpoint, signer: &Ed25519Signer| checkpoint.sign(&[signer]).expect("a note");
    let stranger = Ed25519Signer::from_seed(ORIGIN, [9; 32]).expect("a signer");
    let forged = resign(&checkpoint, &stranger);
    is(&forgery.found(|bundle| bundle.checkpoint = forged), "checkpoint_signature", None);
    let elsewhere = resign(&Checkpoint { origin: "elsewhere".to_owned(), ..checkpoint.clone() }, &signer());
    is(&forgery.found(|bundle| bundle.checkpoint = elsewhere), "checkpoint_origin", None);
    // A genuine older checkpoint does not vouch for what came after it.
    let mut tree = CompactRange::new();
    forgery.bundle.entries.iter().take(12).for_each(|entry| tree.push(entry.leaf_hash));
    let older = resign(&Checkpoint { size: 12, root: tree.root(), ..checkpoint }, &signer());
    is(&forgery.found(|bundle| bundle.checkpoint = older), "proof", None);
}

fn key() -> VerifierKey {
    VerifierKey::parse(&signer().vkey()).expect("a key")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn policies_and_pages() {
    let forgery = Forgery::new().await;
    let activated = forgery.place("policy.activated");
    let lie = forgery.found(|bundle| {
        for policy in bundle.policies.values_mut() {
            *policy = policy.replace("\"approvers\":2", "\"approvers\":1");
        }
    });
    is(&lie, "policy", index(activated));
    is(&forgery.found(|bundle| bundle.policies.clear()), "policy", index(activated));
    let lie = forgery.found(|bundle| drop(bundle.policies.insert(Hash([0; 32]), "{}".to_owned())));
    is(&lie, "policy", None);
    // The evidence is genuine, the page is not.
    let page = forgery.page.replacen("Chloe", "Clara", 1);
    is(&verify(&page).expect_err("a lie").lie, "report", None);
    let longer = format!("{}<p>approved by everybody</p>", forgery.page);
    is(&verify(&longer).expect_err("a lie").lie, "report", None);
    let twice = format!("{0}{0}", forgery.page);
    is(&verify(&twice).expect_err("a lie").lie, "form", None);
    is(&verify("<html></html>").expect_err("a lie").lie, "form", None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_census_counts_cannot_be_hidden() {
    let cases = Cases::counted().await;
    let limits = Limits { whole: 0, since_census: 1_000 };
    let forgery = Forgery::of(cases.collect_within(&cases.scope(), limits));
    let whole = cases.collect_within(&cases.scope(), Limits::default());
    let end = forgery.place("permit.succeeded");
    let hidden = EntryView::parse(forgery.bundle.entries[end].leaf.as_bytes()).expect("an entry").index;
    // The last entry about the permit, before the census: nothing but the count shows it.
    let lie = forgery.found(|bundle| {
        let kept: Vec<_> = bundle
            .entries
            .drain(..)
            .filter(|entry| {
                !entry.leaf.contains("permit.succeeded\"")
                    || !entry.leaf.contains(&format!("\"index\":{hidden},"))
            })
            .collect();
        let indices: Vec<u64> = kept
            .iter()
            .map(|entry| EntryView::parse(entry.leaf.as_bytes()).expect("an entry").index)
            .collect();
        bundle.proof =
            batch_proof(&Leaves(&whole.entries), &indices, index(whole.entries.len()).expect("a size"))
                .expect("a proof");
        bundle.entries = kept;
    });
    is(&lie, "hidden_entry", Some(hidden));
    let census = |bundle: &mut Bundle, change: &dyn Fn(&mut BTreeMap<String, Answer>)| {
        let Completeness::Census { answers, .. } = &mut bundle.completeness else { panic!("a census") };
        change(answers);
    };
    let permit = cases.permit.to_string();
    let taken = forgery.place("log.census_taken");
    let taken =
        Some(EntryView::parse(forgery.bundle.entries[taken].leaf.as_bytes()).expect("an entry").index);
    is(&forgery.found(|bundle| census(bundle, &|answers| drop(answers.remove(&permit)))), "census", taken);
    let lie = forgery.found(|bundle| {
        census(bundle, &|answers| {
            let Some(Answer::Present(placed)) = answers.get_mut(&permit) else { panic!("a row") };
            placed.row.count -= 1;
        });
    });
    is(&lie, "census", taken);
    let lie = forgery.found(|bundle| {
        census(bundle, &|answers| {
            let other = answers["log"].clone();
            answers.insert(permit.clone(), other);
        });
    });
    is(&lie, "census", taken);
}
