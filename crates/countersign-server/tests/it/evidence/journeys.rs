//! What is collected, and what a verification says about it.

use countersign_core::{Actor, Subject};
use countersign_evidence::bundle::{self, Bundle, Completeness};
use countersign_evidence::scope::Scope;
use countersign_evidence::verify::Verdict;
use countersign_ledger::checkpoint::Checkpoint;
use countersign_ledger::entry::EntryView;
use countersign_ledger::note::{self, Cosigner};
use countersign_ledger::witness::Policy;

use countersign_server::evidence::Limits;
use countersign_server::store::{Store as _, StoredCheckpoint};

use super::fixture::{Cases, not_shown, print, verify, verify_witnessed};
use crate::engine::fixture::{ANA, signer};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_case_verifies_offline_and_says_what_was_checked() {
    let cases = Cases::played().await;
    let bundle = cases.bundle();
    let file = print(&bundle);
    let verified = verify(&file).expect("no lie");
    assert_eq!(bundle.completeness, Completeness::EveryLeaf);
    assert_eq!(u64::try_from(verified.entries), Ok(verified.checkpoint.size));
    // Reserved, started, succeeded.
    assert_eq!(verified.selected, 3);
    let checks: Vec<&str> = verified.checks.iter().map(|check| check.what).collect();
    let expected = [
        "form",
        "signature",
        "keys",
        "witnesses",
        "leaves",
        "proof",
        "details",
        "policies",
        "votes",
        "subjects",
        "redactions",
        "completeness",
        "meaning",
        "parameters",
        "report",
    ];
    assert_eq!(checks, expected);
    assert_eq!(not_shown(&verified), ["witnesses"], "nobody but the log signed");
    assert_eq!(bundle::parse(file.as_bytes()).expect("the same"), bundle);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_shows_the_case_and_nothing_in_it_can_break_out() {
    let cases = Cases::played().await;
    let file = print(&cases.bundle());
    let (page, rest) = file.split_once("<script type=").expect("a block of evidence");
    for shown in
        ["override payout/limit production", "{&quot;amount&quot;:100}", "Ana", "Ben", "Chloe", "succeeded"]
    {
        assert!(
            page.contains(shown) || page.contains(&shown.replace("&quot;", "&#34;")),
            "{shown} is not shown in {page}"
        );
    }
    assert!(!page.contains('\u{202e}') && page.contains("\\u{202e}"), "what could deceive is visible");
    assert_eq!(rest.matches("</script>").count(), 1, "a text in the evidence ends its block");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_case_whose_details_were_redacted_still_verifies_and_says_so() {
    let (cases, before) = Cases::redacted().await;
    let bundle = cases.bundle();
    let file = print(&bundle);
    assert!(print(&before).contains("amount") && !file.contains("amount"));
    assert!(file.contains("redacted by entry"), "the page says so");
    let verified = verify(&file).expect("no lie");
    let said = verified.checks.iter().find(|check| check.what == "redactions").expect("it is checked");
    let Verdict::Holds(said) = &said.verdict else { panic!("{said:?}") };
    assert_eq!(said, "the details of 1 entry were redacted, and the log says so");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scopes_select_what_they_say() {
    let cases = Cases::played().await;
    let count = |scope: Scope| verify(&print(&cases.collect(&scope))).expect("no lie").selected;
    let whole = count(Scope::default());
    let of = |subject| Scope { subject: Some(subject), ..Scope::default() };
    assert_eq!(count(of(Subject::Approval(cases.approval))), 5);
    let resource = Scope { resource: Some("payout/limit".parse().expect("a resource")), ..Scope::default() };
    assert_eq!(count(resource.clone()), 16);
    let kind = Scope { kind: Some("approval.granted".to_owned()), ..resource };
    assert_eq!(count(kind), 4);
    let production = Scope { environment: Some("production".parse().expect("a name")), ..Scope::default() };
    assert_eq!(count(production), 16);
    assert!(whole > 16);
}

/// A log too large for all of its leaves.
const LARGE: Limits = Limits { whole: 0, since_census: 1_000 };

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_large_log_a_census_stands_for_the_leaves_before_it() {
    let cases = Cases::counted().await;
    let bundle = cases.collect_within(&cases.scope(), LARGE);
    let Completeness::Census { size, .. } = bundle.completeness else { panic!("{:?}", bundle.completeness) };
    let verified = verify(&print(&bundle)).expect("no lie");
    assert!(
        u64::try_from(verified.entries).expect("a number") < verified.checkpoint.size,
        "leaves before {size} are spared"
    );
    assert_eq!(not_shown(&verified), ["witnesses"]);
    // Time never goes back: of what happened since then, everything is here.
    let last = bundle
        .entries
        .last()
        .and_then(|entry| EntryView::parse(entry.leaf.as_bytes()).ok())
        .expect("an entry");
    let recent = Scope { from: Some(last.time.parse().expect("a time")), ..Scope::default() };
    assert_eq!(
        not_shown(&verify(&print(&cases.collect_within(&recent, LARGE))).expect("no lie")),
        ["witnesses"]
    );
    // A count per subject says nothing about which further subjects an actor touched.
    let actor = Scope { actor: Some(Actor::Person(ANA)), ..Scope::default() };
    let verified = verify(&print(&cases.collect_within(&actor, LARGE))).expect("no lie");
    assert_eq!(not_shown(&verified), ["witnesses", "completeness"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_census_completeness_is_not_shown_and_said_so() {
    let cases = Cases::played().await;
    let bundle = cases.collect_within(&cases.scope(), LARGE);
    let verified = verify(&print(&bundle)).expect("no lie");
    assert_eq!(not_shown(&verified), ["witnesses", "completeness"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quorum_of_witnesses_is_shown_if_it_is_demanded_and_missed_if_it_is_not_met() {
    let mut bundle = Cases::played().await.bundle();
    let [first, second] = ["first.example", "second.example"].map(|name| {
        Cosigner::from_seed(name, [u8::try_from(name.len()).expect("short"); 32]).expect("a witness")
    });
    let demand = |quorum: &str| {
        let (first, second, log) = (first.verifier(), second.verifier(), signer().vkey());
        let text = format!(
            "log {log}\nwitness one {first}\nwitness two {second}\ngroup most {quorum} one two\nquorum most\n"
        );
        Policy::parse(&text).expect("a policy")
    };
    let unmet = verify_witnessed(&print(&bundle), Some(&demand("any"))).expect_err("nobody cosigned").lie;
    assert_eq!(unmet.code, "witnesses");
    let text = note::unverified_text(&bundle.checkpoint).expect("a note").to_owned();
    let line = note::signature_line(&text, &first.at(1_795_600_000).expect("a time")).expect("a cosignature");
    bundle.checkpoint.push_str(&line);
    let file = print(&bundle);
    let verified = verify_witnessed(&file, Some(&demand("any"))).expect("one is enough");
    assert_eq!(not_shown(&verified), [""; 0]);
    assert_eq!(
        verify_witnessed(&file, Some(&demand("all"))).expect_err("one is not enough").lie.code,
        "witnesses"
    );
    assert!(verify(&file).is_ok(), "who demands no witness ignores them");
}

/// Lets a witness cosign the checkpoint of a bundle, and keeps it.
fn cosign(cases: &mut Cases, bundle: &Bundle) -> u64 {
    let witness = Cosigner::from_seed("first.example", [1; 32]).expect("a witness");
    let text = note::unverified_text(&bundle.checkpoint).expect("a note");
    let line =
        note::signature_line(text, &witness.at(1_795_600_000).expect("a time")).expect("a cosignature");
    let size = Checkpoint::parse(text).expect("a checkpoint").size;
    let note = format!("{}{line}", bundle.checkpoint);
    cases.store.save_checkpoint(&StoredCheckpoint { size, note }).expect("kept");
    size
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_cosigned_is_preferred_unless_it_does_not_vouch_for_a_redaction() {
    let (mut cases, before) = Cases::redacted().await;
    let cosigned = cosign(&mut cases, &before);
    let bundle = cases.bundle();
    assert!(verify(&print(&bundle)).expect("no lie").checkpoint.size > cosigned);
    // A case without redactions is proved against what the witness saw.
    let mut cases = Cases::played().await;
    let bundle = cases.bundle();
    let cosigned = cosign(&mut cases, &bundle);
    let again = cases.bundle();
    assert_eq!(verify(&print(&again)).expect("no lie").checkpoint.size, cosigned);
    assert!(again.checkpoint.contains("first.example"));
}
